#include "rq/zlib.hpp"

#include <algorithm>

#include <zlib.h>

#include "base/assert.hpp"

namespace switchyard::rq {

Result<std::string> inflate(std::string_view bytes, std::size_t bytes_max) {
  z_stream stream{};
  SWITCHYARD_ASSERT(::inflateInit(&stream) == Z_OK);
  // zlib does not write to its input.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(std::min<std::size_t>(bytes.size(), 1U << 30U));
  std::string inflated;
  int status = Z_OK;
  while (status == Z_OK && inflated.size() <= bytes_max) {
    const auto before = inflated.size();
    inflated.resize(before + std::clamp<std::size_t>(before, 256, 64 * 1024));
    stream.next_out = reinterpret_cast<Bytef*>(inflated.data() + before);
    stream.avail_out = static_cast<uInt>(inflated.size() - before);
    status = ::inflate(&stream, Z_NO_FLUSH);
    inflated.resize(inflated.size() - stream.avail_out);
  }
  const bool all_read = stream.avail_in == 0;
  ::inflateEnd(&stream);
  if (inflated.size() > bytes_max)
    return fail(ErrorCode::invalid_argument, "the payload inflates to too much");
  if (status != Z_STREAM_END || !all_read)
    return fail(ErrorCode::invalid_argument, "the payload is not zlib");
  return inflated;
}

std::string deflate_stored(std::string_view bytes) {
  SWITCHYARD_ASSERT(bytes.size() <= 0xffff);
  const auto size = static_cast<unsigned>(bytes.size());
  const auto checksum =
      ::adler32(::adler32(0, nullptr, 0), reinterpret_cast<const Bytef*>(bytes.data()), size);
  std::string stored;
  stored.reserve(bytes.size() + 11);
  // Deflate with the smallest window; one last block, stored (RFC 1951, 3.2.4); Adler-32.
  stored += "\x78\x01\x01";
  for (const unsigned length : {size, ~size}) {
    stored += static_cast<char>(length & 0xff);
    stored += static_cast<char>((length >> 8) & 0xff);
  }
  stored += bytes;
  for (int shift = 24; shift >= 0; shift -= 8) stored += static_cast<char>((checksum >> shift) & 0xff);
  return stored;
}

}  // namespace switchyard::rq
