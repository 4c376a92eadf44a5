#include "redis/commands.hpp"

#include <array>
#include <charconv>

namespace switchyard::redis {
namespace {

void append_header(std::string& bytes, char type, std::size_t number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  bytes += type;
  bytes.append(digits.data(), end);
  bytes += "\r\n";
}

}  // namespace

Commands& Commands::add(std::initializer_list<std::string_view> words) {
  begin(words.size());
  for (const auto text : words) word(text);
  return *this;
}

Commands& Commands::begin(std::size_t words) {
  ++count_;
  append_header(bytes_, '*', words);
  return *this;
}

Commands& Commands::word(std::string_view text) {
  append_header(bytes_, '$', text.size());
  bytes_ += text;
  bytes_ += "\r\n";
  return *this;
}

Commands& Commands::word(std::int64_t number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  return word(std::string_view(digits.data(), end));
}

Commands& Commands::encoded_words(std::string_view words) {
  bytes_ += words;
  return *this;
}

}  // namespace switchyard::redis
