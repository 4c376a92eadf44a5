#include "switchyard/replies.hpp"

#include "payment/transaction.hpp"

namespace switchyard::cli {

std::string text_of(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::string problem_text(const std::optional<boost::json::value>& body) {
  const auto* object = body ? body->if_object() : nullptr;
  const auto error = object != nullptr ? text_of(*object, "error") : std::string();
  if (error.empty()) return "and a body that is not understood";
  const auto detail = text_of(*object, "detail");
  return detail.empty() || detail == error ? error : error + ": " + detail;
}

bool is_settled(const std::string& status) {
  const auto known = payment::parse_status(status);
  return known && !payment::is_open(*known);
}

bool ended_badly(const std::string& status) {
  const auto known = payment::parse_status(status);
  return known && (*known == payment::Status::declined || *known == payment::Status::failed ||
                   *known == payment::Status::manual_review);
}

}  // namespace switchyard::cli
