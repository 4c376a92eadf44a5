#include "sqlite/in_use.hpp"

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace switchyard::sqlite {
namespace {

constexpr off_t first_lock = 120;
constexpr off_t lock_count = 9;

[[noreturn]] void throw_unknown(const std::string& path) {
  throw std::runtime_error(fmt::format(
      "{}-shm: cannot be read ({}), so it cannot be seen whether a process has {} open; do this as "
      "the user that the services run as, or as root",
      path, std::generic_category().message(errno), path));
}

}  // namespace

std::optional<pid_t> process_that_uses(const std::string& path) {
  const int file = ::open((path + "-shm").c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw_unknown(path);
  }
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = first_lock;
  lock.l_len = lock_count;
  const int asked = ::fcntl(file, F_GETLK, &lock);
  const int error = errno;
  ::close(file);
  errno = error;
  if (asked != 0) throw_unknown(path);
  if (lock.l_type == F_UNLCK) return std::nullopt;
  return lock.l_pid;
}

}  // namespace switchyard::sqlite
