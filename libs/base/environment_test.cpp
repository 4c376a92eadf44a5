#include "base/environment.hpp"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>

#include "base/testing.hpp"

namespace switchyard {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Environment with(const std::string& name, const std::string& value) {
  Environment environment;
  environment.set(name, value);
  return environment;
}

// What the operator is told; empty if the getter accepted the value.
template <class Getter>
std::string refusal(Getter getter) {
  try {
    getter();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return {};
}

TEST(Environment, ReadsTheVariablesOfTheProcess) {
  ::setenv("SWITCHYARD_ENVIRONMENT_TEST", "a=b", 1);
  EXPECT_EQ(Environment::of_process().find("SWITCHYARD_ENVIRONMENT_TEST"), "a=b");
  ::unsetenv("SWITCHYARD_ENVIRONMENT_TEST");
  EXPECT_EQ(Environment::of_process().find("SWITCHYARD_ENVIRONMENT_TEST"), std::nullopt);
}

TEST(Environment, AnEmptyValueCountsAsNotSet) {
  const auto environment = with("HTTP_PORT", "");
  EXPECT_EQ(environment.find("HTTP_PORT"), std::nullopt);
  EXPECT_EQ(environment.text("HTTP_PORT", "otherwise"), "otherwise");
  EXPECT_EQ(environment.integer("HTTP_PORT", 7, 1, 10), 7);
  EXPECT_EQ(environment.port("HTTP_PORT", 8080), 8080);
  EXPECT_EQ(environment.seconds("HTTP_PORT", 7, 1, 10), std::chrono::seconds(7));
  EXPECT_EQ(environment.one_of("HTTP_PORT", {"a", "b"}, "b"), "b");
  EXPECT_EQ(environment.optional_secret("HTTP_PORT"), std::nullopt);
}

TEST(EnvironmentInteger, TakesTheBoundsThemselves) {
  EXPECT_EQ(with("COUNT", "1").integer("COUNT", 5, 1, 10), 1);
  EXPECT_EQ(with("COUNT", "10").integer("COUNT", 5, 1, 10), 10);
  EXPECT_EQ(with("COUNT", "-3").integer("COUNT", 0, -3, 10), -3);
}

TEST(EnvironmentInteger, RefusesWhatIsNotAWholeNumberInTheBounds) {
  for (const char* value :
       {"0", "11", "-1", "five", "5x", " 5", "5 ", "+5", "5.0", "0x5", "99999999999999999999"}) {
    const auto environment = with("COUNT", value);
    const auto text = refusal([&] { environment.integer("COUNT", 5, 1, 10); });
    EXPECT_THAT(text,
                AllOf(StartsWith("COUNT "), HasSubstr("whole number from 1 to 10"), HasSubstr("COUNT=5")))
        << value;
    EXPECT_THAT(text, HasSubstr("'" + std::string(value) + "'"));
  }
}

TEST(EnvironmentPort, IsFrom1To65535) {
  EXPECT_EQ(with("HTTP_PORT", "1").port("HTTP_PORT", 5000), 1);
  EXPECT_EQ(with("HTTP_PORT", "65535").port("HTTP_PORT", 5000), 65535);
  EXPECT_EQ(Environment().port("METRICS_PORT", 0), 0) << "0 as the default means none";
  for (const char* value : {"0", "65536", "-1", "http"}) {
    EXPECT_THAT(refusal([&] { with("HTTP_PORT", value).port("HTTP_PORT", 5000); }),
                AllOf(StartsWith("HTTP_PORT "), HasSubstr("HTTP_PORT=5000")))
        << value;
    EXPECT_THAT(refusal([&] { with("METRICS_PORT", value).port("METRICS_PORT", 0); }),
                HasSubstr("METRICS_PORT=9464"))
        << "the example must itself be accepted: " << value;
  }
}

TEST(EnvironmentOneOf, NamesTheValuesThatAreKnown) {
  EXPECT_EQ(with("LOG_FORMAT", "json").one_of("LOG_FORMAT", {"text", "json"}, "text"), "json");
  EXPECT_THAT(refusal([] { with("LOG_FORMAT", "JSON").one_of("LOG_FORMAT", {"text", "json"}, "text"); }),
              AllOf(StartsWith("LOG_FORMAT is 'JSON'"), HasSubstr("text, json")));
}

TEST(EnvironmentSecret, MustBeSetAndHave32Bytes) {
  const std::string longest_refused(31, 's');
  const std::string shortest_accepted(32, 's');
  EXPECT_EQ(with("JWT_SECRET", shortest_accepted).required_secret("JWT_SECRET"), shortest_accepted);
  EXPECT_EQ(with("JWT_SECRET", shortest_accepted).optional_secret("JWT_SECRET"), shortest_accepted);
  EXPECT_THAT(refusal([] { Environment().required_secret("JWT_SECRET"); }),
              AllOf(StartsWith("JWT_SECRET is not set"), HasSubstr("openssl rand -hex 32")));
  const auto short_one = with("JWT_SECRET", longest_refused);
  EXPECT_THAT(refusal([&] { short_one.required_secret("JWT_SECRET"); }), HasSubstr("31 bytes"));
  EXPECT_THAT(refusal([&] { short_one.optional_secret("JWT_SECRET"); }), HasSubstr("31 bytes"));
}

TEST(EnvironmentSecret, IsNeverPrinted) {
  const auto environment = with("JWT_SECRET", "hunter2");
  EXPECT_THAT(refusal([&] { environment.required_secret("JWT_SECRET"); }), Not(HasSubstr("hunter2")));
  EXPECT_THAT(refusal([&] { environment.optional_secret("JWT_SECRET"); }), Not(HasSubstr("hunter2")));
}

class EnvironmentFile : public ::testing::Test {
 protected:
  std::string write(std::string_view content) const {
    const auto path = folder_.file(".env");
    std::ofstream(path) << content;
    return path;
  }

 private:
  switchyard::testing::TempDir folder_;
};

TEST_F(EnvironmentFile, IsReadLineByLine) {
  Environment environment;
  environment.add_file(
      write("# a comment\n"
            "\n"
            "  HTTP_PORT = 8081 \r\n"
            "LOG_FORMAT=\"json\"\n"
            "LOG_LEVEL='debug'\n"
            "NOTE=it is \"so\" # and so\n"
            "QUOTED='a \"b\"'\n"
            "WITH_EQUALS=a=b\n"
            "  # another comment\n"
            "LAST=x"));
  EXPECT_EQ(environment.find("HTTP_PORT"), "8081");
  EXPECT_EQ(environment.find("LOG_FORMAT"), "json");
  EXPECT_EQ(environment.find("LOG_LEVEL"), "debug");
  EXPECT_EQ(environment.find("NOTE"), "it is \"so\" # and so");
  EXPECT_EQ(environment.find("QUOTED"), "a \"b\"");
  EXPECT_EQ(environment.find("WITH_EQUALS"), "a=b");
  EXPECT_EQ(environment.find("LAST"), "x");
}

TEST_F(EnvironmentFile, DoesNotOverrideWhatIsSet) {
  auto environment = with("HTTP_PORT", "1");
  environment.add_file(write("HTTP_PORT=2\n"));
  EXPECT_EQ(environment.find("HTTP_PORT"), "1");
}

TEST_F(EnvironmentFile, OfANameThatIsGivenTwiceTheLastOneCounts) {
  Environment environment;
  environment.add_file(write("HTTP_PORT=1\nLOG_FORMAT=json\nHTTP_PORT=2\nLOG_FORMAT=\n"));
  EXPECT_EQ(environment.find("HTTP_PORT"), "2");
  EXPECT_EQ(environment.find("LOG_FORMAT"), std::nullopt) << "the last one is empty, which is not set";
  EXPECT_THAT(environment.names_in_files(),
              ::testing::ElementsAre("HTTP_PORT", "LOG_FORMAT", "HTTP_PORT", "LOG_FORMAT"));
}

TEST_F(EnvironmentFile, ThatCannotBeReadIsNamed) {
  for (const std::string path : {"/nonexistent/.env", "/", "/proc/self/mem"}) {
    EXPECT_THAT(refusal([&] { Environment().add_file(path); }), StartsWith(path + " cannot be read: "));
  }
  EXPECT_THAT(refusal([] { Environment().add_file("/dev/zero"); }),
              StartsWith("/dev/zero is larger than 1 MiB"));
}

TEST_F(EnvironmentFile, ABadLineIsNumberedAndNotRepeated) {
  const auto path = write("A=1\nsecret-without-a-name\n");
  EXPECT_THAT(refusal([&] { Environment().add_file(path); }),
              AllOf(StartsWith(path), HasSubstr("line 2"), Not(HasSubstr("secret-without-a-name"))));
  EXPECT_THAT(refusal([&] { Environment().add_file(write("=value\n")); }), HasSubstr("line 1"));
}

TEST_F(EnvironmentFile, ALineThatOthersReadInAnotherWayIsRefused) {
  struct Row {
    std::string line;
    const char* problem;
  };
  for (const auto& [line, problem] : std::vector<Row>{
           {"export JWT_SECRET=hunter2", "'export'"},
           {"export\tJWT_SECRET=hunter2", "'export'"},
           {"JWT SECRET=hunter2", "blank"},
           {"; JWT_SECRET=hunter2", "blank"},
           {"JWT_SECRET='hunter2' # comment", "closing quote"},
           {"JWT_SECRET=\"hunter2\"x\"", "closing quote"},
           {"JWT_SECRET=\"hunter2", "not closed"},
           {"JWT_SECRET='", "not closed"},
       }) {
    const auto path = write("A=1\n" + line + "\n");
    EXPECT_THAT(refusal([&] { Environment().add_file(path); }),
                AllOf(StartsWith(path), HasSubstr("line 2"), HasSubstr(problem), Not(HasSubstr("hunter2"))))
        << line;
  }
  Environment environment;
  environment.add_file(write("export=1\n"));
  EXPECT_EQ(environment.find("export"), "1") << "a name like any other";
}

TEST_F(EnvironmentFile, AMisspeltNameIsSaidWhereTheSecretIsMissing) {
  const auto said = [this](const std::string& content) {
    Environment environment;
    environment.add_file(write(content));
    return refusal([&] { environment.required_secret("JWT_SECRET"); });
  };
  for (const std::string name : {"JWT_SECERT", "JWTSECRET", "jwt_secret", "JWT-SECRET"}) {
    EXPECT_THAT(said("HTTP_PORT=1\n" + name + "=hunter2\n"),
                AllOf(StartsWith("JWT_SECRET is not set"), HasSubstr("sets " + name + ":"),
                      Not(HasSubstr("hunter2"))));
  }
  for (const auto* content : {"", "HTTP_PORT=1\n", "JWT_SECRET=\n", "JWT_SECRET_PREVIOUS=hunter2\n"}) {
    EXPECT_THAT(said(content), AllOf(StartsWith("JWT_SECRET is not set ("), Not(HasSubstr("perhaps"))));
  }
}

}  // namespace
}  // namespace switchyard
