#include "sqlite/in_use.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace switchyard::sqlite {
namespace {

constexpr off_t first_lock = 120;
constexpr off_t lock_count = 9;

}  // namespace

std::optional<pid_t> process_that_uses(const std::string& path) {
  const int file = ::open((path + "-shm").c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = first_lock;
  lock.l_len = lock_count;
  const bool asked = ::fcntl(file, F_GETLK, &lock) == 0;
  ::close(file);
  if (!asked || lock.l_type == F_UNLCK) return std::nullopt;
  return lock.l_pid;
}

}  // namespace switchyard::sqlite
