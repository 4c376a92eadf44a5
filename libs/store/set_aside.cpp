#include "store/set_aside.hpp"

#include <utility>

#include <fmt/format.h>

namespace switchyard::store {
namespace {

using std::chrono::steady_clock;

// What is due is met again within set_aside_time, as long as somebody claims.
constexpr auto remembered_for = 3 * set_aside_time;
constexpr std::size_t rows_max = 10'000;

}  // namespace

void SetAside::note(std::string row, std::string why) {
  const auto oldest = steady_clock::now() - remembered_for;
  const std::lock_guard lock(mutex_);
  if (rows_.size() >= rows_max) {
    std::erase_if(rows_, [oldest](const auto& entry) { return entry.second.at < oldest; });
  }
  if (rows_.size() >= rows_max && !rows_.contains(row)) return;
  rows_.insert_or_assign(std::move(row), Seen{std::move(why), steady_clock::now()});
}

void SetAside::note_event(std::string_view account, std::string_view event, std::string why) {
  note(fmt::format("event {} of {}", event, account), std::move(why));
}

Result<payment::State> SetAside::readable(TransactionId id, std::optional<Readable<payment::State>>&& found) {
  if (!found) return fail(ErrorCode::not_found, "there is no transaction with this id");
  if (*found) return std::move(**found);
  const auto& why = found->error();
  note(id, why);
  return fail(ErrorCode::set_aside, fmt::format("it cannot be read and was set aside for a person: {}", why));
}

SetAside::Report SetAside::report() const {
  const auto oldest = steady_clock::now() - remembered_for;
  const std::lock_guard lock(mutex_);
  Report report;
  for (const auto& [row, seen] : rows_) {
    if (seen.at < oldest) continue;
    ++report.count;
    if (report.example.empty()) report.example = fmt::format("{}: {}", row, seen.why);
  }
  return report;
}

std::string SetAside::Report::text() const {
  return count == 0 ? "" : fmt::format("{} that cannot be read, such as {}", count, example);
}

}  // namespace switchyard::store
