#include "psp/adyen/names.hpp"

#include <limits>
#include <string>

#include <gmock/gmock.h>

#include "payment/psp_keys.hpp"

namespace switchyard::psp::adyen {
namespace {

payment::Transaction transaction_of(std::int64_t merchant, std::string derived_reference) {
  payment::Transaction transaction{
      .id = {}, .merchant_id = MerchantId{merchant}, .amount = Money(1, *Currency::parse("EUR"))};
  transaction.derived_reference = std::move(derived_reference);
  return transaction;
}

// As ever: what was sent under one of these must not be sent under another one.
TEST(AdyenNames, AreMadeAsEver) {
  EXPECT_EQ(reference_of("7-0123456789abcdef0123456789abcdef-1"), "7_0123456789abcdef0123456789abcdef_1");
  EXPECT_EQ(header_key_of("7-0123456789abcdef0123456789abcdef-1"), "7-0123456789abcdef0123456789abcdef-1");
  EXPECT_EQ(reference_of("7-018f2b6e-7c1d-7abc-8def-0123456789ab-2"),
            "7_018f2b6e_7c1d_7abc_8def_0123456789ab_2");
  EXPECT_EQ(cancel_reference_of("7-ab-1"), "7_ab_1_cancel");
  EXPECT_EQ(cancel_header_key_of("7-ab-1"), "7-ab-1-cancel");
  // SHA-256 of 65 times "a".
  const auto* const hash = "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0";
  EXPECT_EQ(header_key_of(std::string(64, 'a')), std::string(64, 'a'));
  EXPECT_EQ(header_key_of(std::string(65, 'a')), hash);
  EXPECT_EQ(reference_of(std::string(72, 'a')), std::string(72, 'a'));
  EXPECT_EQ(reference_of(std::string(73, 'a')), header_key_of(std::string(73, 'a')));
}

TEST(AdyenNames, FitAdyensLimitsWhateverTheKey) {
  const auto longest = payment::numbered_key(transaction_of(std::numeric_limits<std::int64_t>::max(), {}),
                                             std::numeric_limits<std::int32_t>::max());
  for (const auto& key : {longest, std::string(72, 'k'), std::string(80, 'k'), std::string(1'000, 'k'),
                          std::string("a_b"), std::string("a:b\r\n"), std::string(), std::string("\xff")}) {
    for (const auto& name : {reference_of(key), cancel_reference_of(key)}) {
      EXPECT_LE(name.size(), 80U) << key;
      EXPECT_EQ(name.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz_"), std::string::npos) << name;
    }
    EXPECT_LE(header_key_of(key).size(), 64U) << key;
    EXPECT_LE(cancel_header_key_of(key).size(), 64U) << key;
    EXPECT_NE(header_key_of(key), cancel_header_key_of(key));
  }
}

TEST(AdyenNames, TwoKeysAreTwoNames) {
  EXPECT_NE(reference_of("a-b"), reference_of("a_b"));
  EXPECT_NE(reference_of("a-b"), reference_of("a-c"));
  EXPECT_NE(header_key_of(std::string(65, 'a')), header_key_of(std::string(66, 'a')));
}

TEST(AdyenNames, AreMappedBack) {
  for (const auto& derived : {std::string(), std::string("0123456789abcdef0123456789abcdef")}) {
    const auto transaction = transaction_of(7, derived);
    const auto key = payment::numbered_key(transaction, 12);
    for (const bool is_cancel : {false, true}) {
      const auto named = read_reference(is_cancel ? cancel_reference_of(key) : reference_of(key));
      EXPECT_EQ(named.idempotency_key, key);
      EXPECT_EQ(named.transaction_reference, psp_reference(transaction));
      EXPECT_EQ(named.is_cancel, is_cancel);
    }
  }
  const auto derived = payment::derived_key("installation", MerchantId{7}, "key", payment::Kind::refund);
  EXPECT_EQ(read_reference(reference_of(derived)).idempotency_key, derived);
  EXPECT_EQ(read_reference(reference_of(derived)).transaction_reference, "");
}

TEST(AdyenNames, OneOfSomebodyElseIsNoTransactionOfOurs) {
  for (const auto* reference : {"", "_", "__", "___", "order_1", "a_b_1", "7_b_x", "7__1", "_b_1", "7_b_",
                                "7_1", "_cancel", "sy:cap\\01/a"}) {
    EXPECT_EQ(read_reference(reference).transaction_reference, "") << reference;
  }
  for (const auto* reference : {"7-ab-1", "7_ab_1 ", "7_ab_1:", "sy:cap\\01/a", "7_\xc3\xa4_1"}) {
    EXPECT_EQ(read_reference(reference).idempotency_key, "") << reference;
  }
}

}  // namespace
}  // namespace switchyard::psp::adyen
