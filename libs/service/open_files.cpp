#include "service/open_files.hpp"

#include <algorithm>
#include <limits>

#include <sys/resource.h>

namespace switchyard::service {

http::Limits within_open_files(http::Limits limits, std::uint64_t files_max) {
  const std::size_t most = std::max<std::uint64_t>(1, files_max / 4 * 3);
  if (limits.connections_max <= most) return limits;
  limits.connections_max = most;
  limits.connections_per_address_max =
      std::min(limits.connections_per_address_max, std::max<std::size_t>(1, most / 5 * 4));
  return limits;
}

std::uint64_t open_files_max() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
    return std::numeric_limits<std::uint64_t>::max();
  return files.rlim_cur;
}

}  // namespace switchyard::service
