#include "core-api/backlog.hpp"

namespace switchyard::core {

Backlog::Backlog(store::Store& store, telemetry::Metrics& metrics, std::int64_t most)
    : store_(store),
      gauge_(metrics.gauge("switchyard_backlog_transactions", "Transactions that still need work.")),
      most_(most) {}

Task<Result<void>> Backlog::measure() {
  const auto counted = co_await store_.count_backlog(most_);
  if (!counted) co_return std::unexpected(counted.error());
  measured_ = *counted;
  accepted_since_ = 0;
  gauge_.Set(static_cast<double>(*counted));
  co_return Result<void>{};
}

}  // namespace switchyard::core
