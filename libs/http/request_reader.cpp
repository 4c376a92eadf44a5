#include "http/request_reader.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <fmt/format.h>

#include "base/ascii.hpp"
#include "http/characters.hpp"
#include "http/problem.hpp"
#include "http/target.hpp"

namespace switchyard::http {
namespace {

namespace beast = boost::beast;
using beast::http::field;

// Kept from one chunked body to the next.
constexpr std::size_t chunked_body_kept_bytes = 4096;

// How often those stand there that may stand once: of two, one reader takes the first, another the last (RFC
// 9110, 5.3).
struct Singletons {
  std::size_t host = 0;
  std::size_t authorization = 0;
  std::size_t content_type = 0;
  std::size_t idempotency_key = 0;
};

// One pass, which costs less than to look for each.
Singletons singletons_of(const beast::http::fields& header) {
  Singletons seen;
  for (const auto& line : header) {
    const auto name = line.name();
    if (name == field::host) ++seen.host;
    if (name == field::authorization) ++seen.authorization;
    if (name == field::content_type) ++seen.content_type;
    if (name == field::unknown && beast::iequals(line.name_string(), "Idempotency-Key"))
      ++seen.idempotency_key;
  }
  return seen;
}

Response header_too_large() {
  return problem(431, "Request header fields too large",
                 "the header is longer, or has more fields, than this server takes");
}

Response target_too_long() {
  return problem(414, "URI too long", "the first line of the request is longer than this server takes");
}

// Of a request line that is whole. Beast knows HTTP/1.0 and 1.1.
bool has_another_version(std::string_view line) {
  constexpr std::string_view shape = "HTTP/1.1";
  if (line.size() < shape.size()) return false;
  const auto version = line.substr(line.size() - shape.size());
  if (!version.starts_with("HTTP/") || !is_digit(version[5]) || version[6] != '.' || !is_digit(version[7]))
    return false;
  return version != "HTTP/1.1" && version != "HTTP/1.0";
}

Response another_version() {
  return problem(505, "HTTP version not supported", "this server speaks HTTP/1.1 and HTTP/1.0");
}

Response body_too_large() {
  return problem(413, "Content too large", "the body is larger than this server takes");
}

}  // namespace

RequestReader::Progress RequestReader::advance() {
  if (stage_ == Stage::header) {
    const auto progress = read_header();
    if (progress != Progress::complete) return progress;
  }
  const auto progress = read_body();
  if (progress == Progress::complete) stage_ = Stage::complete;
  if (progress != Progress::more || invited_ || header().version() < 11) return progress;
  if (!beast::iequals(header()[field::expect], "100-continue")) return progress;
  invited_ = true;
  return Progress::invite;
}

bool RequestReader::pass_blank_line() {
  if (scanned_ > 0 || blank_line_passed_ || !input_.view().starts_with('\r')) return true;
  if (input_.size() == 1) return false;
  if (input_.view()[1] != '\n') return true;
  input_.consume(2);
  blank_line_passed_ = true;
  return true;
}

// `complete` when the header ends at line_begin_. Lines end with CR LF; what else is wrong with them, Beast
// says.
RequestReader::Progress RequestReader::find_header_end() {
  if (!pass_blank_line()) return Progress::more;
  const auto input = input_.view();
  // At once, and not at the deadline: TLS, or noise.
  if (!input.empty() && !is_token_character(input.front()))
    return refuse_malformed("it does not begin with a method");
  for (;;) {
    const auto line_feed = input.find('\n', scanned_);
    scanned_ = line_feed == std::string_view::npos ? input.size() : line_feed + 1;
    if (scanned_ > limits_.header_bytes_max)
      return refuse(line_begin_ == 0 ? target_too_long() : header_too_large());
    if (line_feed == std::string_view::npos) return Progress::more;
    if (line_feed == 0 || input[line_feed - 1] != '\r')
      return refuse_malformed("a line ends with LF alone, and must end with CR LF");
    const auto line = input.substr(line_begin_, line_feed - 1 - line_begin_);
    if (line_begin_ == 0 && has_another_version(line)) return refuse(another_version());
    line_begin_ = scanned_;
    if (line.empty()) return Progress::complete;
    if (++lines_ > limits_.header_fields_max + 1) return refuse(header_too_large());
    if (line.front() == ' ' || line.front() == '\t')
      return refuse_malformed("a line of the header begins with white space (RFC 9112, 5.2)");
  }
}

RequestReader::Progress RequestReader::read_header() {
  const auto found = find_header_end();
  if (found != Progress::complete) return found;
  const auto size = line_begin_;
  parser_.emplace();
  parser_->skip(true);
  parser_->header_limit(static_cast<std::uint32_t>(size + 1));
  beast::error_code error;
  const auto read = parser_->put(boost::asio::buffer(input_.view().substr(0, size)), error);
  if (error == beast::http::error::need_more) return refuse_malformed("the request line is not whole");
  if (error) return refuse_malformed(error.message());
  if (!parser_->is_done() || read != size) return refuse_malformed("the header is not whole");
  input_.consume(size);
  return begin_body();
}

RequestReader::Progress RequestReader::begin_body() {
  const auto version = header().version();
  const auto seen = singletons_of(header());
  if (seen.host > 1 || (seen.host == 0 && version == 11))
    return refuse_bad("an HTTP/1.1 request carries exactly one Host header");
  const auto host = header()[field::host];
  if (!is_host({host.data(), host.size()}))
    return refuse_bad("the Host header is no host, such as example.com or example.com:8080");
  if (seen.authorization > 1) return refuse_bad("there is more than one Authorization header");
  if (seen.content_type > 1) return refuse_bad("there is more than one Content-Type header");
  if (seen.idempotency_key > 1) return refuse_bad("there is more than one Idempotency-Key header");
  auto framing = framing_of(header(), version);
  if (!framing) return refuse(std::move(framing.error()));
  if (framing->length > limits_.body_bytes_max) return refuse(body_too_large());
  framing_ = *framing;
  if (framing_.chunked) decoder_.emplace(limits_.body_bytes_max, limits_.header_bytes_max - line_begin_);
  stage_ = Stage::body;
  return Progress::complete;
}

RequestReader::Progress RequestReader::read_body() {
  if (framing_.chunked) return read_chunks();
  return input_.size() >= framing_.length ? Progress::complete : Progress::more;
}

RequestReader::Progress RequestReader::read_chunks() {
  auto input = input_.view();
  const auto progress = decoder_->put(input, chunked_body_);
  input_.consume(input_.size() - input.size());
  switch (progress) {
    case ChunkedDecoder::Progress::more:
      return Progress::more;
    case ChunkedDecoder::Progress::complete:
      return Progress::complete;
    case ChunkedDecoder::Progress::body_too_large:
      return refuse(body_too_large());
    case ChunkedDecoder::Progress::extras_too_large:
      return refuse(header_too_large());
    case ChunkedDecoder::Progress::malformed:
      break;
  }
  return refuse_malformed("the chunked body is malformed (RFC 9112, 7.1)");
}

std::string_view RequestReader::body() const {
  if (framing_.chunked) return chunked_body_;
  return input_.view().substr(0, static_cast<std::size_t>(framing_.length));
}

void RequestReader::next() {
  if (!framing_.chunked) input_.consume(static_cast<std::size_t>(framing_.length));
  input_.shrink();
  chunked_body_.clear();
  if (chunked_body_.capacity() > chunked_body_kept_bytes) chunked_body_.shrink_to_fit();
  parser_.reset();
  decoder_.reset();
  stage_ = Stage::header;
  scanned_ = line_begin_ = lines_ = 0;
  blank_line_passed_ = false;
  framing_ = {};
  invited_ = false;
}

void RequestReader::drop() {
  input_.consume(input_.size());
  framing_ = {};
  next();
}

std::size_t RequestReader::extra_bytes() const {
  const auto chunked = chunked_body_.capacity();
  return input_.extra_bytes() + (chunked > chunked_body_kept_bytes ? chunked : 0);
}

RequestReader::Progress RequestReader::refuse(Response refusal) {
  refusal_ = std::move(refusal);
  return Progress::refused;
}

RequestReader::Progress RequestReader::refuse_bad(std::string_view detail) {
  return refuse(problem(400, "Bad request", detail));
}

RequestReader::Progress RequestReader::refuse_malformed(std::string_view detail) {
  return refuse_bad(fmt::format("the request is not HTTP/1.1: {}", detail));
}

}  // namespace switchyard::http
