// A PSP that psp-simulator plays: what it answers, as functions over the rows of the ledger and of what it
// keeps beside it. No I/O but that: dialect_service.hpp does the HTTP, webhooks.hpp sends the events.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/client.hpp"
#include "http/message.hpp"
#include "psp-simulator/dialect/rows.hpp"
#include "psp-simulator/script.hpp"
#include "psp/simulator/book.hpp"
#include "psp/simulator/ledger_rows.hpp"

namespace switchyard::psp_simulator {

// A request, in texts of its own.
struct Asked {
  http::Method method = http::Method::get;
  // Of the endpoint, such as "/v1/payment_intents/{id}/capture".
  std::string_view pattern;
  std::string parameter;
  std::string query;
  std::string body;
  // Idempotency-Key; empty: none.
  std::string key;
  // The version of the PSP's API that the client speaks; empty: it does not say.
  std::string version;
  // Where the simulator answers, as the client knows it: "http://127.0.0.1:5000".
  std::string address;
};

struct Reply {
  unsigned status = 200;
  std::string body;
  std::vector<std::pair<std::string_view, std::string>> headers{};
  // Whether the PSP answers the same under the same key from now on.
  bool is_kept = true;
  // Of a request that moves money, or would: how it breaks. Only an answer that is kept has booked something.
  std::optional<psp::simulator::Behaviour> behaviour{};
  bool is_booked = false;
  // What was booked now, for the metrics.
  std::optional<std::pair<payment::Kind, psp::simulator::Status>> booked{};
};

// What one request, or the passing of time, sees and changes: on the ledger's thread, in one commit.
struct Session {
  psp::simulator::LedgerRows& ledger;
  DialectRows& rows;
  Script& script;
  Timestamp now;
  std::string_view psp;
  // Events are also put up to be sent.
  bool sends_events = false;
};

// What a request on money meets: a rule of the script, else what the client's test value asks for, else by
// amount.
psp::simulator::Behaviour behaviour_for(Session& session, payment::Kind kind, std::string_view reference,
                                        std::optional<psp::simulator::Behaviour> by_test_value,
                                        std::int64_t amount_minor);

// Puts an event up to be sent, as the script says: on time, late, twice, behind the next one, or never.
void send_event(Session& session, payment::Kind about, std::string_view reference, std::string_view body);

using EndpointHandler = Reply (*)(Session& session, const Asked& asked);

struct Endpoint {
  http::Method method;
  std::string_view pattern;
  EndpointHandler handler;
};

class Dialect {
 public:
  virtual ~Dialect() = default;

  // In the book, in logs and metrics.
  virtual std::string_view name() const = 0;
  // Earlier ones first.
  virtual std::span<const Endpoint> endpoints() const = 0;
  // Before anything is looked at: whose request it is, and in what form. Nothing: it is taken.
  virtual std::optional<Reply> refuse(const http::Request& request) const = 0;
  virtual std::chrono::hours key_held_for() const = 0;
  // Of a kept answer that is given again, and of one that was just made.
  virtual void mark(Reply& reply, const Asked& asked, bool is_replayed) const = 0;
  virtual Reply key_with_another_request() const = 0;
  // What says in the PSP's words that it broke: of error, error_kept, transient, in_use, too_many.
  virtual Reply broken(psp::simulator::Answer how) const = 0;
  // Tells of what has come of open documents. The ledger's time has passed.
  virtual void settle(Session& session) const = 0;

  // Where its events go; empty: nowhere.
  virtual const std::string& webhook_url() const = 0;
  virtual http::ClientRequest delivery(std::string_view event, Timestamp now) const = 0;
  // Whether a refused event holds up those behind it.
  virtual bool is_in_line() const = 0;
};

// The endpoint's answer: once for each key, whatever the behaviour.
Reply answer_once(Session& session, const Dialect& dialect, EndpointHandler handler, const Asked& asked);

}  // namespace switchyard::psp_simulator
