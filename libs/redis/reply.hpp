// What Redis answers (RESP2), and the parser of a stream of it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

struct redisReader;

namespace switchyard::redis {

struct Reply {
  enum class Kind : std::uint8_t { nil, integer, text, status, error, array };

  Kind kind = Kind::nil;
  std::int64_t integer = 0;
  // Of text, status and error; an error begins with its code, such as "WRONGTYPE".
  std::string text;
  std::vector<Reply> elements;

  bool is_nil() const { return kind == Kind::nil; }
  bool is_error() const { return kind == Kind::error; }
  // Whether it is the text or status `wanted`.
  bool is(std::string_view wanted) const {
    return (kind == Kind::text || kind == Kind::status) && text == wanted;
  }
};

// Redis said no: queue_unavailable with its words. An error reply is a value until this is asked.
Result<void> require_no_error(const Reply& reply);
// The first error among them.
Result<void> require_no_error(const std::vector<Reply>& replies);

// Bounds of one reply; more is a broken server, and the connection is given up.
struct ReplyLimits {
  std::size_t bytes_max = 64 * 1024 * 1024;
  std::size_t elements_max = 1024 * 1024;
};

// Turns bytes into replies; nesting is bounded by hiredis (seven arrays). Belongs to one connection.
class ReplyReader {
 public:
  explicit ReplyReader(ReplyLimits limits = {});
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  void feed(std::string_view bytes);
  // The next whole reply, or nothing yet. Error: not RESP, or over a bound; then the reader is of no use any
  // more.
  Result<std::optional<Reply>> next();

 private:
  friend struct ReplyBuilder;

  struct Free {
    void operator()(redisReader* reader) const;
  };

  const ReplyLimits limits_;
  std::unique_ptr<redisReader, Free> reader_;
  // Of the reply that is being read.
  std::size_t elements_ = 0;
  std::size_t unread_bytes_ = 0;
};

}  // namespace switchyard::redis
