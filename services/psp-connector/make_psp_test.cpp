#include "psp-connector/make_psp.hpp"

#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "routing/parse.hpp"

namespace switchyard::connector {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class MakePspTest : public ::testing::Test {
 protected:
  // Its first account; empty if it was made.
  std::string problem_with(std::string_view accounts) {
    const auto routes = routing::parse(std::string(accounts) + "\n[[rule]]\npsp = \"it\"\n").value();
    const PspParts parts{settings_, threads_.executor(0), 10, clock_};
    try {
      const auto psp = make_psp(routes.accounts.front(), parts);
      EXPECT_EQ(psp->name(), "it");
      return {};
    } catch (const ConfigError& error) {
      return error.what();
    }
  }

  switchyard::testing::TempDir folder_;
  switchyard::testing::ManualClock clock_;
  IoThreads threads_{1};
  PspSettings settings_{.ledger_path = folder_.file("ledger")};
};

constexpr std::string_view stripe = R"([psp.it]
adapter = "stripe"
secret_key_env = "STRIPE_KEY"
)";
constexpr std::string_view adyen = R"([psp.it]
adapter = "adyen"
api_key_env = "ADYEN_KEY"
merchant_account = "AcmeECOM"
hmac_key_env = "ADYEN_HMAC"
)";

TEST_F(MakePspTest, AnAccountOfEachKind) {
  settings_.environment.set("STRIPE_KEY", "sk_test_1");
  settings_.environment.set("ADYEN_KEY", "AQE1");
  EXPECT_EQ(problem_with(stripe), "");
  EXPECT_EQ(problem_with(adyen), "");
  EXPECT_EQ(problem_with("[psp.it]\nadapter = \"simulator\"\n"), "");
  EXPECT_EQ(problem_with("[psp.it]\nadapter = \"simulator\"\nbase_url = \"http://127.0.0.1:1\"\n"), "");
}

TEST_F(MakePspTest, ASecretThatIsNotThereIsAskedForByItsName) {
  EXPECT_THAT(problem_with(stripe), AllOf(StartsWith("STRIPE_KEY is not set"), HasSubstr("account it"),
                                          HasSubstr("secret_key_env")));
  EXPECT_THAT(problem_with(adyen), AllOf(StartsWith("ADYEN_KEY is not set"), HasSubstr("api_key_env")));
}

TEST_F(MakePspTest, ASecretWithWhatNoPspGivesIsRefusedByItsName) {
  for (const auto* secret :
       {"sk_test_1\n", "sk_test_1\r\nX-Evil: 1", " sk_test_1", "sk_test_1 2", "sk_test_\xc3\xa4"}) {
    settings_.environment.set("STRIPE_KEY", secret);
    EXPECT_THAT(problem_with(stripe), AllOf(StartsWith("STRIPE_KEY holds a blank"), HasSubstr("account it"),
                                            Not(HasSubstr("sk_test"))));
  }
  settings_.environment.set("STRIPE_KEY", "sk_test_");
  EXPECT_THAT(problem_with(stripe), StartsWith("STRIPE_KEY is no secret key"));
}

TEST_F(MakePspTest, ASecretThatIsNoneIsRefusedAndNotRepeated) {
  settings_.environment.set("STRIPE_KEY", "pk_test_hunter2");
  EXPECT_THAT(problem_with(stripe),
              AllOf(StartsWith("STRIPE_KEY is no secret key"), Not(HasSubstr("hunter2"))));
}

}  // namespace
}  // namespace switchyard::connector
