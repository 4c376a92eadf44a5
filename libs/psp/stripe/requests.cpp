#include "psp/stripe/requests.hpp"

#include <iterator>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "http/query.hpp"
#include "psp/stripe/amounts.hpp"
#include "psp/stripe/objects.hpp"
#include "psp/stripe/payment_method.hpp"

namespace switchyard::psp::stripe {
namespace {

using Encoded = std::expected<std::string, payment::Rejected>;

class Form {
 public:
  Form& add(std::string_view name, std::string_view value) {
    fmt::format_to(std::back_inserter(text_), "{}{}={}", text_.empty() ? "" : "&", name,
                   http::percent_encoded(value));
    return *this;
  }
  Form& add_metadata(std::string_view name, std::string_view value) {
    return add(fmt::format("metadata[{}]", name), value);
  }
  Form& add_amount(std::string_view name, const Amount& amount) {
    return add(name, std::to_string(amount.value));
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::unexpected<payment::Rejected> refuse_request(std::string reason) {
  return std::unexpected(payment::Rejected{std::move(reason)});
}

Encoded encode_authorization(const payment::State& state, const payment::Operation& operation,
                             const Amount& amount) {
  const auto& transaction = state.transaction;
  const auto method = read_payment_method(transaction.payment_method);
  if (!method) return std::unexpected(method.error());
  if (method->off_session && !transaction.return_url.empty()) {
    return refuse_request("a customer who is not there (off_session) cannot be sent to a return_url");
  }
  Form form;
  form.add_amount("amount", amount)
      .add("currency", amount.currency)
      .add("confirm", "true")
      // Always said: Stripe's default is another one (automatic_async).
      .add("capture_method", payment::to_string(transaction.capture_method))
      .add("payment_method", method->id)
      // Otherwise Stripe asks for a return_url whenever the account allows a way to pay that needs one.
      .add("payment_method_types[]", "card");
  if (!method->customer.empty()) form.add("customer", method->customer);
  if (method->off_session) form.add("off_session", "true");
  if (transaction.return_url.empty()) {
    form.add("error_on_requires_action", "true");
  } else {
    form.add("return_url", transaction.return_url);
  }
  form.add_metadata(reference_name, psp_reference(transaction))
      .add_metadata(key_name, operation.idempotency_key);
  return form.take();
}

Encoded encode_capture(const payment::State& state, const payment::Operation& operation,
                       const Amount& amount) {
  const auto& transaction = state.transaction;
  // Stripe documentation, "Capture a payment multiple times": a feature that few accounts have. Without it
  // the first capture releases the rest, whatever is asked for.
  if (transaction.captured_minor > 0) {
    return refuse_request("Stripe captures a hold once, and it was captured before");
  }
  if (!operation.is_final && operation.amount.minor() < transaction.held_minor) {
    return refuse_request("Stripe captures a hold once and releases the rest: ask with \"final\": true");
  }
  return Form()
      .add_amount("amount_to_capture", amount)
      .add_metadata(reference_name, psp_reference(transaction))
      .add_metadata(capture_key_name, operation.idempotency_key)
      .take();
}

Encoded encode_refund(const payment::State& state, const payment::Operation& operation,
                      const Amount& amount) {
  // No reason is given: "fraudulent" would put the customer on a block list.
  return Form()
      .add("payment_intent", payment_id_of(state))
      .add_amount("amount", amount)
      .add_metadata(reference_name, psp_reference(state.transaction))
      .add_metadata(key_name, operation.idempotency_key)
      .take();
}

}  // namespace

Encoded encode(const payment::State& state, const payment::Operation& operation) {
  const auto amount = to_stripe(operation.amount);
  if (!amount) return std::unexpected(amount.error());
  if (operation.kind != payment::Kind::authorize && !is_id(payment_id_of(state))) {
    return refuse_request("it is not known what Stripe calls the payment");
  }
  switch (operation.kind) {
    case payment::Kind::authorize:
      return encode_authorization(state, operation, *amount);
    case payment::Kind::capture:
      return encode_capture(state, operation, *amount);
    case payment::Kind::void_:
      // Never empty: an empty request is one that nobody wrote down.
      return Form().add("cancellation_reason", "requested_by_customer").take();
    case payment::Kind::refund:
      return encode_refund(state, operation, *amount);
  }
  SWITCHYARD_ASSERT(false);
}

std::string end_path_of(const payment::Step& step) {
  return fmt::format("/v1/payment_intents/{}/cancel", http::percent_encoded(step.operation().psp_reference));
}

std::string path_of(const payment::Step& step) {
  const auto below_payment = [&step](std::string_view what) {
    return fmt::format("/v1/payment_intents/{}/{}", http::percent_encoded(payment_id_of(step.state)), what);
  };
  switch (step.operation().kind) {
    case payment::Kind::authorize:
      return "/v1/payment_intents";
    case payment::Kind::capture:
      return below_payment("capture");
    case payment::Kind::void_:
      return below_payment("cancel");
    case payment::Kind::refund:
      return "/v1/refunds";
  }
  SWITCHYARD_ASSERT(false);
}

std::string payment_id_of(const payment::State& state) {
  const auto* authorization = payment::find_authorization(state);
  return authorization == nullptr ? std::string() : authorization->psp_reference;
}

}  // namespace switchyard::psp::stripe
