#include "psp-events/event_accounts.hpp"

#include <fstream>
#include <vector>

#include <gmock/gmock.h>

#include "base/testing.hpp"

namespace switchyard::events {
namespace {

using switchyard::testing::CapturedStdout;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class EventAccountsTest : public ::testing::Test {
 protected:
  EventAccountsTest() {
    environment_.set("SECRET", "whsec_1");
    write("a");
  }

  // An account at Stripe, and one that is simulated.
  void write(std::string_view account) {
    std::ofstream(path_) << "[psp." << account << "]\nadapter = \"stripe\"\nsecret_key_env = \"KEY\"\n"
                         << "webhook_secret_env = \"SECRET\"\n[psp.sim]\nadapter = \"simulator\"\n"
                         << "[[rule]]\npsp = \"sim\"\n";
  }
  void write_nonsense() { std::ofstream(path_) << "[psp.a]\nadapter = \"strype\"\n"; }

  switchyard::testing::TempDir folder_;
  const std::string path_ = folder_.file("routing.toml");
  Environment environment_;
  telemetry::Metrics metrics_;
  const CapturedStdout output_;
  Log log_{LogFormat::text, LogLevel::info};
};

TEST_F(EventAccountsTest, FindsAnAccountByItsNameAndNobodyByAnyOther) {
  const EventAccounts accounts(path_, environment_, metrics_, log_);
  EXPECT_EQ(accounts.find("a")->name(), "a");
  EXPECT_NE(accounts.find("a")->webhook(), nullptr);
  EXPECT_EQ(accounts.find("sim")->webhook(), nullptr);
  for (const auto* other : {"b", "", "A", "a ", "sim/a"})
    EXPECT_EQ(accounts.find(other)->name(), "") << other;
}

TEST_F(EventAccountsTest, WithoutAFileThereIsNobody) {
  EventAccounts accounts("", environment_, metrics_, log_);
  EXPECT_FALSE(accounts.has_file());
  EXPECT_EQ(accounts.find("a")->name(), "");
  accounts.follow();
  EXPECT_EQ(accounts.trouble(), "");
}

TEST_F(EventAccountsTest, DoesNotStartWithAFileThatCannotBeFollowed) {
  write_nonsense();
  EXPECT_THROW(EventAccounts(path_, environment_, metrics_, log_), ConfigError);
  write("a");
  EXPECT_THROW(EventAccounts(path_, Environment(), metrics_, log_), ConfigError);
}

TEST_F(EventAccountsTest, AWrongNewFileKeepsTheAccountsFromBefore) {
  EventAccounts accounts(path_, environment_, metrics_, log_);
  write_nonsense();
  accounts.follow();
  EXPECT_THAT(accounts.trouble(), StartsWith(path_));
  EXPECT_NE(accounts.find("a")->webhook(), nullptr);
  EXPECT_THAT(metrics_.text(), HasSubstr("switchyard_psp_events_routing_file_refused 1"));
  const auto held = accounts.find("a");
  write("b");
  accounts.follow();
  EXPECT_EQ(accounts.trouble(), "");
  EXPECT_EQ(accounts.find("a")->name(), "");
  EXPECT_EQ(accounts.find("b")->name(), "b");
  EXPECT_NE(held->webhook(), nullptr) << "a request that is under way";
  EXPECT_THAT(metrics_.text(), HasSubstr("switchyard_psp_events_routing_file_refused 0"));
}

TEST_F(EventAccountsTest, ASecretThatIsNotThereForANewAccountKeepsTheAccountsFromBefore) {
  EventAccounts accounts(path_, environment_, metrics_, log_);
  std::ofstream(path_, std::ios::app) << "[psp.b]\nadapter = \"stripe\"\nsecret_key_env = \"KEY\"\n"
                                      << "webhook_secret_env = \"OTHER\"\n";
  accounts.follow();
  EXPECT_THAT(accounts.trouble(), StartsWith("OTHER is not set"));
  EXPECT_NE(accounts.find("a")->webhook(), nullptr);
  EXPECT_EQ(accounts.find("b")->name(), "");
}

TEST_F(EventAccountsTest, CountsByTheNamesOfAccountsOnly) {
  const EventAccounts accounts(path_, environment_, metrics_, log_);
  accounts.find("what anybody sends")->count_of(Result::unknown_account).Increment();
  accounts.find("a")->count_of(Result::stored).Increment();
  accounts.find("sim")->count_of(Result::takes_none).Increment();
  EXPECT_THAT(metrics_.text(),
              AllOf(HasSubstr(R"(switchyard_psp_events_total{account="",result="unknown_account"} 1)"),
                    HasSubstr(R"(switchyard_psp_events_total{account="a",result="stored"} 1)"),
                    HasSubstr(R"(switchyard_psp_events_total{account="sim",result="takes_none"} 1)"),
                    Not(HasSubstr("anybody")), Not(HasSubstr(R"(account="sim",result="stored")"))));
}

TEST_F(EventAccountsTest, HasPlacesForSoManyAtOnce) {
  EventAccount account("a", nullptr, metrics_, log_);
  std::vector<EventAccount::Turn> turns;
  for (std::size_t i = 0; i < EventAccount::at_once_max; ++i) {
    turns.push_back(account.enter());
    ASSERT_TRUE(turns.back());
  }
  EXPECT_FALSE(account.enter());
  EXPECT_FALSE(account.enter());
  turns.pop_back();
  EXPECT_TRUE(account.enter());
}

}  // namespace
}  // namespace switchyard::events
