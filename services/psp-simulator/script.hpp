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

#include "psp/simulator/outcomes.hpp"

namespace switchyard::psp_simulator {

struct Rule {
  std::string_view name;
  psp::simulator::Behaviour behaviour;
  // Of one reference only; empty: of each.
  std::string reference;
  // For so many requests that it applies to; empty: until the script is replaced.
  std::optional<std::int64_t> requests;
  double probability = 1;
  // Of a late answer.
  std::chrono::milliseconds delay = psp::simulator::usual_delay;
};

struct ScriptRules {
  std::vector<Rule> rules;
  // Of the dice for probabilities.
  std::uint64_t seed = 0;
};

// {"rules": [{"behaviour", "reference"?, "requests"?, "probability"?, "delay_ms"?}], "seed"?}. The error says
// which member is wrong and what would be right.
std::expected<ScriptRules, std::string> read_script(const boost::json::object& object);

class Script {
 public:
  struct Decision {
    psp::simulator::Behaviour behaviour;
    std::chrono::milliseconds delay = psp::simulator::usual_delay;
  };

  void replace(ScriptRules rules);

  // The first rule that applies; by amount if none does.
  Decision decide(std::string_view reference, std::int64_t amount_minor);

  // As read_script takes it, with the requests that are left.
  std::string to_json() const;

 private:
  mutable std::mutex mutex_;
  ScriptRules script_;
  std::mt19937_64 dice_;
};

}  // namespace switchyard::psp_simulator
