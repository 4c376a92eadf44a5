// Commands as they go over the wire (RESP arrays of bulk strings), any number behind each other.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace switchyard::redis {

class Commands {
 public:
  Commands() = default;
  // One command.
  Commands(std::initializer_list<std::string_view> words) { add(words); }

  Commands& add(std::initializer_list<std::string_view> words);

  // A command whose words come one by one: exactly `words` calls of word() follow.
  Commands& begin(std::size_t words);
  Commands& word(std::string_view text);
  Commands& word(std::int64_t number);

  // Words as word() wrote them elsewhere.
  Commands& encoded_words(std::string_view words);

  std::size_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  std::size_t count_ = 0;
};

}  // namespace switchyard::redis
