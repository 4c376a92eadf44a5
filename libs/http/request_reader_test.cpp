#include "http/request_reader.hpp"

#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace switchyard::http {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::size_t header_bytes_max = 400;
constexpr std::size_t body_bytes_max = 100;
constexpr Limits limits{.header_bytes_max = header_bytes_max, .body_bytes_max = body_bytes_max};

// Gives the bytes to a reader in pieces, and notes what it makes of them: "/target body" for each request,
// then "refused STATUS", or "more" if it waits for more at the end.
class Reading {
 public:
  void give(std::string_view piece) {
    if (refused_) return;
    auto& input = reader_.input();
    while (!piece.empty()) {
      const auto room = input.prepare();
      ASSERT_GT(room.size(), 0U);
      const auto part = piece.substr(0, room.size());
      std::memcpy(room.data(), part.data(), part.size());
      input.commit(part.size());
      piece.remove_prefix(part.size());
    }
    advance();
  }

  std::vector<std::string> outcome() const {
    auto outcome = seen_;
    if (!refused_) outcome.emplace_back(reader_.is_idle() ? "idle" : "more");
    return outcome;
  }
  const std::string& refusal() const { return refusal_; }
  int invitations() const { return invitations_; }

 private:
  void advance() {
    for (;;) {
      switch (reader_.advance()) {
        case RequestReader::Progress::invite:
          ++invitations_;
          return;
        case RequestReader::Progress::more:
          return;
        case RequestReader::Progress::refused: {
          refused_ = true;
          const auto response = reader_.take_refusal();
          refusal_ = response.body;
          seen_.push_back(fmt::format("refused {}", response.status));
          return;
        }
        case RequestReader::Progress::complete: {
          const auto target = reader_.header().target();
          seen_.push_back(
              fmt::format("{} {}", std::string_view(target.data(), target.size()), reader_.body()));
          reader_.next();
          if (reader_.is_idle()) return;
        }
      }
    }
  }

  RequestReader reader_{limits};
  std::vector<std::string> seen_;
  std::string refusal_;
  int invitations_ = 0;
  bool refused_ = false;
};

std::vector<std::string> read_whole(std::string_view bytes) {
  Reading reading;
  reading.give(bytes);
  return reading.outcome();
}

// However the bytes are cut, they mean the same: in two at each byte, in three around each, and one by one.
void expect(std::string_view bytes, const std::vector<std::string>& outcome) {
  SCOPED_TRACE(bytes.substr(0, 300));
  EXPECT_EQ(read_whole(bytes), outcome);
  Reading one_by_one;
  for (const char& byte : bytes) one_by_one.give({&byte, 1});
  EXPECT_EQ(one_by_one.outcome(), outcome) << "byte by byte";
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    Reading in_two;
    in_two.give(bytes.substr(0, cut));
    in_two.give(bytes.substr(cut));
    ASSERT_EQ(in_two.outcome(), outcome) << "cut at byte " << cut;
    Reading in_three;
    in_three.give(bytes.substr(0, cut));
    in_three.give(bytes.substr(cut, 1));
    in_three.give(bytes.substr(cut + 1));
    ASSERT_EQ(in_three.outcome(), outcome) << "cut around byte " << cut;
  }
}

std::string post(std::string_view headers, std::string_view body) {
  return fmt::format("POST /x HTTP/1.1\r\nHost: a\r\n{}\r\n{}", headers, body);
}
std::string chunked(std::string_view body) {
  return post("Transfer-Encoding: chunked\r\n", body);
}

// What follows is another request, if the reader goes on at all.
const std::string next_request = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

TEST(RequestReader, ReadsBodiesWithALength) {
  expect(post("Content-Length: 5\r\n", "hello") + next_request, {"/x hello", "/next ", "idle"});
  expect(post("Content-Length: 005\r\n", "hello") + next_request, {"/x hello", "/next ", "idle"});
  expect(post("Content-Length: 0\r\n", "") + next_request, {"/x ", "/next ", "idle"});
  expect(post("", "") + next_request, {"/x ", "/next ", "idle"});
  expect(post("Content-Length: 5\r\n", "hell"), {"more"});
  expect(post("Content-Length: 100\r\n", std::string(100, 'x')), {"/x " + std::string(100, 'x'), "idle"});
  expect("POST /x HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", {"/x hello", "idle"});
}

TEST(RequestReader, ReadsChunkedBodies) {
  for (const std::string_view body : {
           "5\r\nhello\r\n0\r\n\r\n",
           "1\r\nh\r\n1\r\ne\r\n3\r\nllo\r\n0\r\n\r\n",
           "05\r\nhello\r\n000\r\n\r\n",
           "0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n",
           "5;a\r\nhello\r\n0;b=c;d=\"e;f\"\r\n\r\n",
           "5 ;a=b\r\nhello\r\n0\t; c\r\n\r\n",
           "5;\r\nhello\r\n0;\r\n\r\n",
           "5\r\nhello\r\n0\r\nTrailer: x\r\nOther:\r\n\r\n",
       }) {
    expect(chunked(body) + next_request, {"/x hello", "/next ", "idle"});
  }
  expect(chunked("0\r\n\r\n") + next_request, {"/x ", "/next ", "idle"});
  expect(chunked("0\r\nA: b\r\n\r\n"), {"/x ", "idle"});
  expect(chunked("A\r\n0123456789\r\n0\r\n\r\n"), {"/x 0123456789", "idle"});
  expect(chunked("a\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n"), {"/x \r\n\r\n\r\n\r\n\r\n", "idle"});
  expect(post("transfer-encoding: \t Chunked \r\n", "0\r\n\r\n"), {"/x ", "idle"});
  for (const std::string_view part :
       {"",       "5",         "5;",          "5;a=\"",        "5\r",
        "5\r\n",  "5\r\nhell", "5\r\nhello",  "5\r\nhello\r",  "5\r\nhello\r\n",
        "0",      "0;a",       "0\r",         "0\r\n",         "0\r\n\r",
        "0\r\nA", "0\r\nA:",   "0\r\nA: b\r", "0\r\nA: b\r\n", "0\r\nA: b\r\n\r"}) {
    expect(chunked(part), {"more"});
  }
}

TEST(RequestReader, RefusesMalformedChunks) {
  for (const std::string_view body : {
           "\r\n",
           "x\r\n",
           "g\r\n",
           "-1\r\n",
           "+5\r\nhello\r\n",
           " 5\r\nhello\r\n",
           "0x5\r\nhello\r\n",
           "5 \r\nhello\r\n",
           "5 x\r\nhello\r\n",
           "5,5\r\nhello\r\n",
           ";a\r\n",
           "5\nhello\r\n0\r\n\r\n",
           "5\rhello\r\n0\r\n\r\n",
           "5\r\rhello",
           "5;a\nhello\r\n",
           "5;a\rb\r\nhello\r\n",
           "5;a\x01\r\nhello\r\n",
           "5\r\nhello0\r\n\r\n",
           "5\r\nhello\n0\r\n\r\n",
           "5\r\nhello\r0\r\n\r\n",
           "5\r\nhelloo\r\n0\r\n\r\n",
           "5\r\nhello\r\n\r\n0\r\n\r\n",
           "00000000000000005\r\nhello\r\n",
           "ffffffffffffffffff\r\n",
           "0\r\n\n",
           "0\r\n\rx",
           "0\r\nno colon\r\n\r\n",
           "0\r\n: no name\r\n\r\n",
           "0\r\nA : b\r\n\r\n",
           "0\r\nA: b\r\n folded\r\n\r\n",
           "0\r\nA: b\n\r\n",
           "0\r\nA: b\rc\r\n\r\n",
           "0\r\nA: \x01\r\n\r\n",
       }) {
    expect(chunked(body) + next_request, {"refused 400"});
  }
  expect(chunked(std::string_view("0\r\nA: \0\r\n\r\n", 11)), {"refused 400"});
  expect(chunked(std::string_view("5\0\r\nhello\r\n", 11)), {"refused 400"});
}

TEST(RequestReader, BoundsTheDataOfABody) {
  expect(post("Content-Length: 101\r\n", "x"), {"refused 413"});
  expect(post("Content-Length: 18446744073709551615\r\n", ""), {"refused 413"});
  expect(chunked("65\r\n"), {"refused 413"});
  expect(chunked("ffffffffffffffff\r\n"), {"refused 413"});
  expect(chunked("64\r\n" + std::string(100, 'x') + "\r\n1\r\nx"), {"refused 413"});
  expect(chunked("64\r\n" + std::string(100, 'x') + "\r\n0\r\n\r\n"),
         {"/x " + std::string(100, 'x'), "idle"});
}

TEST(RequestReader, CountsExtensionsAndTrailersAgainstTheBoundOfTheHeader) {
  const auto head = chunked("").size();
  const auto left = header_bytes_max - head;
  const auto extension = [](std::size_t size) { return ";" + std::string(size - 1, 'e'); };
  expect(chunked("1" + extension(left) + "\r\nx\r\n0\r\n\r\n"), {"/x x", "idle"});
  expect(chunked("1" + extension(left + 1) + "\r\nx\r\n0\r\n\r\n"), {"refused 431"});
  expect(chunked("0" + extension(left + 1)), {"refused 431"});
  expect(chunked("1" + std::string(left + 1, ' ')), {"refused 431"});
  expect(chunked("1" + extension(left - 10) + "\r\nx\r\n1" + extension(11)), {"refused 431"});

  const auto trailer = [](std::size_t size) { return "T:" + std::string(size - 3, 't') + "\r\n"; };
  expect(chunked("0\r\n" + trailer(left) + "\r\n"), {"/x ", "idle"});
  expect(chunked("0\r\n" + trailer(left + 1)), {"refused 431"});
  expect(chunked("0\r\n" + std::string(left + 1, 'T')), {"refused 431"});
  expect(chunked("0" + extension(left - 10) + "\r\n" + trailer(11)), {"refused 431"});
}

TEST(RequestReader, ATrailerIsNoHeader) {
  Reading reading;
  RequestReader reader(limits);
  const auto bytes = chunked("2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\nHost: b\r\n\r\n");
  std::memcpy(reader.input().prepare().data(), bytes.data(), bytes.size());
  reader.input().commit(bytes.size());
  ASSERT_EQ(reader.advance(), RequestReader::Progress::complete);
  EXPECT_EQ(reader.body(), "{}");
  EXPECT_EQ(reader.header().count("Authorization"), 0U);
  EXPECT_EQ(reader.header().count("Host"), 1U);
}

TEST(RequestReader, RefusesATransferCodingThatIsNotJustChunked) {
  for (const std::string_view coding : {"identity", "gzip", "xchunked", "gzip, chunked", "chunked;q=1",
                                        "\"chunked\"", "deflate\r\nTransfer-Encoding: chunked"}) {
    expect(post(fmt::format("Transfer-Encoding: {}\r\n", coding), "0\r\n\r\n") + next_request,
           {"refused 501"});
  }
  for (const std::string_view coding :
       {"", " ", ",", "chunked,", ",chunked", "chunked, identity", "chunked, chunked",
        "chunked, gzip, chunked", "chunked\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: identity", "chunked\r\nTransfer-Encoding:",
        "\x0b"
        "chunked",
        "chunked\x0c"}) {
    expect(post(fmt::format("Transfer-Encoding: {}\r\n", coding), "0\r\n\r\n") + next_request,
           {"refused 400"});
  }
  expect("POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {"refused 400"});
  expect("GET /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", {"refused 501"});
}

TEST(RequestReader, RefusesALengthInDoubt) {
  for (const std::string_view headers : {
           "Content-Length: 5\r\nContent-Length: 6\r\n",
           "Content-Length: 5\r\nContent-Length: 5\r\n",
           "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
           "Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
           "Content-Length: 5, 5\r\n",
           "Content-Length: 5,\r\n",
           "Content-Length: +5\r\n",
           "Content-Length: -5\r\n",
           "Content-Length: 0x5\r\n",
           "Content-Length: 5 5\r\n",
           "Content-Length: 5e0\r\n",
           "Content-Length: 5.0\r\n",
           "Content-Length: \"5\"\r\n",
           "Content-Length: \r\n",
           "Content-Length: 18446744073709551616\r\n",
           "Content-Length: 99999999999999999999\r\n",
           "Content-Length : 5\r\n",
       }) {
    expect(post(headers, "hello") + next_request, {"refused 400"});
  }
}

TEST(RequestReader, RefusesWhatIsNotHttp) {
  for (const std::string_view bytes : {
           "hello\r\n\r\n",
           "GET /x\r\n\r\n",
           "GET / \r\n\r\n",
           "GET / HT\r\n\r\n",
           "GET /x http/1.1\r\nHost: a\r\n\r\n",
           "GET  /x HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET /x HTTP/1.1 \r\nHost: a\r\n\r\n",
           "GET /x HTTP/1.1\nHost: a\n\n",
           "GET /x HTTP/1.1\r\nHost: a\n\r\n",
           "GET /x HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n",
           "GET /x HTTP/1.1\r\nHost: a\r\nA: b\r\r\n\r\n",
           "GET /x HTTP/1.1\r\nHost: a\r\nA: b\r\n folded\r\n\r\n",
           "GET /x HTTP/1.1\r\n Host: a\r\n\r\n",
           "GET /x HTTP/1.1\r\nHost : a\r\n\r\n",
           "GET /x HTTP/1.1\r\n: a\r\nHost: a\r\n\r\n",
           "GET /x HTTP/1.1\r\nno colon\r\nHost: a\r\n\r\n",
           "GET /x HTTP/1.1\r\nHost: a\r\nA\x01: b\r\n\r\n",
           "GET /x HTTP/1.1\r\nHost: a\r\nA: \x7f\r\n\r\n",
           "GET /x HTTP/1.1\r\n\r\n",
           "GET /x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
           "\x16\x03\x01\x02",
           "\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
           "\rGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET /x HTTP/1.1\r\nHost: a b\r\n\r\n",
           "GET /x HTTP/1.1\r\nHost: a/@\r\n\r\n",
           " GET /x HTTP/1.1\r\n",
           "{\"a\":1}",
       }) {
    expect(bytes, {"refused 400"});
  }
  expect(std::string_view("GET /x HTTP/1.1\r\nHost: a\r\nA: \0\r\n\r\n", 35), {"refused 400"});
  expect(std::string_view("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 29), {"refused 400"});
}

TEST(RequestReader, NamesTheVersionsThatItSpeaks) {
  for (const char* version : {"HTTP/2.0", "HTTP/0.9", "HTTP/1.2"}) {
    expect(fmt::format("GET /x {}\r\nHost: a\r\n\r\n", version), {"refused 505"});
  }
  expect("GET /x HTTP/11\r\nHost: a\r\n\r\n", {"refused 400"});
}

// RFC 9112, 2.2: some clients end a body with a line break that its length does not count.
TEST(RequestReader, PassesOneBlankLineBeforeARequestOver) {
  const auto request = post("Content-Length: 5\r\n", "hello");
  expect("\r\n" + request, {"/x hello", "idle"});
  expect(request + "\r\n" + request + "\r\n", {"/x hello", "/x hello", "idle"});
}

// 16 KB of fields of four bytes cost as much as forty requests.
TEST(RequestReader, BoundsTheNumberOfFields) {
  constexpr Limits few{.header_fields_max = 10};
  const auto progress_with = [&few](std::size_t fields) {
    RequestReader reader(few);
    std::string bytes = "GET /x HTTP/1.1\r\nHost: a\r\n";
    for (std::size_t i = 1; i < fields; ++i) bytes += "a:\r\n";
    bytes += "\r\n";
    std::memcpy(reader.input().prepare().data(), bytes.data(), bytes.size());
    reader.input().commit(bytes.size());
    return reader.advance();
  };
  EXPECT_EQ(progress_with(10), RequestReader::Progress::complete);
  EXPECT_EQ(progress_with(11), RequestReader::Progress::refused);
}

TEST(RequestReader, RefusesTwoOfWhatStandsOnce) {
  for (const std::string_view name :
       {"Authorization", "Content-Type", "Idempotency-Key", "idempotency-key"}) {
    expect(post(fmt::format("{0}: a\r\n{0}: b\r\n", name), ""), {"refused 400"});
    expect(post(fmt::format("{0}: a\r\nX-{0}: b\r\n", name), ""), {"/x ", "idle"});
  }
}

TEST(RequestReader, BoundsTheHeader) {
  const auto with_fill = [](std::size_t size) {
    const std::string start = "GET /x HTTP/1.1\r\nHost: a\r\nF: ";
    return start + std::string(size - start.size() - 4, 'f') + "\r\n\r\n";
  };
  expect(with_fill(header_bytes_max), {"/x ", "idle"});
  expect(with_fill(header_bytes_max + 1), {"refused 431"});
  expect(std::string(header_bytes_max, 'G'), {"more"});
  expect(std::string(header_bytes_max + 1, 'G'), {"refused 414"});
  expect("GET /" + std::string(header_bytes_max, 'x') + " HTTP/1.1\r\n", {"refused 414"});
}

// Beast counts only what it has not taken yet: cut behind the first byte of each next field, there was no
// bound.
TEST(RequestReader, BoundsAHeaderWhoseFieldsComeOneByOne) {
  Reading reading;
  reading.give("GET /x HTTP/1.1\r\nHost: a\r\nA");
  for (std::size_t sent = 0; sent < 2 * header_bytes_max; sent += 6) reading.give(": b\r\nA");
  EXPECT_THAT(reading.outcome(), ElementsAre("refused 431"));
}

TEST(RequestReader, InvitesABodyOnce) {
  const auto head = post("Content-Length: 5\r\nExpect: 100-continue\r\n", "");
  Reading asked;
  asked.give(head);
  EXPECT_EQ(asked.invitations(), 1);
  asked.give("he");
  asked.give("llo");
  EXPECT_EQ(asked.invitations(), 1);
  EXPECT_THAT(asked.outcome(), ElementsAre("/x hello", "idle"));
  asked.give(head);
  EXPECT_EQ(asked.invitations(), 2) << "the next request asks anew";

  Reading already_there;
  already_there.give(head + "hello");
  EXPECT_EQ(already_there.invitations(), 0);
  Reading too_large;
  too_large.give(post("Content-Length: 500\r\nExpect: 100-continue\r\n", ""));
  EXPECT_EQ(too_large.invitations(), 0);
  Reading chunks;
  chunks.give(post("Transfer-Encoding: chunked\r\nExpect: 100-Continue\r\n", ""));
  EXPECT_EQ(chunks.invitations(), 1);
  Reading old;
  old.give("POST /x HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(old.invitations(), 0) << "HTTP/1.0 knows no interim responses (RFC 9110, 10.1.1)";
}

TEST(RequestReader, SaysWhatIsWrong) {
  const auto refusal_of = [](std::string_view bytes) {
    Reading reading;
    reading.give(bytes);
    return reading.refusal();
  };
  EXPECT_THAT(refusal_of("GET /x HTTP/1.1\nHost: a\n\n"), HasSubstr("must end with CR LF"));
  EXPECT_THAT(refusal_of(post("Transfer-Encoding: gzip\r\n", "")), HasSubstr("understood here is 'chunked'"));
  EXPECT_THAT(refusal_of(post("Content-Length: five\r\n", "")), HasSubstr("bad Content-Length"));
  EXPECT_THAT(refusal_of(chunked("5\nhello")), HasSubstr("chunked body is malformed"));
}

TEST(RequestReader, GivesTheMemoryOfALargeRequestBack) {
  constexpr Limits large{.header_bytes_max = 16'384, .body_bytes_max = 1'000'000};
  for (const auto& bytes : {post("Content-Length: 900000\r\n", std::string(900'000, 'x')),
                            chunked("dbba0\r\n" + std::string(900'000, 'x') + "\r\n0\r\n\r\n")}) {
    RequestReader reader(large);
    std::string_view rest = bytes;
    while (reader.advance() == RequestReader::Progress::more) {
      const auto room = reader.input().prepare();
      const auto part = rest.substr(0, room.size());
      std::memcpy(room.data(), part.data(), part.size());
      reader.input().commit(part.size());
      rest.remove_prefix(part.size());
    }
    ASSERT_EQ(reader.body().size(), 900'000U);
    EXPECT_GE(reader.extra_bytes(), 900'000U);
    reader.next();
    EXPECT_EQ(reader.extra_bytes(), 0U);
  }
}

TEST(InputBuffer, KeepsTheBytesInOrderHoweverTheyComeAndGo) {
  InputBuffer buffer;
  std::string expected;
  char next = 'a';
  for (std::size_t step = 1; step < 3000; ++step) {
    const auto room = buffer.prepare();
    ASSERT_GT(room.size(), 0U);
    const auto size = std::min(step * 7 % 611, room.size());
    for (std::size_t i = 0; i < size; ++i) {
      static_cast<char*>(room.data())[i] = next;
      expected += next;
      next = next == 'z' ? 'a' : static_cast<char>(next + 1);
    }
    buffer.commit(size);
    const auto used = std::min(step * 13 % 617, buffer.size());
    buffer.consume(used);
    expected.erase(0, used);
    ASSERT_EQ(buffer.view(), expected);
  }
}

}  // namespace
}  // namespace switchyard::http
