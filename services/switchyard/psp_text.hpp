// What `switchyard psp list` says of the accounts at PSPs, for people. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "routing/adapters.hpp"
#include "routing/breaker.hpp"
#include "switchyard/psp_rates.hpp"

namespace switchyard::cli {

struct PspRow {
  std::string name;
  routing::Adapter adapter = routing::Adapter::simulator;
  // What the account lacks; empty if it is complete.
  std::string missing{};
  // Nothing where it is not known.
  std::optional<routing::BreakerState> breaker{};
  PspRates rates{};
};

struct PspList {
  std::vector<PspRow> rows;
  // False without a routing file.
  bool has_breakers = true;
  // Why a breaker is not known, of all of them or of some: "no connector answers at ..."
  std::string breaker_unknown{};
  // What was looked at: payments made since then,
  Timestamp since{};
  std::size_t payments = 0;
  // and, where there are more of them than are looked at, the time of the oldest one that was.
  std::optional<Timestamp> cut_off_at{};
  // Attempts at accounts that are not in the list.
  std::int64_t elsewhere = 0;
};

// A table with a head, then what there is to say about it.
std::vector<std::string> lines_of(const PspList& list);

// What a connector's metrics, as text, say of the breaker of an account. Nothing: they do not name it.
// `open` and `half_open` are the gauges' names.
std::optional<routing::BreakerState> breaker_in(std::string_view metrics, std::string_view open,
                                                std::string_view half_open, std::string_view account);

}  // namespace switchyard::cli
