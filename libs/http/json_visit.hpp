// Implementation of for_each_text; included by json.hpp.
#pragma once

#include <cmath>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace switchyard::http {

template <class Visitor>
void for_each_text(const boost::json::value& value, Visitor&& visit) {
  switch (value.kind()) {
    case boost::json::kind::object:
      for (const auto& member : value.get_object()) {
        visit(std::string_view(member.key().data(), member.key().size()));
        for_each_text(member.value(), visit);
      }
      break;
    case boost::json::kind::array:
      for (const auto& item : value.get_array()) for_each_text(item, visit);
      break;
    case boost::json::kind::string:
      visit(std::string_view(value.get_string().data(), value.get_string().size()));
      break;
    case boost::json::kind::int64:
      visit(std::string_view(fmt::format_int(value.get_int64()).c_str()));
      break;
    case boost::json::kind::uint64:
      visit(std::string_view(fmt::format_int(value.get_uint64()).c_str()));
      break;
    case boost::json::kind::double_:
      // Without its exponent and what is behind the point: 4111111111111111.0 is a card number, too.
      if (std::abs(value.get_double()) < 1e19)
        visit(std::string_view(fmt::format("{:.0f}", value.get_double())));
      break;
    case boost::json::kind::bool_:
    case boost::json::kind::null:
      break;
  }
}

}  // namespace switchyard::http
