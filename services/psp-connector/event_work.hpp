// Works off what PSPs have said by themselves (store/psp_events.hpp): finds the payment that an event is
// about and applies it there, as the domain says (payment/notice.hpp).
//
// An event may be applied and not ended, if the program dies in between: it is then applied again, which
// changes nothing. One that comes before what it is about is known here is tried again, later and later, for
// some 18 hours.
//
// On the connector's thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/event.hpp"
#include "base/wake_up.hpp"
#include "psp-connector/psps.hpp"
#include "store/store.hpp"
#include "telemetry/log.hpp"
#include "telemetry/log_throttle.hpp"
#include "telemetry/metrics.hpp"

namespace switchyard::connector {

class EventWork {
 public:
  // `on_changed` gets what an event has made of a transaction, when it is stored. All that is given outlives
  // this.
  EventWork(Executor executor, store::Store& store, const Psps& psps, const payment::RetryPolicy& policy,
            telemetry::Metrics& metrics, Log& log, const Clock& clock,
            std::function<void(const payment::Step&)> on_changed);

  // Until stop().
  Task<void> run();
  void stop();
  // There may be an event. From any thread.
  void notify() { wake_up_.notify(); }

 private:
  struct One {
    store::PspEvent event;
    payment::Noticed::How how = payment::Noticed::How::too_early;
    bool is_found = false;
    // What it has made of its transaction.
    std::optional<payment::Step> step{};
  };
  using Batch = std::vector<One>;
  // By transaction: the places of its events in the batch.
  struct OfTransaction {
    store::Owner owner;
    std::vector<std::size_t> events;
  };

  // Whether there may be more.
  Task<bool> work_off();
  // Nothing where the store cannot be read.
  Task<Result<std::vector<OfTransaction>>> find_transactions(const Batch& batch);
  Task<Result<void>> apply(Batch& batch, std::vector<OfTransaction> transactions);
  std::expected<store::Decided, payment::Refusal> decide(Batch& batch, const std::vector<std::size_t>& events,
                                                         payment::State state, Timestamp now) const;
  void end(One& one, Timestamp now);
  void note(const One& one);
  // They are due again when their lease ends.
  Task<void> give_up_for_now(std::string_view what, const Error& error);

  store::Store& store_;
  const Psps& psps_;
  const payment::RetryPolicy policy_;
  Log& log_;
  LogThrottle failures_;
  const Clock& clock_;
  const std::function<void(const payment::Step&)> on_changed_;
  WakeUp wake_up_;
  prometheus::Counter& changed_;
  prometheus::Counter& nothing_new_;
  prometheus::Counter& too_early_;
  prometheus::Counter& given_up_;
  bool stopping_ = false;
};

}  // namespace switchyard::connector
