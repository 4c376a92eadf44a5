#include "rq/troubles.hpp"

#include "base/assert.hpp"
#include "money/printable.hpp"

namespace switchyard::rq {
namespace {

void append(std::string& line, std::string_view more) {
  if (more.empty()) return;
  if (!line.empty()) line += "; ";
  line += more;
}

}  // namespace

Troubles::Troubles(telemetry::Metrics& metrics, std::initializer_list<std::string_view> whats) {
  for (const auto what : whats) {
    auto& gauge =
        metrics.gauge("switchyard_queue_trouble", "1 while this cannot be done with the queue in Redis.",
                      {{"what", std::string(what)}});
    troubles_.emplace(what, Trouble{{}, &gauge});
  }
}

void Troubles::set(std::string_view what, std::string_view why) {
  const std::lock_guard lock(mutex_);
  const auto found = troubles_.find(what);
  SWITCHYARD_ASSERT(found != troubles_.end());
  found->second.why = printable(why);
  found->second.gauge->Set(why.empty() ? 0 : 1);
}

std::string Troubles::text() const {
  const std::lock_guard lock(mutex_);
  std::string line;
  for (const auto& [what, trouble] : troubles_) append(line, trouble.why);
  return line;
}

std::string joined(std::initializer_list<std::string> troubles) {
  std::string line;
  for (const auto& trouble : troubles) append(line, trouble);
  return line;
}

}  // namespace switchyard::rq
