#include "redis/reply.hpp"

#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "redis/commands.hpp"

namespace switchyard::redis {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// The one reply that the bytes hold; a failure, or none, fails the test.
Reply read_one(std::string_view bytes) {
  ReplyReader reader;
  reader.feed(bytes);
  auto reply = reader.next();
  EXPECT_TRUE(reply && *reply);
  return reply && *reply ? std::move(**reply) : Reply();
}

TEST(ReplyReaderTest, ReadsEachKind) {
  EXPECT_TRUE(read_one("+OK\r\n").is("OK"));
  EXPECT_EQ(read_one("+OK\r\n").kind, Reply::Kind::status);
  EXPECT_EQ(read_one(":-42\r\n").integer, -42);
  EXPECT_EQ(read_one(std::string_view("$5\r\na\r\nb\0\r\n", 11)).text, std::string("a\r\nb\0", 5));
  EXPECT_EQ(read_one("$0\r\n\r\n").kind, Reply::Kind::text);
  EXPECT_TRUE(read_one("$-1\r\n").is_nil());
  EXPECT_TRUE(read_one("*-1\r\n").is_nil());
  EXPECT_THAT(read_one("*0\r\n").elements, SizeIs(0));
  const auto error = read_one("-WRONGTYPE no\r\n");
  EXPECT_TRUE(error.is_error());
  EXPECT_EQ(error.text, "WRONGTYPE no");
  EXPECT_FALSE(error.is("WRONGTYPE no"));
}

TEST(ReplyReaderTest, ReadsNestedArrays) {
  const auto reply = read_one("*3\r\n*2\r\n:1\r\n$1\r\na\r\n$-1\r\n*1\r\n*1\r\n+x\r\n");
  ASSERT_THAT(reply.elements, SizeIs(3));
  EXPECT_EQ(reply.elements[0].elements.at(0).integer, 1);
  EXPECT_EQ(reply.elements[0].elements.at(1).text, "a");
  EXPECT_TRUE(reply.elements[1].is_nil());
  EXPECT_TRUE(reply.elements[2].elements.at(0).elements.at(0).is("x"));
}

TEST(ReplyReaderTest, ReadsRepliesThatComeInPieces) {
  const std::string bytes = "*2\r\n$3\r\nabc\r\n:7\r\n+OK\r\n";
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    ReplyReader reader;
    std::vector<Reply> replies;
    for (const auto& part : {bytes.substr(0, cut), bytes.substr(cut)}) {
      reader.feed(part);
      for (auto reply = reader.next(); reply && *reply; reply = reader.next()) replies.push_back(**reply);
    }
    ASSERT_THAT(replies, SizeIs(2)) << "cut at " << cut;
    EXPECT_EQ(replies[0].elements.at(0).text, "abc");
    EXPECT_TRUE(replies[1].is("OK"));
  }
}

TEST(ReplyReaderTest, RefusesWhatIsNotRedis) {
  for (const auto* bytes :
       {"HTTP/1.1 400 Bad Request\r\n", "?\r\n", ":x\r\n", "$x\r\n", "$-2\r\n", "*-2\r\n"}) {
    ReplyReader reader;
    reader.feed(bytes);
    const auto reply = reader.next();
    ASSERT_FALSE(reply) << bytes;
    EXPECT_EQ(reply.error().code, ErrorCode::queue_unavailable);
  }
}

TEST(ReplyReaderTest, BoundsTheNesting) {
  std::string bytes;
  for (int i = 0; i < 20; ++i) bytes += "*1\r\n";
  ReplyReader reader;
  reader.feed(bytes);
  EXPECT_FALSE(reader.next());
}

TEST(ReplyReaderTest, BoundsTheElements) {
  ReplyReader reader({.elements_max = 10});
  reader.feed("*2147483647\r\n");
  EXPECT_FALSE(reader.next());

  ReplyReader nested({.elements_max = 10});
  nested.feed("*2\r\n*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n*5\r\n");
  EXPECT_FALSE(nested.next()) << "11 in all";
}

TEST(ReplyReaderTest, CountsTheElementsOfEachReplyAnew) {
  ReplyReader reader({.elements_max = 2});
  for (int i = 0; i < 5; ++i) {
    reader.feed("*2\r\n:1\r\n:2\r\n");
    const auto reply = reader.next();
    ASSERT_TRUE(reply && *reply);
  }
}

TEST(ReplyReaderTest, BoundsTheBytesOfOneReply) {
  ReplyReader reader({.bytes_max = 1000});
  reader.feed("$100000\r\n" + std::string(1100, 'x'));
  const auto reply = reader.next();
  ASSERT_FALSE(reply);
  EXPECT_THAT(reply.error().detail, HasSubstr("larger"));

  ReplyReader many({.bytes_max = 1000});
  for (int i = 0; i < 1000; ++i) {
    many.feed("$5\r\nabcde\r\n");
    const auto one = many.next();
    ASSERT_TRUE(one && *one) << "each is small";
  }
}

TEST(ReplyReaderTest, SurvivesRandomBytes) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  constexpr std::string_view alphabet("*$+-:\r\n0123456789ab\0", 20);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    const auto size = random() % 40;
    for (std::size_t i = 0; i < size; ++i) bytes += alphabet[random() % alphabet.size()];
    ReplyReader reader({.bytes_max = 1000, .elements_max = 1000});
    reader.feed(bytes);
    for (auto reply = reader.next(); reply && *reply;) reply = reader.next();
  }
}

TEST(CommandsTest, WritesBulkStrings) {
  Commands commands;
  commands.add({"SET", "key", ""}).begin(2).word("GET").word(std::int64_t{-7});
  EXPECT_EQ(commands.count(), 2U);
  EXPECT_EQ(commands.bytes(), "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$0\r\n\r\n*2\r\n$3\r\nGET\r\n$2\r\n-7\r\n");
}

}  // namespace
}  // namespace switchyard::redis
