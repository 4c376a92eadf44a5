#include "routing/routing_file.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <fmt/format.h>

#include "base/environment.hpp"
#include "routing/document.hpp"
#include "routing/parse.hpp"

namespace switchyard::routing {
namespace {

// One byte more than it may have, so that a longer one is known for it.
std::expected<std::string, std::string> read_text(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return std::unexpected(fmt::format("{}: is not a file", path));
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text(document_bytes_max + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (!file && !file.eof())) {
    return std::unexpected(
        fmt::format("{}: cannot be read: {}", path, std::generic_category().message(errno)));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace

std::optional<RoutingFile::Read> RoutingFile::read_if_changed() {
  auto text = read_text(path_);
  if (last_ && *last_ == text) return std::nullopt;
  last_ = text;
  if (!text) return std::unexpected(text.error());
  auto routes = parse(*text);
  if (routes) return std::move(*routes);
  const auto& findings = routes.error();
  auto why = fmt::format("{}: {}", path_, to_string(findings.front()));
  if (findings.size() > 1) {
    why += fmt::format(" (and {} more: switchyard route check {})", findings.size() - 1, path_);
  }
  return std::unexpected(std::move(why));
}

Routes RoutingFile::read_first() {
  auto routes = read_if_changed().value();
  if (routes) return std::move(*routes);
  throw ConfigError("ROUTING_FILE", routes.error(), "switchyard route check FILE says all that is wrong");
}

std::optional<std::string> RoutingFile::follow(const std::function<void(Routes routes)>& use) {
  auto read = read_if_changed();
  if (!read) return std::nullopt;
  if (!*read) return std::move(read->error());
  try {
    use(std::move(**read));
  } catch (const std::exception& error) {
    return error.what();
  }
  return std::string();
}

}  // namespace switchyard::routing
