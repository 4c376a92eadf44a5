// The forms that Stripe takes: "a=1&metadata[b]=2&expand[]=c", in a body or a query. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/query.hpp"

namespace switchyard::psp_simulator::stripe {

class Form {
 public:
  // Nothing if it cannot be decoded.
  static std::optional<Form> read(std::string_view text);

  // The last one of the name; nothing if it is not there.
  std::optional<std::string_view> find(std::string_view name) const;
  // Empty if it is not there.
  std::string_view text(std::string_view name) const { return find(name).value_or(std::string_view()); }
  // Of name[0], name[1] or name[].
  std::vector<std::string_view> list(std::string_view name) const;
  // Of name[key]: keys and values.
  std::vector<std::pair<std::string, std::string>> entries(std::string_view name) const;

  // The first parameter whose name, up to a bracket, is not one of these; nothing if there is none.
  std::optional<std::string_view> find_unknown(std::span<const std::string_view> known) const;

 private:
  std::vector<http::QueryParameter> parameters_;
};

// Nothing for what is no whole number.
std::optional<std::int64_t> read_integer(std::string_view text);

}  // namespace switchyard::psp_simulator::stripe
