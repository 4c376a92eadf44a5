// What the next requests are to meet, whatever their amount: rules that are tried from the first to the last.
//
// Safe to use from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "payment/operation.hpp"
#include "psp/simulator/outcomes.hpp"

namespace switchyard::psp_simulator {

// What becomes of an event of a webhook.
enum class EventFault {
  none,
  late,
  doubled,
  reordered,  // sent behind the next one, or late where none comes
  lost,
};

struct EventFate {
  EventFault what = EventFault::none;
  std::chrono::milliseconds delay = psp::simulator::usual_delay;
};

struct Rule {
  std::string_view name;
  // With the delay that the rule names.
  psp::simulator::Behaviour behaviour;
  // Not none: the rule is for events and not for requests.
  EventFault event = EventFault::none;
  // Of one kind only; empty: of each.
  std::optional<payment::Kind> kind;
  // Of one reference only; empty: of each.
  std::string reference;
  // For so many requests that it applies to; empty: until the script is replaced.
  std::optional<std::int64_t> requests;
  double probability = 1;
};

struct ScriptRules {
  std::vector<Rule> rules;
  // Of the dice for probabilities.
  std::uint64_t seed = 0;
};

// {"rules": [{"behaviour", "kind"?, "reference"?, "requests"?, "probability"?, "delay_ms"?}], "seed"?}. The
// error says which member is wrong and what would be right.
std::expected<ScriptRules, std::string> read_script(const boost::json::object& object);

// What an amount asks for; nothing of a void.
psp::simulator::Behaviour by_amount(payment::Kind kind, std::int64_t amount_minor);

class Script {
 public:
  void replace(ScriptRules rules);

  // The first rule that applies to a request; nothing if none does.
  std::optional<psp::simulator::Behaviour> by_rule(payment::Kind kind, std::string_view reference);
  // The same; by amount if none applies.
  psp::simulator::Behaviour decide(payment::Kind kind, std::string_view reference, std::int64_t amount_minor);
  // The first rule that applies to an event about an operation of this kind.
  EventFate of_event(payment::Kind kind, std::string_view reference);

  // As read_script takes it, with the requests that are left.
  std::string to_json() const;

 private:
  // Uses up one request of it. Null: none applies.
  const Rule* take_rule(bool is_of_event, payment::Kind kind, std::string_view reference);

  mutable std::mutex mutex_;
  ScriptRules script_;
  std::mt19937_64 dice_;
};

}  // namespace switchyard::psp_simulator
