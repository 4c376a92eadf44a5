// The lines that a worker of Python's RQ prints, which is what operators of the original psp-connector know.
// For an authorization they are those lines; for what merchants ask for later, lines of the same form that
// name it.
#pragma once

#include <string>

#include "payment/state_machine.hpp"
#include "telemetry/log.hpp"

namespace switchyard::connector {

class WorkerLog {
 public:
  explicit WorkerLog(Log& log);

  const std::string& name() const { return name_; }

  void started();
  void job_started(const payment::Step& step);
  // Before each request that goes to the PSP.
  void making(const payment::Step& step);
  // A decline is a job that was done; only what failed or is unknown is not.
  void job_ended(const payment::Step& step);
  void stopping();

 private:
  Log& log_;
  // 32 hexadecimal digits, new for each worker.
  std::string name_;
};

}  // namespace switchyard::connector
