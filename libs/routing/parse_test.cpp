#include "routing/parse.hpp"

#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "money/printable.hpp"
#include "routing/document.hpp"
#include "routing/read_when.hpp"
#include "routing/testing.hpp"

namespace switchyard::routing {
namespace {

using switchyard::testing::routes_of;
using switchyard::testing::routing_example;
using switchyard::testing::with_accounts;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

std::vector<std::string> findings_of(std::string_view text) {
  std::vector<std::string> lines;
  const auto routes = parse(text);
  if (routes) return lines;
  for (const auto& finding : routes.error()) lines.push_back(to_string(finding));
  return lines;
}

TEST(RoutingFile, NamesAccountsWithTheirSettingsAndNoSecrets) {
  const auto routes = routes_of(routing_example);
  ASSERT_THAT(routes.accounts, SizeIs(4));
  EXPECT_EQ(routes.find_account("stripe_us"), 1);
  EXPECT_EQ(routes.find_account("stripe"), std::nullopt);
  const auto& stripe = routes.accounts[0];
  EXPECT_EQ(stripe.name, "stripe_eu");
  EXPECT_EQ(stripe.adapter, Adapter::stripe);
  EXPECT_EQ(stripe.text("secret_key_env"), "STRIPE_EU_SECRET_KEY");
  EXPECT_EQ(stripe.text("base_url"), "");
  const auto& adyen = routes.accounts[2];
  EXPECT_EQ(adyen.adapter, Adapter::adyen);
  EXPECT_EQ(adyen.text("merchant_account"), "AcmeECOM");
  EXPECT_EQ(adyen.text("live_prefix"), "1797a841fbb37ca7-AcmeECOM");
  EXPECT_TRUE(adyen.flag("live"));
  EXPECT_TRUE(adyen.flag("several_captures"));
  EXPECT_FALSE(stripe.flag("live"));
  EXPECT_EQ(routes.accounts[3].adapter, Adapter::simulator);
}

TEST(RoutingFile, HasRulesInItsOrder) {
  const auto routes = routes_of(routing_example);
  ASSERT_THAT(routes.rules, SizeIs(5));
  const auto& night = routes.rules[1];
  EXPECT_EQ(night.label(), "rule 'large at night'");
  EXPECT_EQ(night.line, 32);
  EXPECT_THAT(night.when.currencies, ElementsAre(*Currency::parse("EUR"), *Currency::parse("SEK")));
  EXPECT_EQ(night.when.amount_min, 50'000);
  EXPECT_EQ(night.when.amount_max, std::nullopt);
  EXPECT_EQ(night.when.weekdays.to_string(), "1000001");
  ASSERT_THAT(night.when.times, SizeIs(1));
  EXPECT_EQ(to_string(night.when.times[0]), "22:00-06:00");
  ASSERT_THAT(night.psp, SizeIs(2));
  EXPECT_EQ(night.psp[0].account, 0);
  EXPECT_EQ(night.psp[0].weight, 70);
  EXPECT_EQ(night.psp[1].account, 2);
  EXPECT_THAT(night.fallback, ElementsAre(1));

  EXPECT_THAT(routes.rules[0].when.merchants, ElementsAre(MerchantId{1}, MerchantId{3})) << "sorted";
  const auto& third = routes.rules[2];
  EXPECT_EQ(third.label(), "rule 3");
  ASSERT_THAT(third.when.metadata, SizeIs(2));
  EXPECT_EQ(third.when.metadata[0].name, "tier");
  EXPECT_THAT(third.when.metadata[0].values, ElementsAre("gold", "silver"));
  EXPECT_THAT(third.fallback, ElementsAre(2, 0));
  EXPECT_TRUE(routes.rules[3].when.payment_methods.test(1)) << "adyen";
  EXPECT_EQ(to_string(routes.rules[3].when.times[1]), "13:00-24:00");
  EXPECT_TRUE(routes.rules[4].when.takes_all());
}

TEST(RoutingFile, IsNotNeededForTheSimulator) {
  const auto routes = only_simulator();
  ASSERT_THAT(routes.accounts, SizeIs(1));
  EXPECT_EQ(routes.accounts[0].name, "simulator");
  ASSERT_THAT(routes.rules, SizeIs(1));
  EXPECT_TRUE(routes.rules[0].when.takes_all());
}

struct Wrong {
  std::string text;
  // Whole lines, all there are.
  std::vector<std::string> findings;
};

// A rule for accounts a and b; it begins in line 5.
Wrong rule_with(std::string_view members, std::vector<std::string> findings) {
  return {with_accounts("a b", fmt::format("[[rule]]\n{}\n", members)), std::move(findings)};
}
// A `when`, from column 8 of line 6 on.
Wrong when_with(std::string_view members, std::vector<std::string> findings) {
  return rule_with(fmt::format("when = {{ {} }}\npsp = \"a\"", members), std::move(findings));
}
// An account; it begins in line 1.
Wrong account_with(std::string_view members, std::vector<std::string> findings) {
  return {fmt::format("[psp.a]\n{}\n[[rule]]\npsp = \"a\"\n", members), std::move(findings)};
}

void expect_findings(const std::vector<Wrong>& table) {
  for (const auto& [text, findings] : table) EXPECT_EQ(findings_of(text), findings) << text;
}

TEST(RoutingFile, SaysWhatIsWrongWithTheWhole) {
  expect_findings({
      {"",
       {"line 1, column 1: there is no account; add [psp.NAME] with adapter = \"stripe\", \"adyen\" or "
        "\"simulator\"",
        "line 1, column 1: there is no rule, so nothing would be sent; add [[rule]] with psp = \"NAME\""}},
      {"rules = 1\n[psp]\n[[rule]]\npsp = \"a\"\n",
       {"line 1, column 1: unknown member 'rules' of the file; write 'rule'",
        "line 2, column 1: there is no account; add [psp.NAME] with adapter = \"stripe\", \"adyen\" or "
        "\"simulator\"",
        "line 4, column 7: there is no account 'a'; there is none yet"}},
      {"psp = 1\nrule = []\n",
       {"line 1, column 7: psp is a whole number; add [psp.NAME] with adapter = \"stripe\", \"adyen\" or "
        "\"simulator\"",
        "line 2, column 8: there is no rule, so nothing would be sent; add [[rule]] with psp = \"NAME\""}},
      {with_accounts("a b", "[rule]\npsp = \"a\"\n"),
       {"line 5, column 1: rule is a table; write [[rule]], with two brackets"}},
      {with_accounts("a b", "[[rule]]\npsp = \"a\"\n[limits]\n"),
       {"line 7, column 2: unknown member 'limits' of the file; known are psp, rule"}},
      {"rule = [1]\n" + with_accounts("a b", ""),
       {"line 1, column 9: rule is a whole number; write [[rule]] and its members below"}},
  });
}

TEST(RoutingFile, SaysWhatIsNoToml) {
  const auto findings = findings_of("[psp.a]\nadapter = stripe\n");
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_THAT(findings[0], ::testing::StartsWith("line 2, column 11: no TOML: "));
  EXPECT_THAT(findings[0], HasSubstr("a text stands in quotes"));
  EXPECT_THAT(findings_of("[psp.a]\n[psp.a]\n")[0], HasSubstr("cannot redefine existing table 'psp.a'"));
  EXPECT_THAT(findings_of("[psp.sk_live_abc]\n[psp.sk_live_abc]\n")[0],
              ::testing::AllOf(HasSubstr("line 2"), Not(HasSubstr("sk_live_abc"))));
  EXPECT_THAT(findings_of("[=\n"), ElementsAre(HasSubstr("expected bare key")));
}

TEST(RoutingFile, IsPlainText) {
  const std::string several = "a text over several lines; write it in one pair of quotes; none here is long";
  const std::string control =
      "a control character; leave it out, or write it as \\u and four digits in quotes";
  expect_findings({
      {"# ü\na = \"ü\xff\"\n",
       {"line 2, column 7: a byte that belongs to no character; save the file as UTF-8"}},
      {"a = \"ü\" # ü\n'ü\\' = \"\\\"ü\"\na = \"\"\"\n\"\"\"\n", {"line 3, column 5: " + several}},
      {"a = '''\n'''\n", {"line 1, column 5: " + several}},
      {"a = 1 # \f\n", {"line 1, column 9: " + control}},
      {"a = 1\rb = 2\n", {"line 1, column 6: " + control}},
  });
  EXPECT_THAT(routes_of("\xef\xbb\xbf# ü \"\"\" " + std::string(200, '.') + "\r\n" +
                        with_accounts("a b", "[[rule]]\r\nname = \"ü, and \\\"ä\\\"\"\r\npsp = \"a\""))
                  .rules,
              SizeIs(1));
  // Letters that toml++ takes for what cannot be.
  for (const char* text : {"ü = 1\n", "a = ü\n", "a = 7\"ü\"\n", "[\u00a0b]\n", "[ü]\n", "a = 0x=\"ʍ\n",
                           "a = [1, ü]\n", "a.ü = 1\n", "a = { ü = 1 }\n"}) {
    EXPECT_THAT(findings_of(text), ElementsAre(HasSubstr("no TOML"))) << text;
  }
}

TEST(RoutingFile, HasBounds) {
  EXPECT_THAT(findings_of(std::string(document_bytes_max + 1, '\n')),
              ElementsAre("line 1, column 1: the file has 1048577 bytes; at most 1048576 are read"));
  std::string deep = "\n[a";
  for (int i = 0; i < 200'000; ++i) deep += ".a";
  EXPECT_THAT(
      findings_of(deep + "]\n"),
      ElementsAre("line 2, column 203: more than 100 dots in one line; write shorter lines; no name here "
                  "has more than a few parts"));
  EXPECT_THAT(findings_of("a = " + std::string(200'000, '[')), SizeIs(1));

  std::string text;
  for (int i = 0; i < 101; ++i) text += fmt::format("[psp.a{}]\nadapter = \"simulator\"\n", i);
  EXPECT_THAT(findings_of(text + "[[rule]]\npsp = \"a1\"\n"),
              ElementsAre("line 201, column 6: there are 101 accounts; at most 100 are read"));
  std::string rules;
  for (int i = 0; i < 1'001; ++i)
    rules += fmt::format("[[rule]]\nwhen = {{ merchant = {} }}\npsp = \"a\"\n", i);
  EXPECT_THAT(findings_of(with_accounts("a b", rules)),
              ElementsAre("line 3005, column 1: there are 1001 rules; at most 1000 are read"));

  std::string many = "[[rule]]\npsp = \"a\"\nfallback = [";
  for (int i = 0; i < 130; ++i) many += "\"c\",\n";
  const auto findings = findings_of(with_accounts("a b", many + "]\n"));
  ASSERT_THAT(findings, SizeIs(101));
  EXPECT_EQ(findings.back(), "line 106, column 1: and 30 more; mend those above first");
}

TEST(RoutingFile, SaysWhatIsWrongWithAnAccount) {
  expect_findings({
      account_with("", {"line 1, column 6: account 'a' has no adapter; add adapter = \"stripe\""}),
      account_with("adapter = 1", {"line 2, column 11: adapter of account 'a' is a whole number; for example "
                                   "adapter = \"stripe\""}),
      account_with("adapter = \"stirpe\"",
                   {"line 2, column 11: there is no adapter 'stirpe'; write 'stripe'"}),
      account_with("adapter = \"paypal\"",
                   {"line 2, column 11: there is no adapter 'paypal'; known are stripe, adyen, simulator"}),
      account_with("adapter = \"stripe\"", {"line 1, column 6: account 'a' has no secret_key_env; add "
                                            "secret_key_env = \"STRIPE_SECRET_KEY\""}),
      account_with("adapter = \"adyen\"",
                   {"line 1, column 6: account 'a' has no api_key_env; add api_key_env = \"ADYEN_API_KEY\"",
                    "line 1, column 6: account 'a' has no merchant_account; add merchant_account = "
                    "\"AcmeECOM\"",
                    "line 1, column 6: account 'a' has no hmac_key_env; add hmac_key_env = "
                    "\"ADYEN_HMAC_KEY\""}),
      account_with("adapter = \"stripe\"\nsecret_key_evn = \"K\"\nsecret_key_env = 7",
                   {"line 3, column 1: unknown member 'secret_key_evn' of account 'a'; write "
                    "'secret_key_env'",
                    "line 4, column 18: secret_key_env of account 'a' is a whole number; for example "
                    "secret_key_env = \"STRIPE_SECRET_KEY\""}),
      account_with("adapter = \"simulator\"\nmerchant_account = \"x\"",
                   {"line 3, column 1: unknown member 'merchant_account' of account 'a'; known are adapter, "
                    "base_url"}),
      account_with("adapter = \"simulator\"\nbase_url = \"ftp://x\"",
                   {"line 3, column 12: base_url of account 'a' is not an address with http:// or https:// "
                    "and without name and password; for example base_url = \"http://127.0.0.1:5003\""}),
      {"[psp.\"a b\"]\nadapter = \"simulator\"\n[[rule]]\npsp = \"a b\"\n",
       {"line 1, column 6: 'a b' is no name of an account; write 1 to 64 letters, digits, _ and -"}},
      {"psp.a = 1\n[[rule]]\npsp = \"a\"\n",
       {"line 1, column 9: account 'a' is a whole number; write [psp.NAME] and its settings below"}},
  });
  const std::string adyen =
      "adapter = \"adyen\"\napi_key_env = \"K\"\nmerchant_account = \"M\"\nhmac_key_env = \"H\"\n";
  expect_findings({
      account_with(adyen, {}),
      account_with(adyen + "live = true",
                   {"line 1, column 6: account 'a' is live and does not say where; add live_prefix = "
                    "\"...\", from API URLs in Adyen's Customer Area"}),
      account_with(adyen + "live_prefix = \"x\"",
                   {"line 1, column 6: account 'a' has a live_prefix and is not live; add live = true if "
                    "money is to move, or leave live_prefix out"}),
      account_with("adapter = \"simulator\"\nbase_url = \"http://x?x=1\"",
                   {"line 3, column 12: base_url of account 'a' has a query or a fragment; for example "
                    "base_url = \"http://127.0.0.1:5003\""}),
      account_with("adapter = \"simulator\"\nbase_url = \"http://x:99999\"",
                   {"line 3, column 12: base_url of account 'a' is not a URL; for example "
                    "base_url = \"http://127.0.0.1:5003\""}),
      account_with("adapter = \"simulator\"\nbase_url = \"http://x:0\"",
                   {"line 3, column 12: base_url of account 'a' has a port that is none; for example "
                    "base_url = \"http://127.0.0.1:5003\""}),
      account_with(
          adyen + "live = true\nlive_prefix = \"a/b?c\"",
          {"line 1, column 6: the live_prefix of account 'a' is not of letters, digits and -; copy it "
           "from API URLs in Adyen's Customer Area, without the address around it"}),
      account_with(adyen + "live = true\nbase_url = \"https://checkout-test.adyen.com/v71\"",
                   {"line 1, column 6: account 'a' is live, and its base_url is that of Adyen's test "
                    "environment; give live_prefix in its place, or leave live out"}),
      account_with(
          "adapter = \"stripe\"\nsecret_key_env = \"K\"\nwebhook_secret_previous_env = \"W\"",
          {"line 1, column 6: account 'a' has a webhook_secret_previous_env and no webhook_secret_env; "
           "name the variable of the secret that is valid now as webhook_secret_env"}),
      account_with(adyen + "live = true\nlive_prefix = \"x\"\nbase_url = \"https://x\"",
                   {"line 1, column 6: account 'a' has a live_prefix and a base_url; leave one of them out"}),
      account_with(adyen + "live = \"yes\"", {"line 6, column 8: live of account 'a' is a text; write true "
                                              "or false, without quotes"}),
      account_with("adapter = \"adyen\"\napi_key_env = \"K\"\nmerchant_account = \"\"\nhmac_key_env = \"H\"",
                   {"line 4, column 20: merchant_account of account 'a' is empty, too long, or holds a blank "
                    "or what is no ASCII character; for example merchant_account = \"AcmeECOM\""}),
  });
}

TEST(RoutingFile, NeverRepeatsASecret) {
  const std::string secret_is_there =
      "a secret stands here (it is not repeated); put it into an environment variable and write the "
      "variable's name, such as secret_key_env = \"STRIPE_SECRET_KEY\"; whoever has seen this file may know "
      "it: replace it";
  const std::string not_a_name =
      "secret_key_env of account 'a' is not the name of an environment variable (capital letters, digits "
      "and _; it is not repeated here, since it may be a secret); for example secret_key_env = "
      "\"STRIPE_SECRET_KEY\"";
  const std::string hmac_key(64, 'a');
  const std::string adyen_key = "AQE" + std::string(40, 'x');
  for (const auto& secret : {std::string("sk_live_51H8abcDEF"), std::string("rk_test_abc"),
                             std::string("whsec_0123456789abcdef"), adyen_key, hmac_key}) {
    expect_findings({account_with("adapter = \"stripe\"\nsecret_key_env = \"" + secret + "\"",
                                  {"line 3, column 18: " + secret_is_there})});
  }
  for (const auto& text : {"", "password", "A B", "1A", "hunter2", "$KEY"}) {
    expect_findings({account_with(fmt::format("adapter = \"stripe\"\nsecret_key_env = \"{}\"", text),
                                  {"line 3, column 18: " + not_a_name})});
  }
  expect_findings({
      account_with("adapter = \"stripe\"\nsecret_key = \"sk_live_51H8abcDEF\"",
                   {"line 1, column 6: account 'a' has no secret_key_env; add secret_key_env = "
                    "\"STRIPE_SECRET_KEY\"",
                    "line 3, column 1: unknown member 'secret_key' of account 'a'; write 'secret_key_env', "
                    "with the name of an environment variable",
                    "line 3, column 14: " + secret_is_there}),
  });
  // Wherever it stands.
  for (const auto& text :
       {with_accounts("a b", "[[rule]]\npsp = \"sk_live_51H8abcDEF\"\n"),
        with_accounts("a b", "[[rule]]\nname = \"sk_live_51H8abcDEF\"\npsp = \"a\"\n"),
        with_accounts("a b", "[[rule]]\nname = \"sk_live_51H8abcDEF\"\n"),
        with_accounts("a sk_live_51H8abcDEF", "[[rule]]\npsp = \"c\"\n"),
        with_accounts("a sk_live_51H8abcDEF", "[[rule]]\npsp = \"sk_live_51H8abcDE\"\n"),
        with_accounts("a b", "[[rule]]\npsp = { sk_live_51H8abcDEF = 1 }\n"),
        with_accounts("a b", "[[rule]]\nsk_live_51H8abcDEF = 1\npsp = \"a\"\n"),
        with_accounts("a b", "[[rule]]\nwhen = { currency = \"sk_live_51H8abcDEF\" }\npsp = \"a\"\n"),
        with_accounts("a b", "[[rule]]\nwhen.metadata.\"sk_live_51H8abcDEF\" = 1\npsp = \"a\"\n"),
        std::string("[psp.sk_live_51H8abcDEF]\n"), std::string("x = [[{ a = \"sk_live_51H8abcDEF\" }]]\n"),
        std::string("[psp.a]\nadapter = \"sk_live_51H8abcDEF\"\n"),
        std::string("[psp.a]\nadapter = sk_live_51H8abcDEF\n"),
        std::string("[psp.a]\nsk_live_51H8abcDEF = 1\nsk_live_51H8abcDEF = 2\n")}) {
    const auto findings = findings_of(text);
    EXPECT_FALSE(findings.empty()) << text;
    for (const auto& line : findings) EXPECT_THAT(line, Not(HasSubstr("51H8abcDEF"))) << text;
  }
}

TEST(RoutingFile, RepeatsNoControlCharacters) {
  for (const auto& text :
       {"[psp.\"\\u0011\"]\nadapter = \"simulator\"\n[[rule]]\npsp = \"x\"\n",
        "[psp.\"\\u0011\"]\nadapter = \"simulator\"\n[[rule]]\npsp = { \"\\u0012\" = 0 }\n"}) {
    for (const auto& line : findings_of(text)) EXPECT_EQ(printable(line, line.size()), line);
  }
}

TEST(RoutingFile, SaysWhatIsWrongWithARule) {
  expect_findings({
      rule_with("", {"line 5, column 1: rule 1 has no psp; write psp = \"a\", or psp = { a = 70, b = 30 }"}),
      rule_with("psp = \"a\"\nwhn = {}", {"line 7, column 1: unknown member 'whn' of rule 1; write "
                                          "'when'"}),
      rule_with("psp = \"a\"\nname = \"x\"\npriority = 1",
                {"line 8, column 1: unknown member 'priority' of rule 'x'; known are name, when, psp, "
                 "fallback"}),
      rule_with("psp = \"a\"\nname = \"\"",
                {"line 7, column 8: '' is no name of a rule; write 1 to 64 characters that can be printed"}),
      rule_with("psp = \"a\"\nname = 1",
                {"line 7, column 8: name is a whole number; write a text, such as \"night\""}),
      rule_with("psp = \"a\"\nname = \"x\"\nwhen.merchant = 1\n[[rule]]\npsp = \"a\"\nname = \"x\"",
                {"line 11, column 8: a second rule 'x'; write another name; the first one is in line 7"}),
      rule_with("psp = 1", {"line 6, column 7: psp is a whole number; write psp = \"a\", or psp = { a = 70, "
                            "b = 30 }"}),
      rule_with("psp = [\"a\", \"b\"]",
                {"line 6, column 7: psp is a list; write psp = \"a\", or psp = { a = 70, b = 30 }"}),
      rule_with("psp = {}",
                {"line 6, column 7: psp names no account; write psp = \"a\", or psp = { a = 70, b = 30 }"}),
      rule_with("psp = \"third\"", {"line 6, column 7: there is no account 'third'; known are a, b"}),
      rule_with("psp = { a = 0, b = -1 }",
                {"line 6, column 13: the weight of 'a' is 0; write a whole number from 1 to 1000000, or name "
                 "the account under fallback, or leave it out",
                 "line 6, column 20: the weight of 'b' is -1; write a whole number from 1 to 1000000"}),
      rule_with("psp = { a = 0.5, b = \"30\" }",
                {"line 6, column 13: the weight of 'a' is a number with a fraction; write a whole number "
                 "from 1 to 1000000",
                 "line 6, column 22: the weight of 'b' is a text; write a whole number from 1 to 1000000"}),
      rule_with("psp = { a = 1000001 }",
                {"line 6, column 13: the weight of 'a' is 1000001; write a whole number from 1 to 1000000"}),
      rule_with("psp = { a = 1, b = 1 }\nfallback = [\"b\", \"third\", 1]",
                {"line 7, column 13: account 'b' stands twice in rule 1; leave it out here: no payment goes "
                 "to an account twice",
                 "line 7, column 18: there is no account 'third'; known are a, b",
                 "line 7, column 27: fallback is a whole number; write the name of an account, or a list of "
                 "them"}),
      rule_with("psp = \"a\"\nfallback = [\"b\", \"b\"]",
                {"line 7, column 18: account 'b' stands twice in rule 1; leave it out here: no payment goes "
                 "to an account twice"}),
      rule_with("psp = \"a\"\nfallback = []", {}),
  });
}

TEST(RoutingFile, SaysWhichRuleCanNeverBeReached) {
  expect_findings({
      rule_with("psp = \"a\"\n[[rule]]\nwhen = { merchant = 1 }\npsp = \"b\"",
                {"line 7, column 1: rule 2 can never be reached: rule 1 in line 5 has no `when` and takes "
                 "all; move rule 1 to the end, or give it a `when`"}),
      rule_with("name = \"all\"\nwhen = {}\npsp = \"a\"\n[[rule]]\nname = \"x\"\npsp = \"b\"\n[[rule]]\n"
                "psp = \"a\"",
                {"line 9, column 1: rule 'x', and each behind it, can never be reached: rule 'all' in line 5 "
                 "has no `when` and takes all; move rule 'all' to the end, or give it a `when`"}),
      rule_with("when = { merchant = 1 }\npsp = \"a\"\n[[rule]]\npsp = \"b\"", {}),
  });
}

TEST(RoutingFile, SaysWhatIsWrongWithACondition) {
  const std::string currency_right = "write a current code of ISO 4217 in capital letters, such as EUR";
  const std::string metadata_right = "write metadata = { channel = \"web\", tier = [\"gold\", \"silver\"] }";
  const std::string time_right = "write HH:MM-HH:MM in UTC, such as \"22:00-06:00\"";
  const std::string amount_right = "write a whole number of minor units, such as 500_00 for 500.00 EUR";
  expect_findings({
      rule_with("psp = \"a\"\nwhen = 1",
                {"line 7, column 8: when is a whole number; write when = { currency = \"EUR\" }"}),
      when_with("curency = \"EUR\"", {"line 6, column 10: unknown member 'curency' of when; write "
                                      "'currency'"}),
      when_with("country = \"DE\"",
                {"line 6, column 10: unknown member 'country' of when; known are currency, amount, merchant, "
                 "payment_method, weekday, time, metadata"}),
      when_with("currency = \"eur\"", {"line 6, column 21: unknown currency 'eur'; " + currency_right}),
      when_with("currency = [\"EUR\", \"BGN\", 1]",
                {"line 6, column 29: unknown currency 'BGN'; " + currency_right,
                 "line 6, column 36: currency is a whole number; " + currency_right}),
      when_with("currency = []",
                {"line 6, column 21: currency is an empty list; leave it out, or name something"}),
      when_with("amount = 100",
                {"line 6, column 19: amount is a whole number; write amount = { min = 1_00, max = 500_00 }"}),
      when_with("amount = {}", {"line 6, column 19: amount has neither min nor max; write one of them, or "
                                "leave it out"}),
      when_with("amount = { from = 1 }",
                {"line 6, column 21: unknown member 'from' of amount; known are min, max"}),
      when_with("amount = { min = 500, max = 100 }",
                {"line 6, column 19: amount goes from 500 down to 100; write min = 100, max = 500"}),
      when_with("amount = { min = -1, max = 1.5 }",
                {"line 6, column 27: amount's min is below zero; " + amount_right,
                 "line 6, column 37: amount's max is a number with a fraction; " + amount_right}),
      when_with("merchant = [1, \"7\"]",
                {"line 6, column 25: merchant is a text; write the merchant's id, such as 7"}),
      when_with("payment_method = [\"stripe\", \"adien\", \"simulator\", true]",
                {"line 6, column 38: no merchant gives a payment_method for 'adien'; write 'adyen'",
                 "line 6, column 47: no merchant gives a payment_method for 'simulator'; known are stripe, "
                 "adyen",
                 "line 6, column 60: payment_method is true or false; write the name of an adapter, such as "
                 "\"stripe\""}),
      when_with("weekday = [\"sunday\", 6]",
                {"line 6, column 21: 'sunday' is no weekday; write mon, tue, wed, thu, fri, sat or sun",
                 "line 6, column 31: weekday is a whole number; write a day, such as \"sat\""}),
      when_with("time = \"22-06\"", {"line 6, column 17: '22-06' is no time of day; " + time_right}),
      when_with("time = 22:00:00", {"line 6, column 17: time is a date or a time; " + time_right}),
      when_with("metadata = \"web\"", {"line 6, column 21: metadata is a text; " + metadata_right}),
      when_with("metadata = {}", {"line 6, column 21: metadata names nothing; leave it out, or name "
                                  "something"}),
      when_with("metadata = { tier = [], channel = 7 }",
                {"line 6, column 30: metadata's 'tier' is an empty list; leave it out, or name something",
                 "line 6, column 44: metadata's 'channel' is a whole number; " + metadata_right}),
  });
}

TEST(TimeRange, IsTwoTimesOfOneDayThatDiffer) {
  for (const char* right : {"00:00-24:00", "22:00-06:00", "00:01-00:00", "23:59-24:00"}) {
    const auto range = parse_time_range(right);
    ASSERT_TRUE(range) << right;
    EXPECT_EQ(to_string(*range), right);
  }
  for (const char* wrong : {"", "22:00", "22:00-22:00", "24:00-06:00", "22:60-23:00", "22:00-24:01",
                            "25:00-26:00", "2:00-03:00", "22:00 06:00", "22:00-06:0a", "-1:00-06:00"}) {
    EXPECT_FALSE(parse_time_range(wrong)) << wrong;
  }
}

// From a seed that is printed: pieces of the language in any order, and the example with bytes changed.
TEST(RoutingFile, IsNoDangerWhateverStandsInIt) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  const auto below = [&](std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random);
  };
  const std::vector<std::string> pieces{
      "[",     "]",      "{",        "}",       "=",        ".",    ",",        "\n",   "\"",
      "'",     "\"\"\"", "'''",      "#",       " ",        "psp",  "rule",     "a",    "when",
      "1",     "-1",     "0.5",      "true",    "inf",      "0x1",  "[[",       "]]",   "\\u1",
      "22:00", "1_0",    "currency", "\"EUR\"", "fallback", "\r\n", "[[rule]]", "\xff", "\\"};
  for (int i = 0; i < 3'000; ++i) {
    std::string text;
    for (auto count = below(40); count > 0; --count) text += pieces[below(pieces.size())];
    const auto routes = parse(text);
    if (!routes) {
      EXPECT_FALSE(routes.error().empty()) << text;
    }
  }
  for (int i = 0; i < 300; ++i) {
    std::string text(routing_example);
    for (auto count = 1 + below(4); count > 0; --count) {
      const auto at = below(text.size());
      if (below(3) == 0) {
        text.erase(at, 1 + below(20));
      } else if (below(2) == 0) {
        text.insert(at, pieces[below(pieces.size())]);
      } else {
        text[at] = static_cast<char>(below(256));
      }
    }
    (void)parse(text);
  }
}

}  // namespace
}  // namespace switchyard::routing
