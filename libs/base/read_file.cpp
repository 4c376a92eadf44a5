#include "base/read_file.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace switchyard {
namespace {

constexpr std::size_t chunk_bytes = 64UL * 1024;
constexpr std::size_t mebibyte = 1024UL * 1024;

class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int fd() const { return fd_; }

 private:
  int fd_;
};

std::unexpected<std::string> unreadable() {
  return std::unexpected(fmt::format("cannot be read: {}", std::generic_category().message(errno)));
}

}  // namespace

std::expected<std::string, std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const OpenFile file(path);
  if (file.fd() < 0) return unreadable();
  std::string content;
  for (;;) {
    const auto size = content.size();
    content.resize(size + chunk_bytes);
    const auto got = ::read(file.fd(), content.data() + size, chunk_bytes);
    if (got < 0 && errno != EINTR) return unreadable();
    content.resize(size + (got < 0 ? 0 : static_cast<std::size_t>(got)));
    if (content.size() > bytes_max) {
      return std::unexpected(fmt::format("is larger than {} MiB", bytes_max / mebibyte));
    }
    if (got == 0) return content;
  }
}

}  // namespace switchyard
