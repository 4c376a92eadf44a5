// ROUTING_FILE as a file: read at the start, and again when it has changed. For one thread.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "routing/routes.hpp"

namespace switchyard::routing {

class RoutingFile {
 public:
  // What it says, or why that cannot be followed: "/etc/routing.toml: line 3, column 8: ...; ..."
  using Read = std::expected<Routes, std::string>;

  explicit RoutingFile(std::string path) : path_(std::move(path)) {}

  // Nothing if it is as it was when it was last read.
  std::optional<Read> read_if_changed();
  // At the start. Throws ConfigError.
  Routes read_first();
  // If it has changed, `use` gets what it says. Nothing if it is as it was; else why it cannot be followed,
  // which may be what `use` throws, or an empty text.
  std::optional<std::string> follow(const std::function<void(Routes routes)>& use);

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  // As it was read, or why it could not be.
  std::optional<std::expected<std::string, std::string>> last_;
};

}  // namespace switchyard::routing
