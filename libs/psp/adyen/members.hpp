// The members of a JSON object that Adyen sends. One of a wrong type is noted, so that it is not taken for
// one that is missing; what is null is missing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

namespace switchyard::psp::adyen {

// As Adyen writes it, in its own minor units.
struct Amount {
  std::int64_t value = 0;
  std::string currency;
};

// "1500 EUR", "0 of no currency".
std::string to_string(const Amount& amount);

class Members {
 public:
  // `object` outlives this.
  explicit Members(const boost::json::object& object) : object_(object) {}

  // Empty where it is missing.
  std::string text(std::string_view name);
  // A text, or a whole number, for codes.
  std::string code(std::string_view name);
  // A text, or true or false: "true" and "false".
  std::string flag(std::string_view name);
  // A whole number, and a text, be it empty or of no currency. Nothing where it is missing, or says neither.
  std::optional<Amount> amount(std::string_view name);
  // Nothing where it is missing.
  const boost::json::object* object(std::string_view name);

  // Whether everything asked for so far was missing or of the type that it must have.
  bool are_sound() const { return are_sound_; }

 private:
  const boost::json::value* find(std::string_view name) const;

  const boost::json::object& object_;
  bool are_sound_ = true;
};

}  // namespace switchyard::psp::adyen
