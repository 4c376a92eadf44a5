// The parser of Redis' answers: however the stream is cut, the same answers come out of it.
#include <string>
#include <vector>

#include "fuzz/input.hpp"
#include "redis/reply.hpp"

namespace switchyard::fuzz {
namespace {

using redis::Reply;

struct Read {
  std::vector<Reply> replies;
  // How much had been fed when each of them was whole.
  std::vector<std::size_t> ends;
  bool refused = false;
};

bool same(const Reply& left, const Reply& right);

bool same(const std::vector<Reply>& left, const std::vector<Reply>& right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (!same(left[i], right[i])) return false;
  }
  return true;
}

bool same(const Reply& left, const Reply& right) {
  return left.kind == right.kind && left.integer == right.integer && left.text == right.text &&
         same(left.elements, right.elements);
}

std::size_t elements_of(const Reply& reply) {
  std::size_t count = reply.elements.size();
  for (const auto& element : reply.elements) count += elements_of(element);
  return count;
}

// Feeds `bytes` in pieces, of which the next one has `size_of_piece()` bytes.
template <class SizeOfPiece>
Read read(std::string_view bytes, redis::ReplyLimits limits, SizeOfPiece size_of_piece) {
  redis::ReplyReader reader(limits);
  Read read;
  std::size_t fed = 0;
  while (!bytes.empty() && !read.refused) {
    const auto piece = bytes.substr(0, size_of_piece());
    bytes.remove_prefix(piece.size());
    reader.feed(piece);
    fed += piece.size();
    while (true) {
      auto reply = reader.next();
      if (!reply) SWITCHYARD_ASSERT(reply.error().code == ErrorCode::queue_unavailable);
      read.refused = !reply.has_value();
      if (!reply || !*reply) break;
      SWITCHYARD_ASSERT(elements_of(**reply) <= limits.elements_max);
      read.replies.push_back(std::move(**reply));
      read.ends.push_back(fed);
    }
  }
  return read;
}

// What RESP2 says for it.
std::string written(const Reply& reply) {
  const auto line = [](char type, const std::string& text) { return type + text + "\r\n"; };
  switch (reply.kind) {
    case Reply::Kind::nil:
      return "$-1\r\n";
    case Reply::Kind::integer:
      return line(':', std::to_string(reply.integer));
    case Reply::Kind::text:
      return line('$', std::to_string(reply.text.size())) + reply.text + "\r\n";
    case Reply::Kind::status:
      return line('+', reply.text);
    case Reply::Kind::error:
      return line('-', reply.text);
    case Reply::Kind::array:
      break;
  }
  auto text = line('*', std::to_string(reply.elements.size()));
  for (const auto& element : reply.elements) text += written(element);
  return text;
}

// Each reply is held against the bounds by itself: as long as they keep within, all are read, and the first
// that does not is the last. `by_byte` is what comes out without them.
void check_bounds(std::string_view bytes, const Read& by_byte) {
  constexpr redis::ReplyLimits narrow{.bytes_max = 16, .elements_max = 4};
  const auto bounded = read(bytes, narrow, [] { return std::size_t{1}; });
  std::size_t begin = 0;
  for (std::size_t i = 0; i < by_byte.replies.size(); ++i) {
    const auto size = by_byte.ends[i] - begin;
    begin = by_byte.ends[i];
    // Seen when it is over the bound and not whole yet.
    const bool fits = size <= narrow.bytes_max + 1 && elements_of(by_byte.replies[i]) <= narrow.elements_max;
    if (!fits) {
      SWITCHYARD_ASSERT(bounded.refused && bounded.replies.size() == i);
      return;
    }
    SWITCHYARD_ASSERT(i < bounded.replies.size() && same(bounded.replies[i], by_byte.replies[i]));
  }
}

}  // namespace

void check(Input input) {
  constexpr redis::ReplyLimits limits{.bytes_max = 64 * 1024, .elements_max = 256};
  const auto first = input.below(64);
  const auto second = input.below(64);
  const auto bytes = input.rest();
  if (bytes.size() > limits.bytes_max) return;

  const auto whole = read(bytes, limits, [&bytes] { return bytes.size(); });
  const auto by_byte = read(bytes, limits, [] { return std::size_t{1}; });
  bool odd = false;
  const auto in_pieces = read(bytes, limits, [&] { return 1 + ((odd = !odd) ? first : second); });
  for (const auto* cut : {&by_byte, &in_pieces}) {
    SWITCHYARD_ASSERT(cut->refused == whole.refused && same(cut->replies, whole.replies));
  }

  for (const auto& reply : whole.replies) {
    const auto text = written(reply);
    const auto again = read(text, limits, [&text] { return text.size(); });
    SWITCHYARD_ASSERT(!again.refused && again.replies.size() == 1 && same(again.replies.front(), reply));
  }

  check_bounds(bytes, by_byte);
}

}  // namespace switchyard::fuzz
