#include "rq/pickle.hpp"

#include <random>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "rq/testing.hpp"
#include "rq/zlib.hpp"

namespace switchyard::rq {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Kind = PickledValue::Kind;

// __main__.make_transaction(user_id=1, amount=100, currency='USD') by CPython.
const std::string reference = from_hex(
    "8005954e00000000000000288c195f5f6d61696e5f5f2e6d616b655f7472616e73616374696f6e944e297d94288c07757365725f"
    "6964944b018c06616d6f756e74944b648c0863757272656e6379948c03555344947574942e");

// A pickle of protocol 4 without its frame.
std::string pickle(std::string_view body) {
  return "\x80\x04" + std::string(body) + ".";
}

Pickled read(std::string_view bytes) {
  auto pickled = read_pickle(bytes);
  EXPECT_TRUE(pickled) << (pickled ? "" : pickled.error().detail);
  return pickled ? std::move(*pickled) : Pickled();
}

std::string refusal_of(std::string_view bytes, const PickleLimits& limits = {}) {
  const auto pickled = read_pickle(bytes, limits);
  if (!pickled) {
    EXPECT_EQ(pickled.error().code, ErrorCode::invalid_argument);
    return pickled.error().detail;
  }
  return "accepted";
}

std::int64_t integer_in(std::string_view body) {
  const auto pickled = read(pickle(body));
  EXPECT_EQ(pickled.root().kind, Kind::integer);
  return pickled.root().integer;
}

TEST(PickleReaderTest, ReadsTheReferenceJob) {
  const auto pickled = read(reference);
  ASSERT_EQ(pickled.root().kind, Kind::tuple);
  ASSERT_THAT(pickled.root().items, SizeIs(4));
  EXPECT_EQ(pickled.at(pickled.root().items[0]).text, "__main__.make_transaction");
  EXPECT_EQ(pickled.at(pickled.root().items[1]).kind, Kind::none);
  EXPECT_EQ(pickled.at(pickled.root().items[2]).kind, Kind::tuple);
  const auto& kwargs = pickled.at(pickled.root().items[3]);
  ASSERT_EQ(kwargs.kind, Kind::dict);
  ASSERT_THAT(kwargs.items, SizeIs(6));
  EXPECT_EQ(pickled.at(kwargs.items[0]).text, "user_id");
  EXPECT_EQ(pickled.at(kwargs.items[1]).integer, 1);
  EXPECT_EQ(pickled.at(kwargs.items[5]).text, "USD");
}

TEST(PickleReaderTest, ReadsIntegersOfEachSize) {
  EXPECT_EQ(integer_in("K\xff"), 255);
  EXPECT_EQ(integer_in("M\xff\xff"), 65535);
  EXPECT_EQ(integer_in(std::string_view("J\xff\xff\xff\xff", 5)), -1);
  EXPECT_EQ(integer_in(std::string_view("J\x00\x00\x00\x80", 5)), -2147483648LL);
  EXPECT_EQ(integer_in(std::string_view("\x8a\x00", 2)), 0);
  EXPECT_EQ(integer_in("\x8a\x01\xff"), -1);
  EXPECT_EQ(integer_in(std::string_view("\x8a\x02\xff\x00", 4)), 255);
  EXPECT_EQ(integer_in(std::string_view("\x8a\x05\x00\x00\x00\x00\x01", 7)), 4294967296LL);
  EXPECT_EQ(integer_in(std::string_view("\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80", 10)),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_THAT(refusal_of(pickle(std::string_view("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01", 11))),
              HasSubstr("64 bits"));
}

TEST(PickleReaderTest, ReadsTheOtherValues) {
  EXPECT_EQ(read(pickle("N")).root().kind, Kind::none);
  EXPECT_EQ(read(pickle("\x88")).root().integer, 1);
  EXPECT_EQ(read(pickle("\x89")).root().kind, Kind::boolean);
  EXPECT_EQ(read(pickle(std::string_view("G\x3f\xf8\x00\x00\x00\x00\x00\x00", 9))).root().real, 1.5);
  EXPECT_EQ(read(pickle(std::string_view("X\x02\x00\x00\x00\xc3\xa9", 7))).root().text, "\xc3\xa9");
  EXPECT_EQ(read(pickle("K\x01\x85")).root().items, std::vector<ValueIndex>{0});
  EXPECT_THAT(read(pickle("K\x01K\x02\x86")).root().items, SizeIs(2));
  EXPECT_THAT(read(pickle("K\x01K\x02K\x03\x87")).root().items, SizeIs(3));
  EXPECT_THAT(read(pickle("(K\x01K\x02K\x03K\x04t")).root().items, SizeIs(4));
  EXPECT_THAT(read(pickle("](K\x01K\x02"
                          "e"))
                  .root()
                  .items,
              SizeIs(2));
  EXPECT_THAT(read(pickle("}\x8c\x01"
                          "aK\x01s"))
                  .root()
                  .items,
              SizeIs(2));
}

TEST(PickleReaderTest, SharesWhatTheMemoShares) {
  const auto pickled =
      read(pickle(std::string_view("\x8c\x01"
                                   "aq\x05h\x05\x86",
                                   8)));
  EXPECT_THAT(pickled.root().items, ElementsAre(0, 0));
}

TEST(PickleReaderTest, AListMayHoldItself) {
  const auto pickled =
      read(pickle(std::string_view("]\x94(h\x00"
                                   "e",
                                   6)));
  EXPECT_THAT(pickled.root().items, ElementsAre(0));
}

TEST(PickleReaderTest, RefusesEveryOpcodeThatIsNotNeeded) {
  const std::set<int> known{'(', '.', 'G', 'J',  'K',  'M',  'N',  'X',  ']',  'e',  'h',  'q',  's', 't',
                            'u', '}', ')', 0x80, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x94, 0x95};
  for (int opcode = 0; opcode <= 0xff; ++opcode) {
    const auto detail = refusal_of(std::string("\x80\x04") + static_cast<char>(opcode) + "cos\nsystem\n.");
    if (known.contains(opcode)) {
      EXPECT_NE(detail, "accepted") << opcode;
    } else {
      EXPECT_EQ(detail, fmt::format("the pickle has an opcode that jobs do not need: 0x{:02x}", opcode));
    }
  }
}

TEST(PickleReaderTest, RefusesPicklesThatRunCode) {
  // os.system('true') as GLOBAL and REDUCE, as STACK_GLOBAL, as INST and as OBJ; a BUILD; an extension code;
  // a persistent id; a buffer of protocol 5.
  for (const auto& attack :
       {std::string("cos\nsystem\n(S'true'\ntR."),
        std::string("\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."),
        std::string("(S'true'\nios\nsystem\n."), std::string("(cos\nsystem\nS'true'\no."),
        std::string("\x80\x04}}b."), std::string("\x80\x02\x82\x01."), std::string("Pid\n."),
        std::string("\x80\x04NQ."), std::string("\x80\x05\x97."),
        std::string("\x80\x04\x8c\x01"
                    "a)\x81."),
        std::string("\x80\x04)}\x92.")}) {
    EXPECT_THAT(refusal_of(attack), HasSubstr("opcode")) << attack;
  }
}

TEST(PickleReaderTest, RefusesAPickleCutAnywhere) {
  for (std::size_t size = 0; size < reference.size(); ++size) {
    EXPECT_NE(refusal_of(reference.substr(0, size)), "accepted") << size;
  }
}

TEST(PickleReaderTest, RefusesWhatStandsBehindTheEnd) {
  EXPECT_THAT(refusal_of(reference + "x"), HasSubstr("behind"));
}

TEST(PickleReaderTest, RefusesWhatTheStackDoesNotHold) {
  for (const std::string_view body : {"",
                                      "\x85",
                                      "K\x01\x86",
                                      "K\x01K\x02\x87",
                                      "t",
                                      "u",
                                      "e",
                                      "s",
                                      "}K\x01s",
                                      "\x94",
                                      "q\x01",
                                      "h\x01",
                                      "K\x01K\x02",
                                      "(",
                                      "(K\x01",
                                      "K\x01(\x85",
                                      "K\x01(e",
                                      "K\x01(K\x02u",
                                      "}(K\x01u",
                                      "](K\x01K\x02u",
                                      "}(K\x01K\x02"
                                      "e",
                                      "K\x01(\x94t"}) {
    EXPECT_NE(refusal_of(pickle(body)), "accepted") << body;
  }
}

TEST(PickleReaderTest, RefusesANewerProtocol) {
  EXPECT_THAT(refusal_of("\x80\x06N."), HasSubstr("protocol"));
}

TEST(PickleReaderTest, RefusesTextThatIsLongerThanThePickle) {
  EXPECT_NE(refusal_of(pickle("\x8c\xff"
                              "abc")),
            "accepted");
  EXPECT_NE(refusal_of(pickle("X\xff\xff\xff\xff"
                              "abc")),
            "accepted");
}

TEST(PickleReaderTest, BoundsSizeDepthStackAndMemo) {
  EXPECT_THAT(refusal_of(std::string(100'000, '(')), HasSubstr("too large"));
  EXPECT_THAT(refusal_of(pickle(std::string(50'000, '('))), HasSubstr("nested"));
  EXPECT_THAT(refusal_of(pickle(std::string(50'000, 'N'))), HasSubstr("too many"));
  EXPECT_THAT(refusal_of(pickle("N" + std::string(50'000, '\x94'))), HasSubstr("remembers too many"));
  std::string values;
  for (int i = 0; i < 20'000; ++i) values += "N\x85";
  EXPECT_NE(refusal_of(pickle(values)), "accepted");
  // Nested as deep as it is long: nothing here calls itself.
  EXPECT_EQ(refusal_of(pickle(")" + std::string(9'000, '\x85'))), "accepted");
}

TEST(PickleReaderTest, AMemoBombStaysSmall) {
  // Each list holds the one before ten times: 10^30 values if they were copied.
  std::string body = "]\x94";
  for (int level = 0; level < 30; ++level) {
    body += "](";
    for (int i = 0; i < 10; ++i) body += std::string("h") + static_cast<char>(level);
    body += "e\x94";
    // The list before stays below; a tuple of both takes its place.
    body += "\x86";
  }
  EXPECT_EQ(refusal_of(pickle(body)), "accepted");
  // Filled with itself again and again: the bound of all items ends it.
  std::string filled = "]\x94";
  for (int i = 0; i < 100; ++i) {
    filled += "(";
    for (int j = 0; j < 200; ++j) filled += std::string_view("h\x00", 2);
    filled += "e";
  }
  EXPECT_THAT(refusal_of(pickle(filled)), HasSubstr("too many"));
}

TEST(PickleReaderTest, SurvivesRandomMutations) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  constexpr std::string_view opcodes(
      "(.GJKMNX]ehqstu})\x80\x85\x86\x87\x88\x89\x8a\x8c\x94\x95"
      "cR",
      29);
  int accepted = 0;
  for (int round = 0; round < 100'000; ++round) {
    auto bytes = reference;
    for (auto changes = 1 + random() % 5; changes > 0; --changes) {
      const auto position = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[position] = static_cast<char>(random());
          break;
        case 1:
          bytes[position] = opcodes[random() % opcodes.size()];
          break;
        case 2:
          bytes.erase(position, 1 + random() % 4);
          break;
        default:
          bytes.insert(position, 1, opcodes[random() % opcodes.size()]);
      }
      if (bytes.empty()) bytes = reference;
    }
    if (const auto pickled = read_pickle(bytes)) {
      ++accepted;
      for (const auto item : pickled->root().items) static_cast<void>(pickled->at(item));
    }
  }
  EXPECT_GT(accepted, 0) << "the mutations are too wild to test anything";
}

TEST(PickleWriterTest, WritesTheReferenceJobByteForByte) {
  PickleWriter writer;
  writer.begin_tuple();
  writer.text("__main__.make_transaction");
  writer.none();
  writer.empty_tuple();
  writer.begin_dict();
  writer.text("user_id");
  writer.integer(1);
  writer.text("amount");
  writer.integer(100);
  writer.text("currency");
  writer.text("USD");
  writer.end_dict();
  writer.end_tuple();
  EXPECT_EQ(writer.finish(), reference);
}

TEST(PickleWriterTest, WritesIntegersAsPythonDoes) {
  const std::vector<std::pair<std::int64_t, std::string>> golden{
      // pickle.dumps(n, 5)
      {0, "80054b002e"},
      {255, "80054bff2e"},
      {256, "80059504000000000000004d00012e"},
      {65535, "80059504000000000000004dffff2e"},
      {65536, "80059506000000000000004a000001002e"},
      {-1, "80059506000000000000004affffffff2e"},
      {2147483647, "80059506000000000000004affffff7f2e"},
      {2147483648, "80059508000000000000008a0500000080002e"},
      {1000000000000, "80059509000000000000008a060010a5d4e8002e"},
      {-2147483649, "80059508000000000000008a05ffffff7fff2e"},
      {9223372036854775807, "8005950b000000000000008a08ffffffffffffff7f2e"},
  };
  for (const auto& [value, hex] : golden) {
    PickleWriter writer;
    writer.integer(value);
    const auto bytes = writer.finish();
    EXPECT_EQ(bytes, from_hex(hex)) << value;
    EXPECT_EQ(read(bytes).root().integer, value);
  }
}

TEST(ZlibTest, StoresAndInflates) {
  for (const std::size_t size : {0U, 1U, 78U, 65'535U}) {
    const std::string bytes(size, 'x');
    EXPECT_EQ(inflate(deflate_stored(bytes), 65'535).value(), bytes);
  }
}

TEST(ZlibTest, InflatesWhatPythonCompressed) {
  // zlib.compress(b'a' * 100)
  EXPECT_EQ(inflate(from_hex("789c4b4ca43d00007a4725e5"), 1'000).value_or("?"), std::string(100, 'a'));
}

TEST(ZlibTest, RefusesABombWithoutInflatingIt) {
  // zlib.compress(bytes(10 ** 6)): 991 bytes, all alike in the middle.
  const auto bomb =
      from_hex("789cedc101010000008220ffaf6e484001") + std::string(968, '\0') + from_hex("af0643210001");
  ASSERT_EQ(bomb.size(), 991U);
  EXPECT_EQ(inflate(bomb, 1'000'000).value_or("?").size(), 1'000'000U);
  EXPECT_FALSE(inflate(bomb, 999'999));
  EXPECT_FALSE(inflate(bomb, 1'000));
}

TEST(ZlibTest, RefusesWhatIsNotZlib) {
  const auto good = deflate_stored("hello");
  EXPECT_FALSE(inflate("", 100));
  EXPECT_FALSE(inflate("hello", 100));
  EXPECT_FALSE(inflate(good + "x", 100)) << "something behind it";
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(inflate(good.substr(0, size), 100)) << size;
  auto wrong_sum = good;
  wrong_sum.back() = static_cast<char>(wrong_sum.back() ^ 1);
  EXPECT_FALSE(inflate(wrong_sum, 100));
}

}  // namespace
}  // namespace switchyard::rq
