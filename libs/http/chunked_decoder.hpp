// The chunked transfer coding (RFC 9112, 7.1), taken off a body as its bytes arrive, in whatever pieces; no
// I/O.
//
// Extensions and trailers are checked for their form, counted against a bound and dropped: a trailer is never
// a header (RFC 9110, 6.5.1). Lines end with CR LF and nothing else, because readers that take less for an
// end are what request smuggling is made of. Cost is linear in the bytes received; nothing but the data is
// kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::http {

class ChunkedDecoder {
 public:
  enum class Progress {
    more,
    complete,
    malformed,
    body_too_large,    // more data than `body_bytes_max`
    extras_too_large,  // extensions and trailers of more than `extras_bytes_max`
  };

  ChunkedDecoder(std::size_t body_bytes_max, std::size_t extras_bytes_max)
      : body_bytes_left_(body_bytes_max), extras_bytes_left_(extras_bytes_max) {}

  // Takes what belongs to the body off the front of `input` and appends its data to `body`. All of the input,
  // unless the body is complete or refused. Not to be called again after anything but `more`.
  Progress put(std::string_view& input, std::string& body);

 private:
  // What is expected next.
  enum class State {
    size,              // "1f;a=b\r\n"
    blank_after_size,  //   white space, which only an extension may follow
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_start,  // a trailer, or the empty line that ends the body
    trailer_name,
    trailer_value,
    trailer_lf,
    last_lf,
  };

  Progress step(char c);
  Progress size_character(char c);
  Progress extension_character(char c);
  Progress trailer_character(char c);
  // `next` if the character is the one that must stand here.
  Progress expect(bool fits, State next);
  Progress extra(State next);

  State state_ = State::size;
  std::size_t size_digits_ = 0;
  std::uint64_t size_ = 0;
  std::size_t body_bytes_left_;
  std::size_t extras_bytes_left_;
};

}  // namespace switchyard::http
