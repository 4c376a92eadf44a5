// Takes HTTP/1.1 requests (RFC 9112) out of the bytes of one connection, in whatever pieces they arrive; no
// I/O.
//
// Beast's parser gets a header only once it is whole, and never a body: that is framed here (framing,
// chunked_decoder). Needed until Boost 1.86: up to 1.85 Beast's own chunked parser ends the process over a
// last chunk that is cut in the wrong place (boostorg/beast#2861). Of use beyond it: in every version it
// counts neither extensions nor trailers nor a header's fields that come one by one against a bound, reads
// some of them again for each byte, merges trailers into the header, and passes over a Transfer-Encoding that
// it does not know.
//
// Whatever the pieces, the result is the same, and the cost linear in the bytes received. Memory is bounded
// by Limits: twice the longer of header and body, and as much again for a chunked body.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "http/chunked_decoder.hpp"
#include "http/framing.hpp"
#include "http/input_buffer.hpp"
#include "http/limits.hpp"
#include "http/message.hpp"

namespace switchyard::http {

class RequestReader {
 public:
  using Header = boost::beast::http::request<boost::beast::http::empty_body>;

  enum class Progress {
    more,    // read more
    invite,  // the client waits for "100 Continue" (RFC 9110, 10.1.1); then as `more`. At most once a request
    complete,  // header() and body() are there, until next()
    refused,   // refusal() says why; nothing that follows on this connection can be understood
  };

  // The limits outlive it.
  explicit RequestReader(const Limits& limits) : limits_(limits) {}

  // Where the next read goes; its bytes are added to it, then advance() is called.
  InputBuffer& input() { return input_; }
  Progress advance();

  // Not a byte of the next request is there.
  bool is_idle() const { return stage_ == Stage::header && input_.empty(); }

  const Header& header() const { return parser_->get(); }
  // Valid until next() or the next read.
  std::string_view body() const;
  bool keep_alive() const { return parser_->keep_alive(); }
  Response take_refusal() { return std::move(refusal_); }

  // Done with the request: the next one begins behind it. Gives memory back that a usual request does not
  // need.
  void next();
  // Drops everything: after a refusal.
  void drop();

  // What it holds in memory beyond what it keeps while it is idle.
  std::size_t extra_bytes() const;

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::empty_body>;
  enum class Stage { header, body, complete };

  // A blank line before a request is passed over, once (RFC 9112, 2.2); false if more is needed to see it.
  bool pass_blank_line();
  Progress find_header_end();
  Progress read_header();
  Progress begin_body();
  Progress read_body();
  Progress read_chunks();
  Progress refuse(Response refusal);
  Progress refuse_bad(std::string_view detail);
  Progress refuse_malformed(std::string_view detail);

  const Limits& limits_;
  InputBuffer input_;
  Stage stage_ = Stage::header;
  // The header so far: what has been looked at, and where its last line begins.
  std::size_t scanned_ = 0;
  std::size_t line_begin_ = 0;
  std::size_t lines_ = 0;
  bool blank_line_passed_ = false;
  std::optional<Parser> parser_;
  Framing framing_;
  std::optional<ChunkedDecoder> decoder_;
  std::string chunked_body_;
  bool invited_ = false;
  Response refusal_;
};

}  // namespace switchyard::http
