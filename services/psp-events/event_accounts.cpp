#include "psp-events/event_accounts.hpp"

#include <utility>

#include <fmt/format.h>

#include "payment/names.hpp"
#include "psp-events/make_webhook.hpp"

namespace switchyard::events {
namespace {

constexpr payment::Names<Result, result_count> result_names{{
    {Result::stored, "stored"},
    {Result::refused_signature, "refused_signature"},
    {Result::unreadable, "unreadable"},
    {Result::too_large, "too_large"},
    {Result::too_many, "too_many"},
    {Result::not_stored, "not_stored"},
    {Result::takes_none, "takes_none"},
    {Result::unknown_account, "unknown_account"},
}};

// What can become of a request for it: a series each.
bool is_possible(Result result, bool is_account, bool takes_events) {
  if (!is_account) return result == Result::unknown_account;
  if (!takes_events) return result == Result::takes_none;
  return result != Result::unknown_account && result != Result::takes_none;
}

}  // namespace

std::string_view to_string(Result result) {
  return payment::name_of(result_names, result);
}

EventAccount::EventAccount(std::string name, std::unique_ptr<const psp::Webhook> webhook,
                           telemetry::Metrics& metrics, Log& log)
    : name_(std::move(name)), webhook_(std::move(webhook)), lines_(log, "refused requests of PSPs") {
  for (std::size_t i = 0; i < result_count; ++i) {
    const auto result = static_cast<Result>(i);
    if (!is_possible(result, !name_.empty(), webhook_ != nullptr)) continue;
    counts_[i] = &metrics.counter("switchyard_psp_events_total",
                                  "Requests of PSPs' webhooks, by account and what became of them.",
                                  {{"account", name_}, {"result", std::string(to_string(result))}});
  }
}

EventAccount::Turn EventAccount::enter() {
  if (at_once_.fetch_add(1) < at_once_max) return Turn(this);
  --at_once_;
  return nullptr;
}

EventAccounts::EventAccounts(const std::string& routing_file, Environment environment,
                             telemetry::Metrics& metrics, Log& log)
    : environment_(std::move(environment)),
      metrics_(metrics),
      log_(log),
      nobody_(std::make_shared<EventAccount>(std::string(), nullptr, metrics, log)) {
  if (routing_file.empty()) return;
  file_.emplace(routing_file);
  all_ = made_of(file_->read_first());
  refused_ = &metrics.gauge("switchyard_psp_events_routing_file_refused",
                            "Whether the routing file cannot be followed, and PSPs' events are taken for the "
                            "accounts from before.");
}

EventAccounts::All EventAccounts::made_of(const routing::Routes& routes) const {
  All all;
  for (const auto& account : routes.accounts) {
    all.emplace(account.name, std::make_shared<EventAccount>(
                                  account.name, make_webhook(account, environment_), metrics_, log_));
  }
  return all;
}

std::shared_ptr<EventAccount> EventAccounts::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = all_.find(name);
  return found == all_.end() ? nobody_ : found->second;
}

void EventAccounts::follow() {
  if (!file_) return;
  All all;
  auto trouble = file_->follow([&](const routing::Routes& routes) { all = made_of(routes); });
  if (!trouble) return;
  if (trouble->empty()) {
    log_.info(fmt::format("Events are taken for the accounts of {} from now on", file_->path()));
  } else {
    log_.error(fmt::format(
        "The routing file cannot be followed, and events are taken for the accounts from before: {}",
        *trouble));
  }
  refused_->Set(trouble->empty() ? 0 : 1);
  // What it was goes after the lock.
  const std::lock_guard lock(mutex_);
  if (trouble->empty()) all_.swap(all);
  trouble_ = std::move(*trouble);
}

std::string EventAccounts::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

}  // namespace switchyard::events
