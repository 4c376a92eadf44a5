#include "routing/asked.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/object.hpp>

#include "http/json.hpp"

namespace switchyard::routing {
namespace {

// Calls `visit` with each member of the object that the text is.
template <class Visit>
void for_each_member(std::string_view text, Visit visit) {
  if (text.empty()) return;
  std::array<unsigned char, 4096> buffer;
  boost::json::monotonic_resource memory(buffer.data(), buffer.size());
  const auto value = http::read_json(text, http::request_json_bounds, &memory);
  if (!value || !value->is_object()) return;
  for (const auto& member : value->get_object()) {
    visit(std::string_view(member.key().data(), member.key().size()), member.value());
  }
}

}  // namespace

const std::string* Asked::find_metadata(std::string_view name) const {
  const auto found = std::ranges::lower_bound(metadata, name, {},
                                              [](const auto& pair) { return std::string_view(pair.first); });
  return found == metadata.end() || found->first != name ? nullptr : &found->second;
}

Asked asked_of(const payment::Transaction& transaction) {
  Asked asked{.id = transaction.id,
              .merchant = transaction.merchant_id,
              .amount = transaction.amount,
              .created_at = transaction.created_at};
  for_each_member(transaction.metadata, [&](std::string_view name, const boost::json::value& value) {
    if (const auto* text = value.if_string()) asked.metadata.emplace_back(name, *text);
  });
  std::ranges::sort(asked.metadata);
  for_each_member(transaction.payment_method, [&](std::string_view name, const boost::json::value&) {
    if (const auto adapter = parse_adapter(name)) asked.payment_methods.set(std::to_underlying(*adapter));
  });
  return asked;
}

}  // namespace switchyard::routing
