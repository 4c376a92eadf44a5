#include "telemetry/log.hpp"

#include <optional>
#include <sstream>
#include <vector>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>

#include "base/testing.hpp"

namespace switchyard {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::size_t line_bytes_max = 4096;
const std::string card_number = "4111111111111111";
const SystemClock system_clock;

// What the log printed, as lines.
class Printed {
 public:
  explicit Printed(LogFormat format, LogLevel least = LogLevel::debug, const Clock& clock = system_clock)
      : log_(std::in_place, format, least, clock) {}

  Log& log() { return *log_; }

  std::vector<std::string> lines() {
    EXPECT_TRUE(log_->drain(std::chrono::seconds(30)));
    return lines_so_far();
  }
  std::vector<std::string> lines_so_far() const {
    std::vector<std::string> lines;
    std::istringstream text(captured_.text());
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }
  std::string text() const { return captured_.text(); }
  std::string only_line() {
    const auto all = lines();
    EXPECT_THAT(all, SizeIs(1));
    return all.empty() ? "" : all.front();
  }
  // Of a JSON log.
  boost::json::object only_object() {
    const auto line = only_line();
    boost::json::error_code error;
    const auto value = boost::json::parse(line, error);
    EXPECT_FALSE(error) << line;
    return value.is_object() ? value.get_object() : boost::json::object();
  }

  // Ends the log, which flushes it.
  void close() { log_.reset(); }

 private:
  testing::CapturedStdout captured_;
  std::optional<Log> log_;
};

TEST(TextLog, PrintsTheTimeOfDayAndTheMessage) {
  Printed printed(LogFormat::text);
  printed.log().info("auth-api listens", {{"port", 5000}});
  EXPECT_THAT(printed.only_line(), MatchesRegex("[0-2][0-9]:[0-5][0-9]:[0-6][0-9] auth-api listens"));
}

TEST(TextLog, LeavesTheTimeOutOfWhatAProgramPrints) {
  Printed printed(LogFormat::text);
  printed.log().print("==> Making transaction with PSP", {{"amount", 100}});
  EXPECT_EQ(printed.only_line(), "==> Making transaction with PSP");
}

TEST(JsonLog, HoldsTimeLevelMessageAndFields) {
  Printed printed(LogFormat::json);
  printed.log().error("a \"quoted\" message", {{"amount", 100}, {"currency", "USD"}, {"least", -1}});
  const auto object = printed.only_object();
  EXPECT_THAT(std::string(object.at("time").get_string()),
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"));
  EXPECT_EQ(object.at("level").get_string(), "error");
  EXPECT_EQ(object.at("message").get_string(), "a \"quoted\" message");
  EXPECT_EQ(object.at("amount").get_int64(), 100);
  EXPECT_EQ(object.at("currency").get_string(), "USD");
  EXPECT_EQ(object.at("least").get_int64(), -1);
  EXPECT_EQ(object.size(), 6U);
}

TEST(JsonLog, HoldsWhatAProgramPrintsAsAnEvent) {
  Printed printed(LogFormat::json);
  printed.log().print("printed", {{"amount", 100}});
  const auto object = printed.only_object();
  EXPECT_EQ(object.at("level").get_string(), "info");
  EXPECT_EQ(object.at("message").get_string(), "printed");
  EXPECT_EQ(object.at("amount").get_int64(), 100);
}

TEST(JsonLog, NamesEachLevel) {
  Printed printed(LogFormat::json);
  printed.log().debug("1");
  printed.log().info("2");
  printed.log().warning("3");
  printed.log().error("4");
  EXPECT_THAT(printed.lines(), ElementsAre(HasSubstr(R"("level":"debug","message":"1")"),
                                           HasSubstr(R"("level":"info","message":"2")"),
                                           HasSubstr(R"("level":"warning","message":"3")"),
                                           HasSubstr(R"("level":"error","message":"4")")));
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  for (const auto format : {LogFormat::text, LogFormat::json}) {
    Printed printed(format, LogLevel::warning);
    printed.log().debug("debug");
    printed.log().info("info");
    printed.log().print("print");
    printed.log().warning("warning");
    printed.log().error("error");
    EXPECT_THAT(printed.lines(), ElementsAre(HasSubstr("warning"), HasSubstr("error")));
    EXPECT_FALSE(printed.log().enabled(LogLevel::info));
    EXPECT_TRUE(printed.log().enabled(LogLevel::warning));
  }
}

TEST(Log, WritesWarningsAtOnceAndTheRestWhenItIsFlushedOrEnds) {
  Printed printed(LogFormat::text);
  const auto arrived = [&printed](std::size_t lines) {
    return testing::eventually([&] { return printed.lines_so_far().size() == lines; });
  };
  printed.log().info("first");
  printed.log().warning("second");
  EXPECT_TRUE(arrived(2));
  printed.log().info("third");
  printed.log().flush();
  EXPECT_TRUE(arrived(3));
  printed.log().info("last");
  printed.close();
  EXPECT_THAT(printed.lines_so_far(), SizeIs(4)) << "nothing is lost at the end";
}

TEST(TextLog, NamesEachLevelButTheUsualOne) {
  Printed printed(LogFormat::text);
  printed.log().debug("1");
  printed.log().info("2");
  printed.log().warning("3");
  printed.log().error("4");
  EXPECT_THAT(printed.lines(),
              ElementsAre(MatchesRegex("..:..:.. DEBUG 1"), MatchesRegex("..:..:.. 2"),
                          MatchesRegex("..:..:.. WARNING 3"), MatchesRegex("..:..:.. ERROR 4")));
}

TEST(TextLog, SaysTheDateWhenAskedAndOnEachNewDay) {
  testing::ManualClock clock;
  Printed printed(LogFormat::text, LogLevel::debug, clock);
  printed.log().say_date();
  printed.log().info("line");
  clock.advance(std::chrono::hours(24));
  printed.log().info("line");
  printed.log().info("line");
  printed.close();
  EXPECT_THAT(printed.lines_so_far(),
              ElementsAre(MatchesRegex("..:..:.. The date is 2023-11-1[45], UTC[+-]...."), HasSubstr("line"),
                          MatchesRegex("..:..:.. The date is 2023-11-1[56], UTC[+-]...."), HasSubstr("line"),
                          HasSubstr("line")));
}

// --- What comes from outside -------------------------------------------------------------------

TEST(TextLog, NoMessageForgesALineOfItsOwn) {
  Printed printed(LogFormat::text);
  std::string every_control_character = "a";
  for (char c = 0; c < 0x20; ++c) every_control_character += c;
  every_control_character += "\x7f\r\n12:00:00 forged";
  printed.log().info(every_control_character);
  const auto line = printed.only_line();
  for (const char c : line) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  EXPECT_THAT(line, HasSubstr(" 12:00:00 forged"));
  printed.log().print("x\n==> forged");
  EXPECT_THAT(printed.lines(), SizeIs(2));
}

TEST(JsonLog, NoMessageOrFieldForgesALineOrAMember) {
  Printed printed(LogFormat::json);
  const std::string forged = "\n{\"level\":\"error\"}\r\x1b[2J\x01\",\"amount\":1,\"x\":\"";
  printed.log().info(forged, {{"field", forged}});
  const auto object = printed.only_object();
  EXPECT_EQ(object.at("message").get_string(), forged);
  EXPECT_EQ(object.at("field").get_string(), forged);
  EXPECT_EQ(object.size(), 4U);
}

TEST(TextLog, HoldsNoCardNumber) {
  for (const auto& message :
       std::vector<std::string>{card_number, "paid with " + card_number + ".", "4111 1111 1111 1111 was used",
                                "4111-1111-1111-1111", "line\n" + card_number, "4111\t1111\n1111\r1111"}) {
    Printed printed(LogFormat::text);
    printed.log().info(message);
    printed.log().print(message);
    EXPECT_THAT(printed.lines(),
                AllOf(SizeIs(2), Each(AllOf(HasSubstr("[card number]"), Not(HasSubstr("1111"))))))
        << message;
  }
}

TEST(JsonLog, HoldsNoCardNumber) {
  for (const auto& text :
       std::vector<std::string>{card_number, "paid with " + card_number + ".", "4111 1111 1111 1111 was used",
                                // In JSON a letter stands in front of the digits: \n, \t, \u0001.
                                "line\n" + card_number, "\t" + card_number, "\x01" + card_number,
                                "\"" + card_number + "\"", "\\" + card_number}) {
    Printed in_message(LogFormat::json);
    in_message.log().info(text);
    EXPECT_THAT(in_message.only_line(), AllOf(HasSubstr("[card number]"), Not(HasSubstr("1111")))) << text;
    in_message.only_object();
  }
  for (const auto& text : std::vector<std::string>{card_number, "line\n" + card_number}) {
    Printed in_field(LogFormat::json);
    in_field.log().info("message", {{"field", text}});
    EXPECT_THAT(in_field.only_line(), AllOf(HasSubstr("[card number]"), Not(HasSubstr("1111")))) << text;
    in_field.only_object();
  }
}

TEST(Log, HoldsNoControlCharacterAboveAscii) {
  const std::string controls =
      "a\x7f\xc2\x80\xc2\x9b"
      "31m\xc2\x9f\xc2\xa9";
  Printed as_text(LogFormat::text);
  as_text.log().print(controls);
  EXPECT_EQ(as_text.only_line(), "a   31m \xc2\xa9");
  Printed as_json(LogFormat::json);
  as_json.log().info(controls);
  EXPECT_THAT(as_json.only_line(), HasSubstr(R"("a\u007f\u0080\u009b31m\u009f)"));
  EXPECT_EQ(as_json.only_object().at("message").get_string(), controls);
}

TEST(TextLog, StaysUtf8WhenATextIsNot) {
  Printed printed(LogFormat::text);
  printed.log().print(
      "a\xff"
      "b \xe2\x82 \x9b");
  EXPECT_EQ(printed.only_line(), "a?b ?? ?");
}

TEST(JsonLog, StaysJsonWhenATextIsNotUtf8) {
  for (const auto* text : {"a\xff"
                           "b",
                           "\xc3", "\xe2\x82 x", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    Printed printed(LogFormat::json);
    printed.log().info(text, {{"field", text}});
    const auto object = printed.only_object();
    EXPECT_EQ(object.size(), 4U) << text;
    EXPECT_THAT(std::string(object.at("message").get_string()), HasSubstr("?"));
  }
}

TEST(JsonLog, StaysJsonWhenANumberLooksLikeACardNumber) {
  Printed printed(LogFormat::json);
  printed.log().info("message", {{"amount", 4111111111111111}, {"next", 1}});
  EXPECT_THAT(printed.only_line(), Not(HasSubstr("4111")));
  EXPECT_EQ(printed.only_object().at("amount"), "[card number]");
}

TEST(Log, NoLineIsLongerThan4KiB) {
  const std::string long_text(100'000, 'x');
  const std::string expands_in_json(100'000, '\x01');
  std::string two_byte_characters = "x";
  for (int i = 0; i < 50'000; ++i) two_byte_characters += "\xc3\xa9";
  for (const auto& text : {long_text, expands_in_json, two_byte_characters}) {
    Printed as_text(LogFormat::text);
    as_text.log().info(text);
    as_text.log().print(text);
    EXPECT_THAT(as_text.lines(),
                Each(SizeIs(::testing::AllOf(::testing::Gt(1000U), ::testing::Le(line_bytes_max)))));

    Printed as_json(LogFormat::json);
    as_json.log().info(text, {{"field", text}, {"other", text}});
    EXPECT_THAT(as_json.only_line(), SizeIs(::testing::Le(line_bytes_max)));
    EXPECT_EQ(as_json.only_object().size(), 5U) << "what is cut off is text, not JSON";
  }
}

TEST(Log, CutsNoCardNumberSoThatItIsNotSeenAnyMore) {
  for (std::size_t before = line_bytes_max - 40; before < line_bytes_max; ++before) {
    Printed printed(LogFormat::text);
    printed.log().print(std::string(before, ' ') + card_number);
    EXPECT_THAT(printed.only_line(), Not(HasSubstr("4111"))) << before;
  }
}

TEST(Log, MakesNoCardNumberOfALongerRunOfDigitsByCutting) {
  // Fourteen sixes are none, thirteen are.
  const std::string digits(14, '6');
  Printed as_text(LogFormat::text);
  as_text.log().print(std::string(line_bytes_max - 13, ' ') + digits);
  EXPECT_THAT(as_text.only_line(), Not(HasSubstr("66")));
  Printed as_json(LogFormat::json);
  as_json.log().info("message", {{"field", std::string(29, '\x01') + digits + std::string(100, '\x01')}});
  EXPECT_THAT(as_json.only_line(), Not(HasSubstr("66")));
}

TEST(Log, KeepsLinesOfSeveralThreadsApart) {
  constexpr int per_thread = 500;
  Printed printed(LogFormat::text);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&printed, i] {
        for (int line = 0; line < per_thread; ++line)
          printed.log().print(std::string(200, static_cast<char>('a' + i)));
      });
    }
  }
  const auto lines = printed.lines();
  EXPECT_THAT(lines, SizeIs(4 * per_thread));
  for (const auto& line : lines) EXPECT_EQ(line, std::string(200, line.front()));
}

}  // namespace
}  // namespace switchyard
