// What would have gone elsewhere, had these rules been there. Pure; what is counted takes no more memory for
// more payments.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "money/money.hpp"
#include "routing/choose.hpp"
#include "store/attempts.hpp"

namespace switchyard::cli {

// From an account, as it is stored, to one of the file's, or to none, and why.
struct Move {
  std::string from;
  std::optional<std::size_t> to{};
  routing::WhyNone why_none{};

  friend auto operator<=>(const Move&, const Move&) = default;
};

// Of payments, with what came of them where they were sent first.
struct Tally {
  std::int64_t count = 0;
  std::int64_t soft_declines = 0;
  std::int64_t hard_declines = 0;
  // In minor units. What does not fit 64 bits counts as the most that does.
  std::map<Currency, std::int64_t> amounts_minor{};

  void add(Money amount);
  void add(const store::Attempt& attempt);
  void add(const Tally& other);
};

class Replay {
 public:
  // More accounts than this are stored under names that no routing file had: they count as one, without name.
  static constexpr std::size_t moves_max = 10'000;

  // `routes` must outlive it.
  explicit Replay(const routing::Routes& routes);

  // Every account is taken for available.
  void look_at(MerchantId merchant, store::Attempt attempt);
  void count_unreadable(std::int64_t rows) { unreadable_ += rows; }
  // What another has looked at.
  void add(const Replay& other);

  // That were sent.
  std::int64_t count() const { return count_; }
  std::int64_t not_sent() const { return not_sent_; }
  std::int64_t unreadable() const { return unreadable_; }
  Tally moved() const;
  const std::map<Move, Tally>& moves() const { return moves_; }
  // Those with the most payments first.
  std::vector<const std::pair<const Move, Tally>*> largest_first() const;

  const routing::Routes& routes() const { return routes_; }

 private:
  Tally& tally_of(Move move);

  const routing::Routes& routes_;
  // Whether a rule asks for it: otherwise it is not looked at.
  const bool needs_metadata_;
  std::int64_t count_ = 0;
  std::int64_t not_sent_ = 0;
  std::int64_t unreadable_ = 0;
  std::map<Move, Tally> moves_;
};

// "nowhere: no rule matches"
std::string destination_text(const Move& move, const routing::Routes& routes);

// For people.
std::vector<std::string> replay_text(const Replay& replay);

}  // namespace switchyard::cli
