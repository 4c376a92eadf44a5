#include "psp/stripe/look_ups.hpp"

#include <algorithm>
#include <expected>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "base/assert.hpp"
#include "http/json.hpp"
#include "http/query.hpp"
#include "payment/psp_keys.hpp"
#include "psp/stripe/answers.hpp"
#include "psp/stripe/objects.hpp"
#include "psp/stripe/outcomes.hpp"
#include "psp/stripe/requests.hpp"

namespace switchyard::psp::stripe {
namespace {

using payment::Contradicted;
using payment::Found;
using payment::Kind;
using payment::NotSent;
using payment::OutcomeUnknown;

// So often the same request goes out again before another question is asked in between.
constexpr std::int32_t resends_first = 4;

// A page must fit into the answer that the client takes (http/async_client.hpp): a payment is 2 to 4 KB, a
// refund 1 KB. Stripe gives 100 at most.
constexpr int payments_a_page = 50;
constexpr int refunds_a_page = 100;

// Around the time at which it was first sent: clocks differ, and it was sent again for a while.
constexpr std::chrono::minutes listed_before{5};
constexpr std::chrono::minutes listed_after{30};

constexpr std::string_view payments_path = "/v1/payment_intents";
constexpr std::string_view refunds_path = "/v1/refunds";

// Also of a payment whose name an event has told: only the answer to the request says why it was refused.
bool is_turn_to_send_again(const payment::Operation& operation) {
  const bool is_odd = operation.look_ups % 2 == 1;
  if (!operation.psp_reference.empty()) return operation.kind == Kind::authorize && is_odd;
  return operation.look_ups < resends_first || is_odd;
}

std::optional<Question> question_by_reading(const payment::Step& step) {
  const auto& operation = step.operation();
  const bool is_named = is_id(operation.psp_reference);
  switch (operation.kind) {
    case Kind::authorize:
      if (is_named) return Question::payment;
      // In turn, whether or not they stand between two sendings.
      return operation.look_ups / 2 % 2 == 0 ? Question::list : Question::search;
    case Kind::capture:
    case Kind::void_:
      if (!is_id(payment_id_of(step.state))) return std::nullopt;
      return Question::payment;
    case Kind::refund:
      if (is_named) return Question::refund;
      if (!is_id(payment_id_of(step.state))) return std::nullopt;
      return Question::refunds;
  }
  SWITCHYARD_ASSERT(false);
}

std::string list_target(const payment::Step& step) {
  using std::chrono::floor;
  using std::chrono::seconds;
  const auto sent_at = floor<seconds>(step.operation().sent_at.value_or(step.operation().requested_at));
  return fmt::format("{}?created%5Bgte%5D={}&created%5Blte%5D={}&limit={}", payments_path,
                     (sent_at - listed_before).time_since_epoch().count(),
                     (sent_at + listed_after).time_since_epoch().count(), payments_a_page);
}

// Keys are made of letters, digits and hyphens (payment/psp_keys.hpp): none ends the quotes.
std::string search_target(const payment::Step& step) {
  const auto query = fmt::format("metadata['{}']:'{}'", key_name, step.operation().idempotency_key);
  return fmt::format("{}/search?query={}&limit={}", payments_path, http::percent_encoded(query),
                     payments_a_page);
}

OutcomeUnknown not_shown(bool has_more, std::string_view what) {
  return {fmt::format("Stripe shows no {} under our key{}", what,
                      has_more ? ", and only a part of what it has" : "")};
}

// The one under our key; of two nobody knows which one is meant.
template <class Object>
std::expected<const Object*, Contradicted> find_ours(const std::vector<Object>& objects, std::string_view key,
                                                     std::string_view what) {
  const Object* ours = nullptr;
  for (const auto& object : objects) {
    if (object.key != key) continue;
    if (ours != nullptr && ours->id != object.id) {
      return std::unexpected(Contradicted{fmt::format("Stripe shows two {}s of one key", what), object.id});
    }
    ours = &object;
  }
  return ours;
}

Found believe_list(const std::optional<List<Intent>>& list, const payment::Step& step) {
  if (!list) return OutcomeUnknown{"Stripe's list cannot be read"};
  const auto& key = step.operation().idempotency_key;
  const auto reference = psp_reference(step.state.transaction);
  const auto ours = find_ours(list->items, key, "payment");
  if (!ours) return ours.error();
  for (const auto& intent : list->items) {
    // Sending again, or booking ours, would be one more.
    if (intent.reference != reference || intent.key == key || !may_have_money(intent)) continue;
    return Contradicted{fmt::format("Stripe shows a payment of ours that is {} under another key, {}",
                                    intent.status, intent.key),
                        intent.id};
  }
  if (*ours == nullptr) return not_shown(list->has_more, "payment");
  return believe(**ours, step, Told::when_read);
}

Found believe_list(const std::optional<List<Refund>>& list, const payment::Step& step) {
  if (!list) return OutcomeUnknown{"Stripe's list cannot be read"};
  const auto ours = find_ours(list->items, step.operation().idempotency_key, "refund");
  if (!ours) return ours.error();
  if (*ours == nullptr) return not_shown(list->has_more, "refund");
  return believe(**ours, step);
}

}  // namespace

Found found_of(payment::Answer answer) {
  return std::visit(
      []<class What>(What& what) -> Found {
        if constexpr (std::is_same_v<What, payment::Rejected>) {
          return OutcomeUnknown{std::move(what.reason)};
        } else {
          return std::move(what);
        }
      },
      answer);
}

std::optional<Question> choose_question(const payment::Step& step, Timestamp now) {
  const auto& operation = step.operation();
  const bool may_send = !waits_for_psp(operation.phase) && may_be_resent(operation, key_held_for, now);
  if (may_send && is_turn_to_send_again(operation)) return Question::again;
  return question_by_reading(step);
}

std::string target_of(Question question, const payment::Step& step) {
  const auto& operation = step.operation();
  const auto name = http::percent_encoded(operation.psp_reference);
  const auto payment_id = http::percent_encoded(payment_id_of(step.state));
  switch (question) {
    case Question::again:
      break;
    case Question::payment:
      return fmt::format("{}/{}", payments_path, operation.kind == Kind::authorize ? name : payment_id);
    case Question::refund:
      return fmt::format("{}/{}", refunds_path, name);
    case Question::refunds:
      return fmt::format("{}?payment_intent={}&limit={}", refunds_path, payment_id, refunds_a_page);
    case Question::list:
      return list_target(step);
    case Question::search:
      return search_target(step);
  }
  SWITCHYARD_ASSERT(false);
}

Question question_in(const http::ClientRequest& asked, std::string_view base_url) {
  if (asked.method == "POST") return Question::again;
  const auto target = std::string_view(asked.url).substr(std::min(base_url.size(), asked.url.size()));
  const auto is_below = [target](std::string_view path, std::string_view next) {
    return target.starts_with(path) && target.substr(path.size()).starts_with(next);
  };
  if (is_below(refunds_path, "?")) return Question::refunds;
  if (is_below(refunds_path, "/")) return Question::refund;
  if (is_below(payments_path, "?")) return Question::list;
  return is_below(payments_path, "/search?") ? Question::search : Question::payment;
}

Found read_look_up_answer(const payment::Step& step, Question asked, const http::CallResult& result) {
  if (asked == Question::again) return found_of(read_answer(step, result));
  if (!result) {
    if (!result.error().perhaps_sent) return NotSent{result.error().reason};
    return OutcomeUnknown{result.error().reason};
  }
  if (result->status != 200) return OutcomeUnknown{reason_of_status(result->status, result->body)};
  const auto value = http::parse_json(result->body);
  if (!value || !value->is_object()) return OutcomeUnknown{"Stripe's answer cannot be read"};
  const auto& body = value->get_object();
  if (asked == Question::list || asked == Question::search) return believe_list(read_intents(body), step);
  if (asked == Question::refunds) return believe_list(read_refunds(body), step);
  if (asked == Question::refund) {
    if (const auto refund = read_refund(body)) return believe(*refund, step);
  } else if (const auto intent = read_intent(body)) {
    return believe(*intent, step, Told::when_read);
  }
  return OutcomeUnknown{"Stripe's answer cannot be read"};
}

}  // namespace switchyard::psp::stripe
