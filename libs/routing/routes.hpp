// Accounts at PSPs, and the rules that choose among them: a routing file as plain data. parse.hpp makes one
// and holds what is said here; nothing changes it afterwards, so that threads share one without a lock.
#pragma once

#include <bitset>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/id.hpp"
#include "money/currency.hpp"
#include "routing/adapters.hpp"

namespace switchyard::routing {

inline constexpr std::size_t accounts_max = 100;
inline constexpr std::size_t rules_max = 1'000;
inline constexpr std::int64_t weight_max = 1'000'000;

// By their places in Routes::accounts: means something beside its own Routes only.
using AccountSet = std::bitset<accounts_max>;

struct Account {
  // The one that operations carry: 1 to 64 letters, digits, _ and -.
  std::string name;
  Adapter adapter = Adapter::simulator;
  // Names are those of setting_rows. What is a text there is one here, also names of variables and URLs.
  std::vector<std::pair<std::string_view, std::string>> texts{};
  std::vector<std::string_view> flags{};
  // Where it begins in the file; 0: in no file.
  std::uint32_t line = 0;

  // Empty, or false, where it is not given.
  std::string_view text(std::string_view setting) const;
  bool flag(std::string_view setting) const;

  // Wherever in the file it stands.
  bool is_same(const Account& other) const {
    return name == other.name && adapter == other.adapter && texts == other.texts && flags == other.flags;
  }
};

struct MetadataIs {
  std::string name;
  // One of them, sorted.
  std::vector<std::string> values;
};

// Since midnight, UTC: from <= time < to, or, where `to` is not later, all that is not to <= time < from.
struct TimeRange {
  std::chrono::minutes from{0};
  std::chrono::minutes to{0};
};

// All that is given must hold; what is empty does not ask.
struct When {
  // Sorted.
  std::vector<Currency> currencies{};
  // Both included, in minor units of whatever currency.
  std::optional<std::int64_t> amount_min{};
  std::optional<std::int64_t> amount_max{};
  // Sorted.
  std::vector<MerchantId> merchants{};
  // The merchant gave a payment_method for one of them at least.
  Adapters payment_methods{};
  // Bits are std::chrono::weekday::c_encoding(): 0 is Sunday.
  std::bitset<7> weekdays{};
  // In one of them.
  std::vector<TimeRange> times{};
  // Each of them.
  std::vector<MetadataIs> metadata{};

  bool takes_all() const;
};

struct Weighted {
  std::size_t account = 0;
  // 1 to weight_max.
  std::int64_t weight = 1;
};

struct Rule {
  // Empty where it has none.
  std::string name{};
  // From 1, in the order of the file, and where it begins there; line 0: in no file.
  std::size_t number = 1;
  std::uint32_t line = 1;
  When when{};
  // Not empty; no account stands twice in both together.
  std::vector<Weighted> psp{};
  std::vector<std::size_t> fallback{};

  // For people: "rule 'night'" or "rule 3".
  std::string label() const;
};

struct Routes {
  std::vector<Account> accounts;
  std::vector<Rule> rules;

  std::optional<std::size_t> find_account(std::string_view name) const;
};

// Where there is no routing file: everything goes to the simulated PSP of this process.
Routes only_simulator(std::string_view name = "simulator");

}  // namespace switchyard::routing
