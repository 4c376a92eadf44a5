#include "payment/transaction.hpp"

#include "payment/names.hpp"

namespace switchyard::payment {
namespace {

constexpr Names<Status, 12> status_names{{
    {Status::queued, "queued"},
    {Status::processing, "processing"},
    {Status::action_required, "action_required"},
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

}  // namespace

std::string_view to_string(Status status) {
  return name_of(status_names, status);
}
std::optional<Status> parse_status(std::string_view text) {
  return value_of(status_names, text);
}

bool is_open(Status status) {
  return status == Status::queued || status == Status::processing || status == Status::action_required ||
         status == Status::unknown;
}

std::string_view to_string(CaptureMethod method) {
  return name_of(capture_method_names, method);
}
std::optional<CaptureMethod> parse_capture_method(std::string_view text) {
  return value_of(capture_method_names, text);
}

std::string psp_reference(const Transaction& transaction) {
  return transaction.derived_reference.empty() ? transaction.id.value.to_string()
                                               : transaction.derived_reference;
}

}  // namespace switchyard::payment
