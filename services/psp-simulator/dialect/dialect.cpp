#include "psp-simulator/dialect/dialect.hpp"

#include <fmt/format.h>

#include "payment/fingerprint.hpp"

namespace switchyard::psp_simulator {
namespace {

using psp::simulator::Answer;
using psp::simulator::Behaviour;

// The key counts for the whole account: the same one for another address is another request.
std::string fingerprint_of(const Asked& asked) {
  return payment::fingerprint(fmt::format("{}\n{}\n{}", asked.pattern, asked.parameter, asked.body));
}

Reply replayed(const Dialect& dialect, const KeptAnswer& kept, const Asked& asked, Timestamp now) {
  if (kept.fingerprint != fingerprint_of(asked)) return dialect.key_with_another_request();
  if (kept.running_until > now) return dialect.broken(Answer::in_use);
  Reply reply{.status = kept.status, .body = kept.body};
  dialect.mark(reply, asked, true);
  return reply;
}

void keep(Session& session, const Dialect& dialect, const Asked& asked, const Reply& reply) {
  const bool is_error_kept = reply.behaviour && reply.behaviour->answer == Answer::error_kept;
  if (!reply.is_kept && !is_error_kept) return;
  KeptAnswer kept{.fingerprint = fingerprint_of(asked), .status = reply.status, .body = reply.body};
  if (is_error_kept) {
    const auto error = dialect.broken(Answer::error_kept);
    kept.status = error.status;
    kept.body = error.body;
  }
  const bool is_late = reply.behaviour && reply.behaviour->answer == Answer::late;
  kept.running_until = is_late ? session.now + reply.behaviour->delay : Timestamp();
  session.rows.keep(asked.key, kept, session.now);
}

}  // namespace

Behaviour behaviour_for(Session& session, payment::Kind kind, std::string_view reference,
                        std::optional<Behaviour> by_test_value, std::int64_t amount_minor) {
  if (auto by_rule = session.script.by_rule(kind, reference)) return *by_rule;
  if (by_test_value) return *by_test_value;
  return by_amount(kind, amount_minor);
}

void send_event(Session& session, payment::Kind about, std::string_view reference, std::string_view body) {
  if (!session.sends_events) return;
  const auto fault = session.script.of_event(about, reference);
  if (fault.what == EventFault::lost) return;
  const bool is_late = fault.what == EventFault::late || fault.what == EventFault::reordered;
  const auto due_at = is_late ? session.now + fault.delay : session.now;
  session.rows.add_event(body, due_at, fault.what == EventFault::reordered);
  if (fault.what == EventFault::doubled) session.rows.add_event(body, due_at, false);
}

Reply answer_once(Session& session, const Dialect& dialect, EndpointHandler handler, const Asked& asked) {
  session.ledger.let_time_pass(session.now);
  dialect.settle(session);
  const bool has_key = !asked.key.empty() && asked.method == http::Method::post;
  if (has_key) {
    const auto kept = session.rows.find_answer(asked.key, session.now - dialect.key_held_for());
    if (kept) return replayed(dialect, *kept, asked, session.now);
  }
  auto reply = handler(session, asked);
  if (has_key) keep(session, dialect, asked, reply);
  dialect.mark(reply, asked, false);
  return reply;
}

}  // namespace switchyard::psp_simulator
