#include "http/chunked_decoder.hpp"

#include <algorithm>

#include "base/hex.hpp"
#include "http/characters.hpp"

namespace switchyard::http {
namespace {

// All that 64 bits can hold; more would only be zeros in front, or an overflow (RFC 9112, 7.1).
constexpr std::size_t size_digits_max = 16;

}  // namespace

ChunkedDecoder::Progress ChunkedDecoder::put(std::string_view& input, std::string& body) {
  while (!input.empty()) {
    if (state_ == State::data) {
      const auto part = input.substr(0, static_cast<std::size_t>(size_));
      body += part;
      input.remove_prefix(part.size());
      size_ -= part.size();
      if (size_ == 0) state_ = State::data_cr;
      continue;
    }
    const auto progress = step(input.front());
    input.remove_prefix(1);
    if (progress != Progress::more) return progress;
  }
  return Progress::more;
}

ChunkedDecoder::Progress ChunkedDecoder::step(char c) {
  switch (state_) {
    case State::size:
      return size_character(c);
    case State::blank_after_size:
    case State::extension:
      return extension_character(c);
    case State::size_lf:
      return expect(c == '\n', size_ > 0 ? State::data : State::trailer_start);
    case State::data:
      break;
    case State::data_cr:
      size_digits_ = 0;
      return expect(c == '\r', State::data_lf);
    case State::data_lf:
      return expect(c == '\n', State::size);
    case State::trailer_start:
    case State::trailer_name:
    case State::trailer_value:
      return trailer_character(c);
    case State::trailer_lf:
      return expect(c == '\n', State::trailer_start);
    case State::last_lf:
      return c == '\n' ? Progress::complete : Progress::malformed;
  }
  return Progress::malformed;
}

ChunkedDecoder::Progress ChunkedDecoder::size_character(char c) {
  if (is_hex_digit(c)) {
    if (size_digits_++ == 0) size_ = 0;
    size_ = size_ * 16 + static_cast<unsigned>(hex_digit_value(c));
    return size_digits_ <= size_digits_max ? Progress::more : Progress::malformed;
  }
  if (size_digits_ == 0) return Progress::malformed;
  if (size_ > body_bytes_left_) return Progress::body_too_large;
  body_bytes_left_ -= static_cast<std::size_t>(size_);
  if (c == '\r') return expect(true, State::size_lf);
  return extension_character(c);
}

ChunkedDecoder::Progress ChunkedDecoder::extension_character(char c) {
  if (state_ == State::extension) {
    if (c == '\r') return expect(true, State::size_lf);
    return is_value_character(c) ? extra(State::extension) : Progress::malformed;
  }
  if (c == ';') return extra(State::extension);
  return c == ' ' || c == '\t' ? extra(State::blank_after_size) : Progress::malformed;
}

ChunkedDecoder::Progress ChunkedDecoder::trailer_character(char c) {
  if (state_ == State::trailer_value) {
    if (c == '\r') return extra(State::trailer_lf);
    return is_value_character(c) ? extra(State::trailer_value) : Progress::malformed;
  }
  if (state_ == State::trailer_start && c == '\r') return expect(true, State::last_lf);
  if (state_ == State::trailer_name && c == ':') return extra(State::trailer_value);
  return is_token_character(c) ? extra(State::trailer_name) : Progress::malformed;
}

ChunkedDecoder::Progress ChunkedDecoder::expect(bool fits, State next) {
  if (!fits) return Progress::malformed;
  state_ = next;
  return Progress::more;
}

ChunkedDecoder::Progress ChunkedDecoder::extra(State next) {
  if (extras_bytes_left_ == 0) return Progress::extras_too_large;
  --extras_bytes_left_;
  state_ = next;
  return Progress::more;
}

}  // namespace switchyard::http
