// What cannot be done with Redis at the moment, for health and metrics. Safe to use from any thread.
#pragma once

#include <initializer_list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "telemetry/metrics.hpp"

namespace switchyard::rq {

class Troubles {
 public:
  // `whats`: words of ours for what may go wrong, each a series of switchyard_queue_trouble: 1 while it does.
  Troubles(telemetry::Metrics& metrics, std::initializer_list<std::string_view> whats);

  // `why` is empty when it can be done (again). Printable whatever it is.
  void set(std::string_view what, std::string_view why);
  // All that is wrong, in one line; empty if nothing is.
  std::string text() const;

 private:
  struct Trouble {
    std::string why;
    prometheus::Gauge* gauge = nullptr;
  };

  mutable std::mutex mutex_;
  std::map<std::string, Trouble, std::less<>> troubles_;
};

// Several in one line.
std::string joined(std::initializer_list<std::string> troubles);

}  // namespace switchyard::rq
