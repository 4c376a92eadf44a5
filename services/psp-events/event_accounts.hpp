// The accounts whose PSPs send events here, as the routing file names them; it is followed when it changes.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/environment.hpp"
#include "psp/webhook.hpp"
#include "routing/routing_file.hpp"
#include "service/line_budget.hpp"
#include "telemetry/metrics.hpp"

namespace switchyard::events {

// What became of a request; `takes_none` and `unknown_account` are of no account that takes events.
enum class Result : std::uint8_t {
  stored,
  refused_signature,
  unreadable,
  too_large,
  too_many,
  not_stored,
  takes_none,
  unknown_account,
};
inline constexpr std::size_t result_count = 8;

std::string_view to_string(Result result);

// An account, or what has no name of one. Safe to use from any thread.
class EventAccount {
 public:
  // As many of its requests may wait for the store at once.
  static constexpr std::size_t at_once_max = 128;

  // `webhook`: nothing if it takes no events. Log and metrics outlive it.
  EventAccount(std::string name, std::unique_ptr<const psp::Webhook> webhook, telemetry::Metrics& metrics,
               Log& log);

  const std::string& name() const { return name_; }
  const psp::Webhook* webhook() const { return webhook_.get(); }
  prometheus::Counter& count_of(Result result) const { return *counts_[static_cast<std::size_t>(result)]; }
  service::LineBudget& lines() { return lines_; }

  // One of at_once_max while it lives.
  struct Leave {
    void operator()(EventAccount* account) const { --account->at_once_; }
  };
  using Turn = std::unique_ptr<EventAccount, Leave>;
  // Nothing if there are as many already.
  Turn enter();

 private:
  const std::string name_;
  const std::unique_ptr<const psp::Webhook> webhook_;
  std::array<prometheus::Counter*, result_count> counts_{};
  service::LineBudget lines_;
  std::atomic<std::size_t> at_once_{0};
};

// find() and trouble() are for any thread; follow() is for one.
class EventAccounts {
 public:
  // `routing_file` empty: there is no account. Throws ConfigError if the file cannot be followed. Log and
  // metrics outlive it.
  EventAccounts(const std::string& routing_file, Environment environment, telemetry::Metrics& metrics,
                Log& log);

  bool has_file() const { return file_.has_value(); }

  // Never null: what stands for all that is no account has an empty name.
  std::shared_ptr<EventAccount> find(std::string_view name) const;

  // Reads the file again if it has changed. One that cannot be followed is told, and the accounts from before
  // are kept.
  void follow();
  // Why the file as it is now cannot be followed; empty if it is.
  std::string trouble() const;

 private:
  using All = std::map<std::string, std::shared_ptr<EventAccount>, std::less<>>;

  All made_of(const routing::Routes& routes) const;

  const Environment environment_;
  telemetry::Metrics& metrics_;
  Log& log_;
  const std::shared_ptr<EventAccount> nobody_;
  std::optional<routing::RoutingFile> file_;
  prometheus::Gauge* refused_ = nullptr;
  mutable std::mutex mutex_;
  All all_;
  std::string trouble_;
};

}  // namespace switchyard::events
