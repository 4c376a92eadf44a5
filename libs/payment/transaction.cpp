#include "payment/transaction.hpp"

#include <array>
#include <utility>

#include "base/assert.hpp"

namespace switchyard::payment {
namespace {

template <class Enum, std::size_t size>
using Names = std::array<std::pair<Enum, std::string_view>, size>;

constexpr Names<Status, 11> status_names{{
    {Status::queued, "queued"},
    {Status::processing, "processing"},
    {Status::authorized, "authorized"},
    {Status::captured, "captured"},
    {Status::voided, "voided"},
    {Status::partially_refunded, "partially_refunded"},
    {Status::refunded, "refunded"},
    {Status::declined, "declined"},
    {Status::failed, "failed"},
    {Status::unknown, "unknown"},
    {Status::manual_review, "manual_review"},
}};

constexpr Names<CaptureMethod, 2> capture_method_names{{
    {CaptureMethod::automatic, "automatic"},
    {CaptureMethod::manual, "manual"},
}};

constexpr Names<AttemptStatus, 6> attempt_status_names{{
    {AttemptStatus::started, "started"},
    {AttemptStatus::approved, "approved"},
    {AttemptStatus::declined, "declined"},
    {AttemptStatus::not_sent, "not_sent"},
    {AttemptStatus::unknown, "unknown"},
    {AttemptStatus::failed, "failed"},
}};

template <class Enum, std::size_t size>
std::string_view name_of(const Names<Enum, size>& names, Enum value) {
  const auto& [known, name] = names[static_cast<std::size_t>(value)];
  SWITCHYARD_ASSERT(known == value);
  return name;
}

template <class Enum, std::size_t size>
std::optional<Enum> value_of(const Names<Enum, size>& names, std::string_view text) {
  for (const auto& [value, name] : names) {
    if (name == text) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Status status) {
  return name_of(status_names, status);
}
std::optional<Status> parse_status(std::string_view text) {
  return value_of(status_names, text);
}

bool is_final(Status status) {
  switch (status) {
    case Status::queued:
    case Status::processing:
    case Status::authorized:
    case Status::captured:
    case Status::partially_refunded:
    case Status::unknown:
    case Status::manual_review:
      return false;
    case Status::voided:
    case Status::refunded:
    case Status::declined:
    case Status::failed:
      return true;
  }
  SWITCHYARD_ASSERT(false);
}

std::string_view to_string(CaptureMethod method) {
  return name_of(capture_method_names, method);
}
std::optional<CaptureMethod> parse_capture_method(std::string_view text) {
  return value_of(capture_method_names, text);
}

std::string_view to_string(AttemptStatus status) {
  return name_of(attempt_status_names, status);
}
std::optional<AttemptStatus> parse_attempt_status(std::string_view text) {
  return value_of(attempt_status_names, text);
}

bool is_resolved(AttemptStatus status) {
  return status != AttemptStatus::started && status != AttemptStatus::unknown;
}

}  // namespace switchyard::payment
