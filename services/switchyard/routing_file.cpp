#include "switchyard/routing_file.hpp"

#include <cstdio>

#include <fmt/format.h>

#include "base/read_file.hpp"
#include "routing/document.hpp"
#include "routing/parse.hpp"

namespace switchyard::cli {

std::expected<routing::Routes, std::vector<routing::Finding>> read_routing_file(const std::string& path) {
  const auto content = read_file(path, routing::document_bytes_max);
  if (content) return routing::parse(*content);
  throw ConfigError(path, content.error(),
                    "a routing file is a TOML text with accounts, [psp.NAME], and [[rule]]s");
}

std::string line_of(const std::string& path, const routing::Finding& finding) {
  return fmt::format("{}:{}:{}: {}; {}", path, finding.at.line, finding.at.column, finding.wrong,
                     finding.right);
}

std::optional<routing::Routes> read_routes_or_say(const std::string& path) {
  auto routes = read_routing_file(path);
  if (routes) return std::move(*routes);
  for (const auto& finding : routes.error()) fmt::print(stderr, "{}\n", line_of(path, finding));
  return std::nullopt;
}

std::string routing_file_of(const Environment& environment, const std::string& option) {
  return option.empty() ? environment.text("ROUTING_FILE", "") : option;
}

}  // namespace switchyard::cli
