// Stripe's objects (version 2026-08-26.dahlia of its API), as far as they decide something. Pure.
//
// Members that are missing, null or of another type are empty: whoever reads one decides what that means.
// Members, codes and statuses that are not known here may come at any time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

namespace switchyard::psp::stripe {

// What is sent as Stripe-Version: what Stripe's objects look like follows from it, and not from the version
// that the account has.
inline constexpr std::string_view api_version = "2026-08-26.dahlia";

// What we store with Stripe's objects, by which a list or an event is matched to an operation. A capture
// writes into the metadata of the payment that it captures, so its key has a name of its own.
inline constexpr std::string_view reference_name = "switchyard_reference";
inline constexpr std::string_view key_name = "switchyard_key";
inline constexpr std::string_view capture_key_name = "switchyard_capture_key";

struct ErrorWords {
  std::string type{};
  std::string code{};
  std::string decline_code{};
  std::string advice_code{};
  std::string param{};
  std::string message{};
};

struct Intent {
  std::string id{};
  std::string status{};
  std::string currency{};
  // "automatic" also where Stripe says "automatic_async": either takes the money without being told.
  std::string capture_method{};
  std::string cancellation_reason{};
  // From its metadata.
  std::string reference{};
  std::string key{};
  std::string capture_key{};
  // As Stripe counts; empty also where it is no whole number.
  std::optional<std::int64_t> amount{};
  std::optional<std::int64_t> amount_capturable{};
  std::optional<std::int64_t> amount_received{};
  // It was tried at least once.
  bool has_charge = false;
  std::optional<ErrorWords> last_payment_error{};
  // Where the customer is to be sent; empty if it is no address of the web.
  std::string redirect_url{};
};

struct Refund {
  std::string id{};
  std::string status{};
  std::string currency{};
  std::string payment_intent{};
  std::string failure_reason{};
  std::string reference{};
  std::string key{};
  std::optional<std::int64_t> amount{};
};

// The body of an answer that is not 200.
struct Error {
  ErrorWords words{};
  std::optional<Intent> intent{};
};

template <class Object>
struct List {
  std::vector<Object> items{};
  // There are more, which it does not show.
  bool has_more = false;
};

// Whether Stripe could have given an object this name. It goes into paths: nothing in it may be a part of
// one.
bool is_id(std::string_view text);

// Empty if it is not there, or no text.
std::string text_of(const boost::json::object& object, std::string_view name);
// Null if it is not there, or no object.
const boost::json::object* object_of(const boost::json::object& object, std::string_view name);
// The id of an object that stands there as its id, or whole where it was to be expanded.
std::string id_of(const boost::json::object& object, std::string_view name);
std::string metadata_of(const boost::json::object& object, std::string_view name);

// Nothing if it is not one: another object, or without an id.
std::optional<Intent> read_intent(const boost::json::object& object);
std::optional<Refund> read_refund(const boost::json::object& object);
// Nothing without an error.type, or with a payment that cannot be read: not Stripe's words.
std::optional<Error> read_error(const boost::json::object& body);
// Of a list or a search; nothing if anything in it cannot be read.
std::optional<List<Intent>> read_intents(const boost::json::object& body);
std::optional<List<Refund>> read_refunds(const boost::json::object& body);

}  // namespace switchyard::psp::stripe
