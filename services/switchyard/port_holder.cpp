#include "switchyard/port_holder.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include <fmt/format.h>
#include <pwd.h>

namespace switchyard::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t command_characters_max = 80;
constexpr std::string_view state_listening = "0A";

struct ListeningSocket {
  uid_t user = 0;
  std::string inode;
};

// In a file as proc(5) describes /proc/net/tcp.
std::optional<ListeningSocket> find_listening(const char* table, std::uint16_t port) {
  std::ifstream file(table);
  const auto ending = fmt::format(":{:04X}", port);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream columns(line);
    std::string number, local, remote, state, queues, timer, resent, timeout;
    ListeningSocket found;
    columns >> number >> local >> remote >> state >> queues >> timer >> resent >> found.user >> timeout >>
        found.inode;
    if (columns && state == state_listening && local.ends_with(ending)) return found;
  }
  return std::nullopt;
}

bool has_open(const fs::path& process, const std::string& socket) {
  std::error_code error;
  for (fs::directory_iterator entry(process / "fd", error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    if (fs::read_symlink(entry->path(), gone) == socket) return true;
  }
  return false;
}

std::optional<pid_t> process_with(const std::string& inode) {
  const auto socket = fmt::format("socket:[{}]", inode);
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const auto name = entry->path().filename().string();
    pid_t process = 0;
    const auto [rest, failure] = std::from_chars(name.data(), name.data() + name.size(), process);
    if (failure != std::errc() || rest != name.data() + name.size()) continue;
    if (has_open(entry->path(), socket)) return process;
  }
  return std::nullopt;
}

std::string command_of(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/cmdline", process));
  std::string command((std::istreambuf_iterator<char>(file)), {});
  while (command.ends_with('\0')) command.pop_back();
  command.resize(std::min(command.size(), command_characters_max));
  std::ranges::replace_if(command, [](unsigned char c) { return c == 0; }, ' ');
  std::ranges::replace_if(command, [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
  return command;
}

std::string name_of(uid_t user) {
  const auto* entry = ::getpwuid(user);
  return entry != nullptr ? entry->pw_name : fmt::format("{}", user);
}

std::optional<ListeningSocket> find_listening(std::uint16_t port) {
  auto found = find_listening("/proc/net/tcp", port);
  return found ? found : find_listening("/proc/net/tcp6", port);
}

}  // namespace

std::optional<PortHolder> find_port_holder(std::uint16_t port) {
  const auto socket = find_listening(port);
  if (!socket) return std::nullopt;
  const auto process = process_with(socket->inode);
  if (!process) return PortHolder{{}, "a process of user " + name_of(socket->user)};
  return PortHolder{process, fmt::format("process {} ({})", *process, command_of(*process))};
}

std::uint16_t free_port_after(std::uint16_t port) {
  while (port < std::numeric_limits<std::uint16_t>::max() && find_listening(++port)) {
  }
  return port;
}

}  // namespace switchyard::cli
