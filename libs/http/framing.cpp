#include "http/framing.hpp"

#include <charconv>
#include <optional>

#include <boost/beast/core/string.hpp>

#include "http/characters.hpp"
#include "http/problem.hpp"

namespace switchyard::http {
namespace {

using boost::beast::http::field;
using boost::beast::http::fields;

std::unexpected<Response> refuse(std::string_view detail) {
  return std::unexpected(problem(400, "Bad request", detail));
}

bool is_chunked(std::string_view coding) {
  return boost::beast::iequals(boost::string_view(coding.data(), coding.size()), "chunked");
}

// How often "chunked" is named, and whether it stands last, in all Transfer-Encoding fields.
struct Codings {
  std::size_t count = 0;
  std::size_t chunked = 0;
  bool chunked_is_last = false;
  bool any_is_empty = false;
};

Codings codings_of(const fields& header) {
  Codings codings;
  const auto [first, last] = header.equal_range(field::transfer_encoding);
  for (auto line = first; line != last; ++line) {
    std::string_view rest(line->value().data(), line->value().size());
    for (bool more = true; more;) {
      const auto comma = rest.find(',');
      const auto coding = without_blanks_around(rest.substr(0, comma));
      ++codings.count;
      codings.any_is_empty |= coding.empty();
      codings.chunked_is_last = is_chunked(coding);
      codings.chunked += codings.chunked_is_last ? 1 : 0;
      more = comma != std::string_view::npos;
      if (more) rest.remove_prefix(comma + 1);
    }
  }
  return codings;
}

std::expected<Framing, Response> transfer_framing(const fields& header, unsigned version) {
  if (version < 11) return refuse("HTTP/1.0 knows no Transfer-Encoding: send the body with Content-Length");
  const auto codings = codings_of(header);
  if (codings.any_is_empty)
    return refuse("Transfer-Encoding is empty, or names an empty coding: send 'chunked'");
  if (codings.chunked > 1 || (codings.chunked == 1 && !codings.chunked_is_last))
    return refuse("'chunked' must be the last transfer coding, and stand there once");
  if (codings.count == 1 && codings.chunked_is_last) return Framing{.chunked = true};
  return std::unexpected(
      problem(501, "Not implemented", "the only transfer coding that is understood here is 'chunked'"));
}

std::optional<std::uint64_t> decimal(std::string_view digits) {
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || rest != digits.data() + digits.size()) return std::nullopt;
  return number;
}

}  // namespace

std::expected<Framing, Response> framing_of(const fields& header, unsigned version) {
  std::size_t lengths = 0;
  std::size_t transfer_encodings = 0;
  std::string_view length_text;
  // One pass, which costs less than to look for each.
  for (const auto& line : header) {
    if (line.name() == field::transfer_encoding) ++transfer_encodings;
    if (line.name() != field::content_length) continue;
    ++lengths;
    length_text = {line.value().data(), line.value().size()};
  }
  if (transfer_encodings > 0 && lengths > 0)
    return refuse("Content-Length and Transfer-Encoding in one request: send one of them");
  if (transfer_encodings > 0) return transfer_framing(header, version);
  if (lengths == 0) return Framing{};
  if (lengths > 1) return refuse("Content-Length stands there more than once");
  const auto length = decimal(length_text);
  if (!length) return refuse("Content-Length must be a whole number of bytes, such as 42");
  return Framing{.length = *length};
}

}  // namespace switchyard::http
