// The lines that a worker of Python's RQ prints, which is what operators of the original psp-connector know.
#pragma once

#include <string>

#include "payment/transaction.hpp"
#include "telemetry/log.hpp"

namespace switchyard::connector {

class WorkerLog {
 public:
  explicit WorkerLog(Log& log);

  const std::string& name() const { return name_; }

  void started();
  void job_started(const payment::Transaction& transaction);
  void making_transaction(const payment::Transaction& transaction);
  // A decline is a job that was done; only what failed or is unknown is not.
  void job_ended(const payment::Transaction& transaction);
  void stopping();

 private:
  Log& log_;
  // 32 hexadecimal digits, new for each worker.
  std::string name_;
};

}  // namespace switchyard::connector
