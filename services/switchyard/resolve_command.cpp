// switchyard transaction resolve: a person ends the manual_review of an operation, in the store itself.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "core-api/transaction_json.hpp"
#include "http/json.hpp"
#include "money/card_number.hpp"
#include "money/printable.hpp"
#include "payment/state_machine.hpp"
#include "service/program.hpp"
#include "switchyard/command_line.hpp"
#include "switchyard/options.hpp"
#include "switchyard/stored_transaction.hpp"
#include "switchyard/transaction_client.hpp"
#include "switchyard/transaction_text.hpp"

namespace switchyard::cli {
namespace {

struct ResolveOptions {
  std::string id;
  std::int32_t operation = 0;
  bool succeeded = false;
  bool did_not_happen = false;
  std::string psp_reference;
  std::string note;
};

// What is kept of a text would otherwise not be what was typed.
std::string require_kept(const std::string& value) {
  if (contains_card_number(value)) return "must not hold a card number";
  if (printable(value) != value) {
    return fmt::format("must be UTF-8 of at most {} bytes without control characters", printable_bytes_max);
  }
  return require_text(value);
}

std::string require_psp_name(const std::string& value) {
  if (payment::is_psp_name(value)) return {};
  return "must be the PSP's own name for it: 1 to 255 visible ASCII characters, without spaces";
}

// Captures and refunds of a payment are asked for under the PSP's name of its authorization.
bool lacks_reference(const payment::Operation& operation, const ResolveOptions& options) {
  return options.succeeded && operation.kind == payment::Kind::authorize && operation.psp_reference.empty() &&
         options.psp_reference.empty();
}

// Of an operation that was left alone.
std::string why_not(const payment::State& state, const ResolveOptions& options) {
  const auto found = std::ranges::find(state.operations, options.operation, &payment::Operation::number);
  if (found == state.operations.end()) {
    return fmt::format("the transaction has no operation {}; it has {}", options.operation,
                       state.operations.size());
  }
  if (found->phase != payment::Phase::manual_review) {
    return fmt::format(
        "operation {} is {}; only one in manual_review is for a person{}", options.operation,
        payment::to_string(found->phase),
        found->phase == payment::Phase::succeeded
            ? ", and of this one the PSP's name can be corrected: --succeeded --psp-reference NAME"
            : "");
  }
  if (lacks_reference(*found, options)) {
    return "--psp-reference is needed: without the PSP's name for the payment nothing more can be asked of it";
  }
  const auto& transaction = state.transaction;
  const auto text = [&transaction](std::int64_t minor) {
    return Money(minor, transaction.amount.currency()).to_string();
  };
  return fmt::format(
      "the totals leave no room for it: {} of {}, where {} are authorized, {} held, {} captured and {} refunded",
      payment::to_string(found->kind), found->amount.to_string(), text(transaction.authorized_minor),
      text(transaction.held_minor), text(transaction.captured_minor), text(transaction.refunded_minor));
}

payment::State resolve_stored(OfflineStore& store, const ResolveOptions& options) {
  const payment::Resolution resolution{
      .succeeded = options.succeeded, .psp_reference = options.psp_reference, .note = options.note};
  const auto now = SystemClock().now();
  const auto decide = [&](payment::State state) -> std::expected<store::Decided, payment::Refusal> {
    const auto found = std::ranges::find(state.operations, options.operation, &payment::Operation::number);
    const bool may_be = found == state.operations.end() || !lacks_reference(*found, options);
    auto resolved = may_be ? payment::resolve(state, options.operation, resolution, now) : std::nullopt;
    const bool is_changed = resolved.has_value();
    store::Decided decided{.step = {is_changed ? std::move(*resolved) : std::move(state)},
                           .is_changed = is_changed};
    return decided;
  };
  const store::Work work = store::NamedWork{{find_stored(store, options.id)}};
  const auto taken = store.run([&](store::Store& s) { return s.take(work, decide); });
  if (const auto* error = std::get_if<Error>(&taken.at(0))) throw std::runtime_error(error->detail);
  const auto& decided = std::get<store::Decided>(taken.at(0));
  if (!decided.is_changed) throw std::runtime_error(why_not(decided.step.state, options));
  return decided.step.state;
}

int resolve(const Context& context, const ResolveOptions& options) {
  if (options.succeeded == options.did_not_happen) {
    throw ConfigError("--succeeded", "or --did-not-happen must be given, and only one of them",
                      "as the PSP's own book says");
  }
  OfflineStore store(context.environment, store::Opening::existing);
  const auto state = resolve_stored(store, options);
  tell_what_was_done(fmt::format("operation {} of transaction {} was ended as {}", options.operation,
                                 options.id, options.succeeded ? "succeeded" : "what did not happen"),
                     [&] { print_transaction(context, http::parse_json(core::to_json(state)).value()); });
  return service::exit_ok;
}

}  // namespace

void add_resolve_command(CLI::App& transaction, Context& context) {
  auto options = std::make_shared<ResolveOptions>();
  auto* command = transaction.add_subcommand(
      "resolve", "Say what became of an operation in manual_review, in the store of DATABASE_URL");
  add_transaction_id(*command, options->id);
  command
      ->add_option("--operation", options->operation,
                   "The operation's number; see: switchyard transaction why")
      ->required()
      ->check(whole_number(1, std::numeric_limits<std::int32_t>::max()));
  command->add_flag("--succeeded", options->succeeded, "The PSP did it: the totals are raised by it");
  command->add_flag("--did-not-happen", options->did_not_happen, "The PSP did not do it, and will not");
  command
      ->add_option("--psp-reference", options->psp_reference,
                   "What the PSP calls it (at Stripe pi_... or re_..., at Adyen its PSP reference); also to "
                   "correct that of one that succeeded")
      ->check(require_psp_name);
  command->add_option("--note", options->note, "How you know, for whoever asks later")
      ->required()
      ->check(require_kept);
  command->footer(
      "\nExample:\n  switchyard --env-file .env transaction resolve 01a203e7-cd8f-7925-813d-9190694d7e2c \\\n"
      "    --operation 1 --succeeded --psp-reference pi_17 --note 'seen in the PSP'\"'\"'s book, Dora'");
  command->callback(
      [&context, options] { context.action = [&context, options] { return resolve(context, *options); }; });
}

}  // namespace switchyard::cli
