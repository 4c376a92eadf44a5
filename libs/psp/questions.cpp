#include "psp/questions.hpp"

#include <string_view>
#include <utility>

#include "payment/psp_keys.hpp"

namespace switchyard::psp {
namespace {

using payment::KeyHold;
using payment::OutcomeUnknown;
using Question = std::expected<http::ClientRequest, OutcomeUnknown>;

Question not_called(std::string_view why) {
  return std::unexpected(OutcomeUnknown{std::string(why), false});
}

Question cannot_be_asked() {
  return not_called("the PSP cannot be asked for it");
}

// The machine asks only for what may have been sent.
Question ask_by_resending(const Protocol& protocol, const payment::Step& step, Timestamp now) {
  if (step.operation().request.empty()) {
    return not_called("the request would not be identical to the one that was sent");
  }
  const auto hold = hold_of_key(step.operation(), protocol.capabilities().key_held_for, now);
  if (hold == KeyHold::holds) return protocol.send(step);
  return not_called(hold == KeyHold::ended ? "the PSP can be asked only while it keeps the key, which is over"
                                           : "by this machine's clock it is yet to be sent");
}

struct AsFound {
  // Of the second sending, which says nothing about the first.
  payment::Found operator()(payment::Rejected rejected) const {
    return OutcomeUnknown{std::move(rejected.reason)};
  }
  payment::Found operator()(auto answer) const { return answer; }
};

}  // namespace

Question question_of(const Protocol& protocol, const payment::Step& step, Timestamp now) {
  const auto can = protocol.capabilities().look_up;
  if (can == LookUp::by_resend) return ask_by_resending(protocol, step, now);
  if (can == LookUp::none) return cannot_be_asked();
  auto question = protocol.look_up(step, now);
  return question ? Question(std::move(*question)) : cannot_be_asked();
}

payment::Found read_reply(const Protocol& protocol, const payment::Step& step,
                          const http::ClientRequest& question, const http::CallResult& result) {
  if (protocol.capabilities().look_up == LookUp::by_resend) {
    return std::visit(AsFound{}, protocol.read(step, result));
  }
  return protocol.read_look_up(step, question, result);
}

}  // namespace switchyard::psp
