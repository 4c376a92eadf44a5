#include "routing/parse.hpp"

#include <array>

#include "routing/document.hpp"
#include "routing/read_accounts.hpp"
#include "routing/read_rules.hpp"
#include "routing/reading.hpp"

namespace switchyard::routing {

std::expected<Routes, std::vector<Finding>> parse(std::string_view text) {
  constexpr auto known = std::to_array<std::string_view>({"psp", "rule"});
  const auto document = read_document(text);
  if (!document) return std::unexpected(std::vector{document.error()});
  Findings findings;
  check_for_secrets(*document, findings);
  check_members(*document, "the file", known, findings);
  Routes routes;
  routes.accounts = read_accounts(*document, findings);
  routes.rules = read_rules(*document, routes.accounts, findings);
  if (!findings.empty()) return std::unexpected(findings.take());
  return routes;
}

}  // namespace switchyard::routing
