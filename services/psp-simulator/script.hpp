// What the next requests are to meet, whatever their amount: rules that are tried from the first to the last.
//
// Safe to use from any thread.
#pragma once

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

struct Rule {
  std::string_view name;
  // With the delay that the rule names.
  psp::simulator::Behaviour behaviour;
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

class Script {
 public:
  void replace(ScriptRules rules);

  // The first rule that applies; by amount if none does, but for a void.
  psp::simulator::Behaviour decide(payment::Kind kind, std::string_view reference, std::int64_t amount_minor);

  // As read_script takes it, with the requests that are left.
  std::string to_json() const;

 private:
  mutable std::mutex mutex_;
  ScriptRules script_;
  std::mt19937_64 dice_;
};

}  // namespace switchyard::psp_simulator
