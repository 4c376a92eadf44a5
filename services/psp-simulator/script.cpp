#include "psp-simulator/script.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "psp-simulator/charge_json.hpp"

namespace switchyard::psp_simulator {
namespace {

namespace json = boost::json;
using psp::simulator::named_behaviours;

constexpr std::size_t rules_max = 100;
constexpr std::int64_t requests_max = 1'000'000'000;
constexpr std::int64_t delay_ms_max = 60'000;

struct NamedEventFault {
  std::string_view name;
  EventFault fault;
};

constexpr std::array<NamedEventFault, 4> named_event_faults{{
    {"event_late", EventFault::late},
    {"event_doubled", EventFault::doubled},
    {"event_reordered", EventFault::reordered},
    {"event_lost", EventFault::lost},
}};

bool has_delay(const Rule& rule) {
  return psp::simulator::is_timed(rule.behaviour) || rule.event == EventFault::late ||
         rule.event == EventFault::reordered;
}

std::string all_names() {
  std::string names;
  const auto add = [&names](std::string_view name) {
    fmt::format_to(std::back_inserter(names), "{}{}", names.empty() ? "" : ", ", name);
  };
  for (const auto& known : named_behaviours) add(known.name);
  for (const auto& known : named_event_faults) add(known.name);
  return names;
}

std::string_view view(json::string_view text) {
  return {text.data(), text.size()};
}

// Reads one rule; `problem_` holds the first thing that is wrong.
class RuleReader {
 public:
  std::expected<Rule, std::string> read(const json::object& object) {
    if (!object.contains("behaviour")) return std::unexpected("behaviour is missing");
    for (const auto& member : object) {
      if (!read_member(view(member.key()), member.value())) return std::unexpected(std::move(problem_));
    }
    if (delay_ && !has_delay(rule_)) {
      return std::unexpected(
          "delay_ms is for slow, pending, pending_then_declined, taken_back, event_late and event_reordered "
          "only");
    }
    rule_.behaviour.delay = delay_.value_or(psp::simulator::usual_delay);
    return std::move(rule_);
  }

 private:
  bool read_member(std::string_view name, const json::value& value) {
    if (name == "behaviour") return read_behaviour(value);
    if (name == "kind") return read_kind(value);
    if (name == "reference") return read_reference(value);
    if (name == "probability") return read_probability(value);
    if (name == "requests") {
      const auto number = whole_number(name, value, requests_max);
      rule_.requests = number;
      return number.has_value();
    }
    if (name == "delay_ms") {
      const auto number = whole_number(name, value, delay_ms_max);
      delay_ = std::chrono::milliseconds(number.value_or(0));
      return number.has_value();
    }
    return wrong(fmt::format(
        "{} is no member of a rule: behaviour, kind, reference, requests, probability and delay_ms are",
        name));
  }

  bool read_behaviour(const json::value& value) {
    const auto text = value.is_string() ? view(value.get_string()) : std::string_view();
    const auto fault = std::ranges::find(named_event_faults, text, &NamedEventFault::name);
    if (fault != named_event_faults.end()) {
      rule_.name = fault->name;
      rule_.event = fault->fault;
      return true;
    }
    const auto named = std::ranges::find(named_behaviours, text, &psp::simulator::NamedBehaviour::name);
    if (named == named_behaviours.end()) return wrong("behaviour must be one of: " + all_names());
    rule_.name = named->name;
    rule_.behaviour = named->behaviour;
    return true;
  }

  bool read_kind(const json::value& value) {
    rule_.kind = payment::parse_kind(value.is_string() ? view(value.get_string()) : std::string_view());
    return rule_.kind || wrong("kind must be authorize, capture, void or refund");
  }

  bool read_reference(const json::value& value) {
    if (!value.is_string() || !is_reference(view(value.get_string()))) {
      return wrong("reference must be 1 to 64 letters, digits and -._:");
    }
    rule_.reference = view(value.get_string());
    return true;
  }

  bool read_probability(const json::value& value) {
    const double number = value.is_double()  ? value.get_double()
                          : value.is_int64() ? static_cast<double>(value.get_int64())
                                             : 0;
    rule_.probability = number;
    return (number > 0 && number <= 1) || wrong("probability must be a number above 0 and not above 1");
  }

  std::optional<std::int64_t> whole_number(std::string_view name, const json::value& value,
                                           std::int64_t most) {
    if (value.is_int64() && value.get_int64() >= 1 && value.get_int64() <= most) return value.get_int64();
    wrong(fmt::format("{} must be a whole number from 1 to {}", name, most));
    return std::nullopt;
  }

  bool wrong(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  Rule rule_;
  std::optional<std::chrono::milliseconds> delay_;
  std::string problem_;
};

}  // namespace

std::expected<ScriptRules, std::string> read_script(const json::object& object) {
  for (const auto& member : object) {
    if (member.key() != "rules" && member.key() != "seed") {
      return std::unexpected(
          fmt::format("{} is no member of a script: rules and seed are", view(member.key())));
    }
  }
  const auto* rules = object.if_contains("rules");
  if (rules == nullptr || !rules->is_array() || rules->get_array().size() > rules_max) {
    return std::unexpected(fmt::format("rules must be a list of at most {}", rules_max));
  }
  ScriptRules script;
  script.seed = std::random_device()();
  if (const auto* seed = object.if_contains("seed")) {
    if (!seed->is_int64() || seed->get_int64() < 0) return std::unexpected("seed must be a whole number");
    script.seed = static_cast<std::uint64_t>(seed->get_int64());
  }
  for (const auto& value : rules->get_array()) {
    auto rule = value.is_object() ? RuleReader().read(value.get_object())
                                  : std::expected<Rule, std::string>(std::unexpected("must be an object"));
    if (!rule) return std::unexpected(fmt::format("rules[{}]: {}", script.rules.size(), rule.error()));
    script.rules.push_back(std::move(*rule));
  }
  return script;
}

void Script::replace(ScriptRules rules) {
  const std::lock_guard lock(mutex_);
  script_ = std::move(rules);
  dice_.seed(script_.seed);
}

// Nobody chooses a void's amount.
psp::simulator::Behaviour by_amount(payment::Kind kind, std::int64_t amount_minor) {
  return kind == payment::Kind::void_ ? psp::simulator::Behaviour{}
                                      : psp::simulator::behaviour_of(amount_minor);
}

const Rule* Script::take_rule(bool is_of_event, payment::Kind kind, std::string_view reference) {
  for (auto& rule : script_.rules) {
    if ((rule.event != EventFault::none) != is_of_event) continue;
    if (rule.requests == 0 || (rule.kind && rule.kind != kind)) continue;
    if (!rule.reference.empty() && rule.reference != reference) continue;
    if (rule.probability < 1 && std::uniform_real_distribution<>()(dice_) >= rule.probability) continue;
    if (rule.requests) --*rule.requests;
    return &rule;
  }
  return nullptr;
}

std::optional<psp::simulator::Behaviour> Script::by_rule(payment::Kind kind, std::string_view reference) {
  const std::lock_guard lock(mutex_);
  const auto* rule = take_rule(false, kind, reference);
  return rule == nullptr ? std::nullopt : std::optional(rule->behaviour);
}

psp::simulator::Behaviour Script::decide(payment::Kind kind, std::string_view reference,
                                         std::int64_t amount_minor) {
  const auto behaviour = by_rule(kind, reference);
  return behaviour ? *behaviour : by_amount(kind, amount_minor);
}

EventFate Script::of_event(payment::Kind kind, std::string_view reference) {
  const std::lock_guard lock(mutex_);
  const auto* rule = take_rule(true, kind, reference);
  return rule == nullptr ? EventFate{} : EventFate{rule->event, rule->behaviour.delay};
}

std::string Script::to_json() const {
  const std::lock_guard lock(mutex_);
  std::string text = R"({"rules":[)";
  const auto out = std::back_inserter(text);
  for (const auto& rule : script_.rules) {
    fmt::format_to(out, R"({}{{"behaviour":"{}")", &rule == &script_.rules.front() ? "" : ",", rule.name);
    if (rule.kind) fmt::format_to(out, R"(,"kind":"{}")", payment::to_string(*rule.kind));
    if (!rule.reference.empty()) fmt::format_to(out, R"(,"reference":"{}")", rule.reference);
    if (rule.requests) fmt::format_to(out, R"(,"requests":{})", *rule.requests);
    if (rule.probability < 1) fmt::format_to(out, R"(,"probability":{})", rule.probability);
    if (has_delay(rule)) {
      fmt::format_to(out, R"(,"delay_ms":{})", rule.behaviour.delay.count());
    }
    text += '}';
  }
  fmt::format_to(out, R"(],"seed":{}}})", script_.seed);
  return text;
}

}  // namespace switchyard::psp_simulator
