// For unit tests only: a Redis server of one's own on a free port of the loopback address, in a folder that
// goes away.
#pragma once

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/testing.hpp"
#include "redis/commands.hpp"
#include "redis/reply.hpp"

namespace switchyard::redis::testing {

// The server's program; Debian's redis-tools has it, too, under the name of a tool: what it does goes by the
// name it is called by. Null if there is none.
inline const char* server_path() {
  for (const char* path : {"/usr/bin/redis-server", "/usr/bin/redis-check-rdb"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  return nullptr;
}

// In a fixture's SetUp().
#define SWITCHYARD_SKIP_WITHOUT_REDIS()                       \
  if (::switchyard::redis::testing::server_path() == nullptr) \
  GTEST_SKIP() << "there is no redis-server: apt-get install redis-tools"

inline std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  SWITCHYARD_ASSERT(::bind(socket, any, size) == 0 && ::getsockname(socket, any, &size) == 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

// A connection that blocks, for what a test itself asks Redis.
class BlockingConnection {
 public:
  explicit BlockingConnection(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) close();
  }
  ~BlockingConnection() { close(); }
  BlockingConnection(const BlockingConnection&) = delete;
  BlockingConnection& operator=(const BlockingConnection&) = delete;

  // Nothing if the connection is lost.
  std::optional<Reply> command(const Commands& one) {
    if (socket_ < 0) return std::nullopt;
    const auto& bytes = one.bytes();
    for (std::size_t sent = 0; sent < bytes.size();) {
      const auto size = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (size <= 0) return std::nullopt;
      sent += static_cast<std::size_t>(size);
    }
    while (true) {
      auto reply = reader_.next();
      if (reply && *reply) return std::move(**reply);
      std::array<char, 4096> buffer;
      const auto size = ::recv(socket_, buffer.data(), buffer.size(), 0);
      if (size <= 0) return std::nullopt;
      reader_.feed({buffer.data(), static_cast<std::size_t>(size)});
    }
  }

 private:
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  int socket_;
  ReplyReader reader_;
};

class Server {
 public:
  // `arguments` are added to the command line, such as {"--requirepass", "secret"}.
  explicit Server(std::vector<std::string> arguments = {}) : arguments_(std::move(arguments)) { start(); }
  ~Server() { stop(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const { return fmt::format("redis://127.0.0.1:{}/0", port_); }
  std::string file(const std::string& name) const { return folder_.file(name); }

  // On the port it had.
  void start() {
    std::vector<std::string> words{
        "redis-server", "--port",         std::to_string(port_), "--bind",         "127.0.0.1", "--save", "",
        "--dir",        folder_.file(""), "--logfile",           file("redis.log")};
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      // Not left behind by a test that crashes.
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::execv(server_path(), argv.data());
      ::_exit(127);
    }
    EXPECT_TRUE(switchyard::testing::eventually([this] {
      return BlockingConnection(port_).command({"PING"}).has_value();
    })) << "redis-server does not answer";
  }

  void stop(int signal = SIGKILL) {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGCONT);
    ::kill(pid_, signal);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

  // Hangs without ending.
  void freeze() const { ::kill(pid_, SIGSTOP); }
  void thaw() const { ::kill(pid_, SIGCONT); }

  Reply command(const Commands& one) const {
    auto reply = BlockingConnection(port_).command(one);
    EXPECT_TRUE(reply) << "redis-server is gone";
    return reply ? std::move(*reply) : Reply();
  }

 private:
  switchyard::testing::TempDir folder_;
  const std::uint16_t port_ = free_port();
  const std::vector<std::string> arguments_;
  pid_t pid_ = 0;
};

}  // namespace switchyard::redis::testing
