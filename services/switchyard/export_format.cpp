#include "switchyard/export_format.hpp"

#include <fmt/format.h>

#include "switchyard/times.hpp"

namespace switchyard::cli {
namespace {

// The apostrophe, too: one that stands in front is then always ours.
constexpr std::string_view guarded_starts = "=+-@\t\r'";
constexpr std::string_view must_be_quoted = ",\"\r\n";

}  // namespace

std::string csv_field(std::string_view text) {
  std::string field;
  if (!text.empty() && guarded_starts.contains(text.front())) field = '\'';
  field += text;
  if (field.find_first_of(must_be_quoted) == std::string::npos) return field;
  std::string quoted = "\"";
  for (const char c : field) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted += '"';
}

std::string_view csv_header() {
  return "id,user_id,created_at,updated_at,status,amount,currency,authorized_amount,captured_amount,"
         "refunded_amount,capture,reference,description,metadata,reason\r\n";
}

std::string csv_line(const payment::Transaction& transaction) {
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n", transaction.id.value.to_string(),
                     transaction.merchant_id.value, time_text(transaction.created_at),
                     time_text(transaction.updated_at), payment::to_string(transaction.status),
                     transaction.amount.minor(), transaction.amount.currency().code(),
                     transaction.authorized_minor, transaction.captured_minor, transaction.refunded_minor,
                     payment::to_string(transaction.capture_method), csv_field(transaction.reference),
                     csv_field(transaction.description), csv_field(transaction.metadata),
                     csv_field(transaction.reason));
}

}  // namespace switchyard::cli
