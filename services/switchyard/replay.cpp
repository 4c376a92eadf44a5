#include "switchyard/replay.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "money/printable.hpp"

namespace switchyard::cli {
namespace {

constexpr std::size_t name_bytes_max = 64;

std::string amounts_text(const Tally& tally) {
  std::vector<std::string> amounts;
  amounts.reserve(tally.amounts_minor.size());
  for (const auto& [currency, minor] : tally.amounts_minor)
    amounts.push_back(Money(minor, currency).to_string());
  return fmt::format("{}", fmt::join(amounts, ", "));
}

std::string declines_text(const Tally& tally) {
  return fmt::format("{} declined softly, {} hard", tally.soft_declines, tally.hard_declines);
}

std::string payments(std::int64_t count) {
  return fmt::format("{} payment{}", count, count == 1 ? "" : "s");
}

}  // namespace

void Tally::add(Money amount) {
  auto& sum = amounts_minor[amount.currency()];
  const auto added = Money(sum, amount.currency()).add(amount);
  sum = added ? added->minor() : std::numeric_limits<std::int64_t>::max();
}

void Tally::add(const store::Attempt& attempt) {
  ++count;
  if (attempt.phase == payment::Phase::declined) {
    if (attempt.reason_kind == payment::ReasonKind::soft_decline) ++soft_declines;
    if (attempt.reason_kind == payment::ReasonKind::hard_decline) ++hard_declines;
  }
  add(attempt.amount);
}

void Tally::add(const Tally& other) {
  count += other.count;
  soft_declines += other.soft_declines;
  hard_declines += other.hard_declines;
  for (const auto& [currency, minor] : other.amounts_minor) add(Money(minor, currency));
}

Replay::Replay(const routing::Routes& routes)
    : routes_(routes), needs_metadata_(std::ranges::any_of(routes.rules, [](const routing::Rule& rule) {
        return !rule.when.metadata.empty();
      })) {}

void Replay::look_at(MerchantId merchant, store::Attempt attempt) {
  if (attempt.psp.empty()) {
    ++not_sent_;
    return;
  }
  ++count_;
  payment::Transaction transaction{
      .id = attempt.id, .merchant_id = merchant, .amount = attempt.amount, .created_at = attempt.created_at};
  if (needs_metadata_) transaction.metadata = std::move(attempt.metadata);
  transaction.payment_method = std::move(attempt.payment_method);
  const auto said = routing::choose(routes_, routing::asked_of(transaction), {});
  if (said && routes_.accounts[said->account].name == attempt.psp) return;
  tally_of({.from = attempt.psp,
            .to = said ? std::optional(said->account) : std::nullopt,
            .why_none = said ? routing::WhyNone{} : said.error().why})
      .add(attempt);
}

Tally& Replay::tally_of(Move move) {
  const auto found = moves_.find(move);
  if (found != moves_.end()) return found->second;
  if (moves_.size() >= moves_max) move.from.clear();
  return moves_[std::move(move)];
}

void Replay::add(const Replay& other) {
  count_ += other.count_;
  not_sent_ += other.not_sent_;
  unreadable_ += other.unreadable_;
  for (const auto& [move, tally] : other.moves_) tally_of(move).add(tally);
}

Tally Replay::moved() const {
  Tally all;
  for (const auto& [move, tally] : moves_) all.add(tally);
  return all;
}

std::vector<const std::pair<const Move, Tally>*> Replay::largest_first() const {
  std::vector<const std::pair<const Move, Tally>*> largest;
  largest.reserve(moves_.size());
  for (const auto& one : moves_) largest.push_back(&one);
  std::ranges::sort(largest, {}, [](const auto* one) {
    return std::tuple<std::int64_t, const Move&>(-one->second.count, one->first);
  });
  return largest;
}

std::string destination_text(const Move& move, const routing::Routes& routes) {
  return move.to ? routes.accounts[*move.to].name : fmt::format("nowhere: {}", to_string(move.why_none));
}

std::vector<std::string> replay_text(const Replay& replay) {
  std::vector<std::string> lines;
  const auto moved = replay.moved();
  lines.push_back(fmt::format("{} looked at, {} would go where they went", payments(replay.count()),
                              replay.count() - moved.count));
  if (replay.not_sent() > 0)
    lines.push_back(fmt::format("{} sent nowhere yet, left out", payments(replay.not_sent())));
  if (moved.count == 0) {
    lines.emplace_back("nothing would go elsewhere");
    return lines;
  }
  lines.push_back(
      fmt::format("{} would go elsewhere, of which {}", payments(moved.count), declines_text(moved)));
  for (const auto* one : replay.largest_first()) {
    const auto& [move, tally] = *one;
    lines.push_back(fmt::format("  {} -> {}: {}, {}; {}",
                                move.from.empty() ? "others" : printable(move.from, name_bytes_max),
                                destination_text(move, replay.routes()), payments(tally.count),
                                amounts_text(tally), declines_text(tally)));
  }
  return lines;
}

}  // namespace switchyard::cli
