#include "service/refusal_log.hpp"

#include <optional>
#include <sstream>
#include <vector>

#include <gmock/gmock.h>

#include "base/testing.hpp"
#include "http/problem.hpp"
#include "http/testing.hpp"

namespace switchyard::service {
namespace {

using std::chrono::seconds;
using switchyard::testing::CapturedStdout;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class RefusalLogTest : public ::testing::Test {
 protected:
  RefusalLogTest() { request_.remote_address = boost::asio::ip::make_address("192.0.2.7"); }

  void add(const http::Response& response, std::string_view name = {}) {
    refusals_->add(request_, response, name, now_);
  }
  std::vector<std::string> lines() {
    EXPECT_TRUE(log_.drain(seconds(30)));
    std::vector<std::string> lines;
    std::istringstream text(printed_.text());
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

  CapturedStdout printed_;
  Log log_{LogFormat::json, LogLevel::info};
  std::optional<RefusalLog> refusals_{std::in_place, log_};
  RefusalLog::Instant now_ = std::chrono::steady_clock::now();
  const boost::beast::http::fields headers_;
  http::Request request_ = http::request_of(http::Method::post, "/a-secret-typed-here", headers_);
  const http::Response refusal_ = http::problem(401, "Invalid username or password");
};

std::string hash_in(const std::string& line) {
  constexpr std::string_view before = R"("name_hash":")";
  return line.substr(line.find(before) + before.size(), 16);
}

TEST_F(RefusalLogTest, SaysWhoWasRefusedAndWhyWithoutNameAndPath) {
  add(refusal_, "alice");
  request_.merchant = "42";
  add(http::problem(403, "User not enabled for transactions"));
  request_.merchant.clear();
  add(http::try_later(429, "Too many failed logins", "detail", 5), "alice");
  EXPECT_THAT(lines(),
              ElementsAre(AllOf(HasSubstr(R"("level":"warning")"), HasSubstr(R"("status":401)"),
                                HasSubstr(R"("reason":"Invalid username or password")"),
                                HasSubstr(R"("address":"192.0.2.7")"), HasSubstr(R"("request_id":"id")"),
                                HasSubstr(R"("merchant":"unknown")"), Not(HasSubstr("alice")),
                                Not(HasSubstr("secret"))),
                          AllOf(HasSubstr(R"("status":403)"), HasSubstr(R"("merchant":"42")"),
                                HasSubstr(R"("name_hash":"none")")),
                          AllOf(HasSubstr(R"("status":429)"), Not(HasSubstr("alice")))));
}

TEST_F(RefusalLogTest, OneNameHasOneHashWhichNobodyElseCanMake) {
  for (const auto* name : {"alice", "alice", "becky"}) add(refusal_, name);
  refusals_.emplace(log_);
  add(refusal_, "alice");
  const auto all = lines();
  ASSERT_THAT(all, SizeIs(4));
  EXPECT_EQ(hash_in(all[0]), hash_in(all[1]));
  EXPECT_NE(hash_in(all[0]), hash_in(all[2]));
  EXPECT_NE(hash_in(all[0]), hash_in(all[3])) << "another process, another key";
}

TEST_F(RefusalLogTest, IsSilentAboutEverythingElse) {
  for (const unsigned status : {200U, 204U, 400U, 404U, 422U, 500U, 503U})
    add(http::problem(status, "x"), "alice");
  EXPECT_THAT(lines(), IsEmpty());
}

TEST_F(RefusalLogTest, AFloodIsBoundedAndWhatWasLeftOutIsSaidWithTheNextLine) {
  for (int i = 0; i < 1000; ++i) add(refusal_, "alice");
  EXPECT_THAT(lines(), SizeIs(LineBudget::lines_at_once_max));
  now_ += seconds(1);
  for (int i = 0; i < 1000; ++i) add(refusal_, "alice");
  const auto all = lines();
  ASSERT_THAT(all, SizeIs(LineBudget::lines_at_once_max + 1 + LineBudget::lines_per_second_max));
  EXPECT_THAT(all[LineBudget::lines_at_once_max], HasSubstr(R"("left_out":900)"));
  refusals_.reset();
  EXPECT_THAT(lines().back(), HasSubstr(R"("left_out":990)")) << "said at the end";
}

}  // namespace
}  // namespace switchyard::service
