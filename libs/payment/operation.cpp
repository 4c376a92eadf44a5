#include "payment/operation.hpp"

#include <algorithm>
#include <array>
#include <ranges>

#include "base/ascii.hpp"
#include "payment/names.hpp"

namespace switchyard::payment {
namespace {

constexpr std::size_t web_address_bytes_max = 2'048;
constexpr std::array<std::string_view, 2> this_machine{"http://127.0.0.1", "http://localhost"};

constexpr Names<Kind, 4> kind_names{{
    {Kind::authorize, "authorize"},
    {Kind::capture, "capture"},
    {Kind::void_, "void"},
    {Kind::refund, "refund"},
}};

constexpr Names<Phase, 10> phase_names{{
    {Phase::requested, "requested"},
    {Phase::sent, "sent"},
    {Phase::pending, "pending"},
    {Phase::unknown, "unknown"},
    {Phase::action_required, "action_required"},
    {Phase::succeeded, "succeeded"},
    {Phase::declined, "declined"},
    {Phase::rejected, "rejected"},
    {Phase::failed, "failed"},
    {Phase::manual_review, "manual_review"},
}};

constexpr Names<ReasonKind, 6> reason_kind_names{{
    {ReasonKind::none, ""},
    {ReasonKind::soft_decline, "soft_decline"},
    {ReasonKind::hard_decline, "hard_decline"},
    {ReasonKind::customer_action, "customer_action"},
    {ReasonKind::configuration, "configuration"},
    {ReasonKind::unknown, "unknown"},
}};

}  // namespace

std::string_view to_string(Kind kind) {
  return name_of(kind_names, kind);
}
std::optional<Kind> parse_kind(std::string_view text) {
  return value_of(kind_names, text);
}

std::string_view to_string(Phase phase) {
  return name_of(phase_names, phase);
}
std::optional<Phase> parse_phase(std::string_view text) {
  return value_of(phase_names, text);
}

std::string_view to_string(ReasonKind kind) {
  return name_of(reason_kind_names, kind);
}
std::optional<ReasonKind> parse_reason_kind(std::string_view text) {
  return value_of(reason_kind_names, text);
}

bool is_open(Phase phase) {
  switch (phase) {
    case Phase::requested:
    case Phase::sent:
    case Phase::pending:
    case Phase::unknown:
    case Phase::action_required:
    case Phase::manual_review:
      return true;
    case Phase::succeeded:
    case Phase::declined:
    case Phase::rejected:
    case Phase::failed:
      return false;
  }
  SWITCHYARD_ASSERT(false);
}

bool is_under_way(Phase phase) {
  return is_open(phase) && phase != Phase::manual_review;
}

bool waits_for_psp(Phase phase) {
  return phase == Phase::pending || phase == Phase::action_required;
}

bool has_come_to_nothing(Phase phase) {
  return !is_open(phase) && phase != Phase::succeeded;
}

bool is_unresolved(Phase phase) {
  return phase == Phase::sent || phase == Phase::unknown;
}

bool is_web_address(std::string_view text) {
  const bool is_https = text.starts_with("https://") && !text.starts_with("https:///");
  const bool is_here = std::ranges::any_of(this_machine, [text](std::string_view start) {
    return text.starts_with(start) && text.size() > start.size() &&
           (text[start.size()] == ':' || text[start.size()] == '/');
  });
  return (is_https || is_here) && text.size() <= web_address_bytes_max &&
         std::ranges::all_of(text, is_visible_ascii);
}

bool is_psp_name(std::string_view text) {
  constexpr std::size_t bytes_max = 255;
  return !text.empty() && text.size() <= bytes_max && std::ranges::all_of(text, is_visible_ascii);
}

bool is_booked(const Operation& operation) {
  if (operation.phase == Phase::manual_review) return operation.ended_at && !operation.taken_back;
  return operation.phase == Phase::succeeded;
}

const Operation* find_authorization(const State& state) {
  const Operation* last = nullptr;
  for (const auto& operation : state.operations) {
    if (operation.kind != Kind::authorize) continue;
    if (is_booked(operation)) return &operation;
    last = &operation;
  }
  return last;
}

}  // namespace switchyard::payment
