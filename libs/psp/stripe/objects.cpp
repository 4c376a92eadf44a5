#include "psp/stripe/objects.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include <boost/json/array.hpp>

#include "base/ascii.hpp"

namespace switchyard::psp::stripe {
namespace {

namespace json = boost::json;

constexpr std::size_t id_bytes_max = 255;
constexpr std::size_t url_bytes_max = 4096;

const json::value* value_of(const json::object& object, std::string_view name) {
  return object.if_contains(json::string_view(name.data(), name.size()));
}

// 100.0 and 1e2 are no whole numbers here: Stripe writes none so.
std::optional<std::int64_t> integer_of(const json::object& object, std::string_view name) {
  const auto* value = value_of(object, name);
  if (value == nullptr || !value->is_int64()) return std::nullopt;
  return value->get_int64();
}

bool is_web_address(std::string_view text) {
  if (!text.starts_with("https://") && !text.starts_with("http://")) return false;
  return text.size() <= url_bytes_max &&
         std::ranges::all_of(text, [](char c) { return is_visible_ascii(c) && c != '"' && c != '<'; });
}

// Stripe API reference, PaymentIntent object, next_action.redirect_to_url.
std::string redirect_url_of(const json::object& intent) {
  const auto* action = object_of(intent, "next_action");
  const auto* redirect = action == nullptr ? nullptr : object_of(*action, "redirect_to_url");
  auto url = redirect == nullptr ? std::string() : text_of(*redirect, "url");
  return is_web_address(url) ? url : std::string();
}

ErrorWords read_words(const json::object& error) {
  return {.type = text_of(error, "type"),
          .code = text_of(error, "code"),
          .decline_code = text_of(error, "decline_code"),
          .advice_code = text_of(error, "advice_code"),
          .param = text_of(error, "param"),
          .message = text_of(error, "message")};
}

bool is_object(const json::object& object, std::string_view type) {
  return text_of(object, "object") == type && is_id(text_of(object, "id"));
}

template <class Object, class Read>
std::optional<List<Object>> read_list(const json::object& body, const Read& read) {
  const auto* data = value_of(body, "data");
  const auto* has_more = value_of(body, "has_more");
  if (data == nullptr || !data->is_array() || has_more == nullptr || !has_more->is_bool()) {
    return std::nullopt;
  }
  List<Object> list{.items = {}, .has_more = has_more->get_bool()};
  for (const auto& item : data->get_array()) {
    auto object = item.is_object() ? read(item.get_object()) : std::nullopt;
    if (!object) return std::nullopt;
    list.items.push_back(std::move(*object));
  }
  return list;
}

}  // namespace

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= id_bytes_max &&
         std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '_' || c == '-'; });
}

std::string text_of(const json::object& object, std::string_view name) {
  const auto* value = value_of(object, name);
  const auto* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

const json::object* object_of(const json::object& object, std::string_view name) {
  const auto* value = value_of(object, name);
  return value == nullptr ? nullptr : value->if_object();
}

std::string id_of(const json::object& object, std::string_view name) {
  const auto* whole = object_of(object, name);
  return whole == nullptr ? text_of(object, name) : text_of(*whole, "id");
}

std::string metadata_of(const json::object& object, std::string_view name) {
  const auto* metadata = object_of(object, "metadata");
  return metadata == nullptr ? std::string() : text_of(*metadata, name);
}

std::optional<Intent> read_intent(const json::object& object) {
  if (!is_object(object, "payment_intent")) return std::nullopt;
  Intent intent{.id = text_of(object, "id"),
                .status = text_of(object, "status"),
                .currency = text_of(object, "currency"),
                .capture_method = text_of(object, "capture_method"),
                .cancellation_reason = text_of(object, "cancellation_reason"),
                .reference = metadata_of(object, reference_name),
                .key = metadata_of(object, key_name),
                .capture_key = metadata_of(object, capture_key_name),
                .amount = integer_of(object, "amount"),
                .amount_capturable = integer_of(object, "amount_capturable"),
                .amount_received = integer_of(object, "amount_received"),
                .has_charge = !id_of(object, "latest_charge").empty(),
                .last_payment_error = {},
                .redirect_url = redirect_url_of(object)};
  if (intent.capture_method == "automatic_async") intent.capture_method = "automatic";
  if (const auto* error = object_of(object, "last_payment_error")) {
    intent.last_payment_error = read_words(*error);
  }
  return intent;
}

std::optional<Refund> read_refund(const json::object& object) {
  if (!is_object(object, "refund")) return std::nullopt;
  return Refund{.id = text_of(object, "id"),
                .status = text_of(object, "status"),
                .currency = text_of(object, "currency"),
                .payment_intent = id_of(object, "payment_intent"),
                .failure_reason = text_of(object, "failure_reason"),
                .reference = metadata_of(object, reference_name),
                .key = metadata_of(object, key_name),
                .amount = integer_of(object, "amount")};
}

std::optional<Error> read_error(const json::object& body) {
  const auto* error = object_of(body, "error");
  if (error == nullptr || text_of(*error, "type").empty()) return std::nullopt;
  Error read{.words = read_words(*error), .intent = {}};
  if (const auto* intent = object_of(*error, "payment_intent")) {
    read.intent = read_intent(*intent);
    if (!read.intent) return std::nullopt;
  }
  return read;
}

std::optional<List<Intent>> read_intents(const json::object& body) {
  return read_list<Intent>(body, read_intent);
}

std::optional<List<Refund>> read_refunds(const json::object& body) {
  return read_list<Refund>(body, read_refund);
}

}  // namespace switchyard::psp::stripe
