#include "psp-simulator/stripe/form.hpp"

#include <algorithm>
#include <charconv>

#include "base/ascii.hpp"

namespace switchyard::psp_simulator::stripe {
namespace {

// What stands in the brackets of name[...]; nothing if it is another name.
std::optional<std::string_view> in_brackets(std::string_view parameter, std::string_view name) {
  const bool is_below = parameter.starts_with(name) && parameter.substr(name.size()).starts_with('[') &&
                        parameter.ends_with(']');
  if (!is_below) return std::nullopt;
  return parameter.substr(name.size() + 1, parameter.size() - name.size() - 2);
}

bool is_index(std::string_view text) {
  return std::ranges::all_of(text, is_digit);
}

}  // namespace

std::optional<Form> Form::read(std::string_view text) {
  auto parameters = http::parse_query(text);
  if (!parameters) return std::nullopt;
  Form form;
  form.parameters_ = std::move(*parameters);
  return form;
}

std::optional<std::string_view> Form::find(std::string_view name) const {
  std::optional<std::string_view> found;
  for (const auto& parameter : parameters_) {
    if (parameter.name == name) found = parameter.value;
  }
  return found;
}

std::vector<std::string_view> Form::list(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& parameter : parameters_) {
    const auto index = in_brackets(parameter.name, name);
    if (index && is_index(*index)) values.push_back(parameter.value);
  }
  return values;
}

std::vector<std::pair<std::string, std::string>> Form::entries(std::string_view name) const {
  std::vector<std::pair<std::string, std::string>> entries;
  for (const auto& parameter : parameters_) {
    if (const auto key = in_brackets(parameter.name, name)) entries.emplace_back(*key, parameter.value);
  }
  return entries;
}

std::optional<std::string_view> Form::find_unknown(std::span<const std::string_view> known) const {
  for (const auto& parameter : parameters_) {
    const auto root = std::string_view(parameter.name).substr(0, parameter.name.find('['));
    if (std::ranges::find(known, root) == known.end()) return parameter.name;
  }
  return std::nullopt;
}

std::optional<std::int64_t> read_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace switchyard::psp_simulator::stripe
