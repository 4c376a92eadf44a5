#include "core-api/operation_request.hpp"

#include <limits>
#include <span>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "core-api/create_request.hpp"
#include "core-api/text_member.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "service/request_body.hpp"

namespace switchyard::core {
namespace {

using payment::Kind;
using Why = payment::Refusal::Why;

// What is left is what bounds it.
constexpr auto any_amount = std::numeric_limits<std::int64_t>::max();

std::span<const std::string_view> members_of(Kind kind) {
  static constexpr std::string_view of_capture[] = {"amount", "final", "token"};
  static constexpr std::string_view of_void[] = {"token"};
  static constexpr std::string_view of_refund[] = {"amount", "reason", "reference", "token"};
  if (kind == Kind::capture) return of_capture;
  if (kind == Kind::void_) return of_void;
  SWITCHYARD_ASSERT(kind == Kind::refund);
  return of_refund;
}

std::expected<bool, http::Response> read_final(const boost::json::object& body) {
  const auto* value = body.if_contains("final");
  if (value == nullptr) return true;
  if (value->is_bool()) return value->get_bool();
  return std::unexpected(
      http::problem(422, "Invalid final",
                    "final must be true, which is the default, or false: whether what is left of the hold is "
                    "given back"));
}

// Before the closing brace.
http::Response with_member(http::Response problem, std::string_view name, std::string_view value) {
  problem.body.pop_back();
  problem.body += fmt::format(R"(,"{}":{}}})", name, value);
  return problem;
}

}  // namespace

std::expected<payment::Request, http::Response> read_operation(Kind kind, const boost::json::object& body,
                                                               std::string_view query) {
  payment::Request wanted{.kind = kind,
                          .amount_minor = std::nullopt,
                          .is_final = true,
                          .psp_key = {},
                          .reference = {},
                          .note = {}};
  if (kind != Kind::void_ && body.contains("amount")) {
    const auto amount = read_amount(body, any_amount);
    if (!amount) return std::unexpected(amount.error());
    wanted.amount_minor = *amount;
  }
  if (auto known = service::refuse_unknown_members(body, members_of(kind)); !known)
    return std::unexpected(std::move(known.error()));
  const auto is_final = read_final(body);
  if (!is_final) return std::unexpected(is_final.error());
  wanted.is_final = *is_final;
  auto reason = read_text(body, "reason", {.least = 0, .most = text_characters_max});
  if (!reason) return std::unexpected(std::move(reason.error()));
  wanted.note = std::move(*reason);
  auto reference = read_text(body, "reference", {.least = 1, .most = reference_characters_max});
  if (!reference) return std::unexpected(std::move(reference.error()));
  wanted.reference = std::move(*reference);
  if (auto none = service::read_query(query, {}); !none) return std::unexpected(std::move(none.error()));
  return wanted;
}

http::Response refuse_operation(const payment::Refusal& refusal) {
  if (refusal.why == Why::over_what_is_left) {
    return with_member(http::problem(422, "More than is left", refusal.detail), "left",
                       fmt::format("{}", refusal.left_minor));
  }
  const auto* error = refusal.why == Why::too_many ? "Too many operations" : "Not possible in this state";
  return with_member(http::problem(409, error, refusal.detail), "transaction_status",
                     http::json_string(payment::to_string(refusal.status)));
}

}  // namespace switchyard::core
