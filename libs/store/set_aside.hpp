// Rows that this program cannot work with: written by a newer version, by hand, or damaged.
//
// Such a row stops nobody else. A claim puts it off and goes on; lists leave it out; asked for by its id, it
// is said to be set aside. It is changed in nothing else, so that the program that wrote it, or a person who
// repairs it, finds it as it was.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "base/id.hpp"
#include "payment/state_machine.hpp"

namespace switchyard::store {

// What a row holds, or why this program cannot work with it.
template <class T>
using Readable = std::expected<T, std::string>;

// A transaction, or a state, itself if nothing is wrong with it.
template <class T>
Readable<T> sound(T value) {
  if (const auto why = payment::why_broken(value)) return std::unexpected(std::string(*why));
  return value;
}

// How long a claim puts off what it cannot read.
inline constexpr std::chrono::seconds set_aside_time{60};
// How many of them one claim passes over: in SQLite it holds up the commits of merchants.
inline constexpr std::size_t passed_over_max = 1'000;

// Which rows were met lately. Safe to use from any thread.
class SetAside {
 public:
  struct Report {
    std::size_t count = 0;
    // "<row>: <why>" of one of them.
    std::string example;

    // For health; empty if there are none.
    std::string text() const;
  };

  // `row`: how a person finds it.
  void note(std::string row, std::string why);
  void note(TransactionId id, std::string why) { note(id.value.to_string(), std::move(why)); }
  void note_event(std::string_view account, std::string_view event, std::string why);
  // What was found, if it can be read. Else what somebody is told who asked for it: not_found, or set_aside,
  // and the row is noted.
  Result<payment::State> readable(TransactionId id, std::optional<Readable<payment::State>>&& found);
  Report report() const;

 private:
  struct Seen {
    std::string why;
    std::chrono::steady_clock::time_point at;
  };

  mutable std::mutex mutex_;
  std::map<std::string, Seen> rows_;
};

}  // namespace switchyard::store
