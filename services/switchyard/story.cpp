#include "switchyard/story.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "money/printable.hpp"
#include "switchyard/times.hpp"

namespace switchyard::cli {
namespace {

using payment::Kind;
using payment::Operation;
using payment::Phase;
using payment::ReasonKind;
using payment::State;
using payment::Transaction;

std::string times(std::int32_t count) {
  return count == 1 ? "once" : fmt::format("{} times", count);
}

std::string_view words_of(ReasonKind kind) {
  switch (kind) {
    case ReasonKind::soft_decline:
      return "soft decline: the issuer may say yes another time";
    case ReasonKind::hard_decline:
      return "hard decline: the issuer, or the PSP, will not say yes";
    case ReasonKind::customer_action:
      return "the customer must act, or did not";
    case ReasonKind::configuration:
      return "the PSP does not take what we send";
    case ReasonKind::none:
    case ReasonKind::unknown:
      break;
  }
  return {};
}

std::string words_of(const payment::Reason& reason) {
  std::string words = printable(reason.message);
  if (!reason.code.empty()) {
    words += fmt::format("{}code {}", words.empty() ? "" : ", ", printable(reason.code));
  }
  if (const auto kind = words_of(reason.kind); !kind.empty()) {
    words += fmt::format("{}{}", words.empty() ? "" : "; ", kind);
  }
  return words;
}

// When something is due that a connector does.
std::string when(Timestamp due, Timestamp now) {
  if (due > now) return "at " + time_text(due);
  return fmt::format(
      "now: it has been due since {}; if that lasts, no connector is at work, see: switchyard doctor",
      time_text(due));
}

std::string money_text(std::int64_t minor, const Transaction& transaction) {
  return Money(minor, transaction.amount.currency()).to_string();
}

// What it did to the money.
std::string effect_of(const Operation& operation, const Transaction& transaction) {
  const auto amount = operation.amount.to_string();
  switch (operation.kind) {
    case Kind::authorize:
      if (transaction.capture_method == payment::CaptureMethod::automatic) return amount + " was taken";
      if (transaction.held_minor == operation.amount.minor()) return amount + " is held, and can be captured";
      return amount + " was held" +
             (transaction.held_minor > 0
                  ? fmt::format(", and {} of it still is", money_text(transaction.held_minor, transaction))
                  : "");
    case Kind::capture:
      return amount + " of the hold was taken" +
             (operation.is_final ? ", and the rest of the hold was released"
                                 : "; the rest of the hold stays");
    case Kind::void_:
      return "what was held was given back";
    case Kind::refund:
      return amount + " was given back";
  }
  return {};
}

std::string rule_of_review(const Operation& operation) {
  if (operation.taken_back) {
    return "the PSP said that it succeeded and took that back; the totals are without it, and a person decides";
  }
  if (payment::is_booked(operation)) {
    return "the PSP said that it succeeded, and has said something since that does not go with it: a person decides";
  }
  return "nobody but a person can find out what became of it, so nothing is sent or asked any more";
}

std::string rule_of(const Operation& operation, const Transaction& transaction) {
  switch (operation.phase) {
    case Phase::requested:
      return operation.sends == 0 ? "it is on disk before it is sent"
                                  : "what provably did not arrive is sent again, under the same key";
    case Phase::sent:
      return "whoever sent it has until the end of the lease to save the answer; after that the PSP is asked what "
             "became of it before anything is sent again";
    case Phase::unknown:
      return "nobody knows whether the PSP did it, so that PSP is asked and no other; only if it knows nothing of "
             "it is the same request sent again, under the same key";
    case Phase::pending:
      return "the PSP took it and says later what came of it";
    case Phase::action_required:
      return "the PSP waits for the customer";
    case Phase::succeeded:
      return "it is over: " + effect_of(operation, transaction);
    case Phase::declined:
      return "it is over: a decline is a result, and is not tried again";
    case Phase::rejected:
      if (operation.sends == 0) return "it is over: its PSP cannot be asked for that, and nothing was sent";
      return "it is over: the PSP refused it for good before it did anything, and would refuse it again; what is "
             "sent, or how it is set up, must be mended";
    case Phase::failed:
      return "it is over: it did not happen";
    case Phase::manual_review:
      return rule_of_review(operation);
  }
  return {};
}

// Which one must be over before this one has its turn.
std::string whom_it_waits_for(const State& state, const Operation& waiting) {
  for (const auto& other : state.operations) {
    const bool is_before = other.phase == Phase::requested && other.number < waiting.number;
    if (payment::is_unresolved(other.phase) || is_before) return fmt::format("operation {}", other.number);
  }
  return "another operation";
}

std::string ask_the_psp(const Operation& operation, Timestamp now) {
  return operation.due_at ? "a connector asks the PSP " + when(*operation.due_at, now) : "nothing is due";
}

std::string next_of(const State& state, const Operation& operation, Timestamp now) {
  switch (operation.phase) {
    case Phase::requested:
      if (!operation.due_at) return "it waits until " + whom_it_waits_for(state, operation) + " is resolved";
      return fmt::format("a connector sends it {}{}", operation.sends > 0 ? "again " : "",
                         when(*operation.due_at, now));
    case Phase::sent:
      if (!operation.due_at) return "nothing is due";
      return fmt::format("the answer is saved, or the lease ends {}", when(*operation.due_at, now));
    case Phase::unknown:
    case Phase::pending:
    case Phase::action_required:
      return ask_the_psp(operation, now);
    case Phase::manual_review:
      return fmt::format(
          "a person looks at what the PSP has, and says so: switchyard transaction resolve {} --operation {} "
          "(--succeeded | --did-not-happen) --note TEXT",
          state.transaction.id.value.to_string(), operation.number);
    case Phase::succeeded:
    case Phase::declined:
    case Phase::rejected:
    case Phase::failed:
      break;
  }
  return {};
}

class Story {
 public:
  void at(Timestamp time, std::string_view text) { add(time_text(time), text); }
  void say(std::string_view text) { add("", text); }
  void say(std::string_view what, std::string_view text) {
    if (!text.empty()) say(fmt::format("{}: {}", what, text));
  }
  void title(std::string text) { lines_.push_back(std::move(text)); }

  std::vector<std::string> take() { return std::move(lines_); }

 private:
  void add(std::string_view time, std::string_view text) {
    constexpr std::size_t time_width = 24;
    lines_.push_back(fmt::format("  {:<{}}  {}", time, time_width, text));
  }

  std::vector<std::string> lines_;
};

void tell_sending(Story& story, const Operation& operation) {
  if (operation.sent_at) {
    story.at(*operation.sent_at,
             fmt::format("first sent to {}", operation.psp.empty() ? "a PSP" : printable(operation.psp)));
  }
  if (operation.sends > 0) story.say(fmt::format("sent {} in all", times(operation.sends)));
  if (operation.look_ups > 0) story.say("looked up at the PSP", times(operation.look_ups));
  story.say("its key at the PSP", operation.idempotency_key);
  story.say("the PSP calls it", operation.psp_reference);
  story.say("what was said of it", words_of(operation.reason));
}

void tell(Story& story, const State& state, const Operation& operation, Timestamp now) {
  story.title(fmt::format("Operation {}: {} of {}, {}", operation.number, payment::to_string(operation.kind),
                          operation.amount.to_string(), payment::to_string(operation.phase)));
  story.at(operation.requested_at, "asked for");
  story.say("the merchant's reference", printable(operation.reference));
  tell_sending(story, operation);
  if (operation.ended_at) story.at(*operation.ended_at, "its outcome was known");
  story.say("the merchant's reason", printable(operation.note));
  story.say("a person ended it", printable(operation.resolution));
  story.say("rule", rule_of(operation, state.transaction));
  story.say("next", next_of(state, operation, now));
}

void tell_beginning(Story& story, const Transaction& transaction, std::string_view merchant) {
  story.title(fmt::format("Transaction {}: {}, {}", transaction.id.value.to_string(),
                          transaction.amount.to_string(), payment::to_string(transaction.status)));
  story.at(transaction.created_at, fmt::format("accepted from {}, {}", printable(merchant),
                                               transaction.capture_method == payment::CaptureMethod::manual
                                                   ? "to be held until it is captured"
                                                   : "to be captured at once"));
  story.say("the merchant's reference", printable(transaction.reference));
  story.say("a PSP knows it as", payment::psp_reference(transaction));
}

void tell_end(Story& story, const State& state, Timestamp now) {
  const auto& transaction = state.transaction;
  story.title("Now");
  story.say(fmt::format("authorized {}, held {}, captured {}, refunded {}",
                        money_text(transaction.authorized_minor, transaction),
                        money_text(transaction.held_minor, transaction),
                        money_text(transaction.captured_minor, transaction),
                        money_text(transaction.refunded_minor, transaction)));
  if (state.operations.empty() && transaction.next_action_at) {
    return story.say("next", "nothing was sent to a PSP yet; a connector takes it " +
                                 when(*transaction.next_action_at, now));
  }
  if (transaction.next_action_at) {
    return story.say("next", "a connector looks at it " + when(*transaction.next_action_at, now));
  }
  const bool is_over =
      transaction.held_minor == 0 && transaction.captured_minor == transaction.refunded_minor;
  story.say("next", transaction.status == payment::Status::manual_review ? "nothing, until a person decides"
                    : is_over                                            ? "nothing: it is over"
                              : "nothing, unless the merchant asks for an operation");
}

}  // namespace

std::vector<std::string> tell_story(const State& state, std::string_view merchant, Timestamp now) {
  Story story;
  tell_beginning(story, state.transaction, merchant);
  for (const auto& operation : state.operations) tell(story, state, operation, now);
  tell_end(story, state, now);
  return story.take();
}

}  // namespace switchyard::cli
