#include "token/password.hpp"

#include <array>
#include <string>

#include <gmock/gmock.h>
#include <sodium.h>

namespace switchyard::token {
namespace {

// 1025 times "x", hashed by libsodium with Argon2id at its lowest cost.
constexpr auto hash_of_a_too_long_password =
    "$argon2id$v=19$m=8,t=1,p=1$UiRN5MV5b7cdxLM84BqWLg$qLKBNdFq39Muuqp6LEs4kU4TPp95DHd1faT2d9GewA4";

// "password", hashed by libsodium with Argon2i, which is not what is used here.
constexpr auto argon2i_hash =
    "$argon2i$v=19$m=64,t=3,p=1$Dojhd7XiutBjxf0fknKZ7g$CkOXCsUb8c9YEXwUrU15pZj6v8Mb0jFSN9CCAPnzulU";

TEST(Password, IsVerifiedAgainstItsOwnHashOnly) {
  const auto hash = hash_password("password");
  ASSERT_TRUE(hash);
  EXPECT_TRUE(verify_password(*hash, "password"));
  EXPECT_FALSE(verify_password(*hash, "Password"));
  EXPECT_FALSE(verify_password(*hash, "password "));
  EXPECT_FALSE(verify_password(*hash, ""));
}

TEST(Password, IsHashedWithTheRecommendedCostAndANewSaltEachTime) {
  const auto first = hash_password("password");
  const auto second = hash_password("password");
  ASSERT_TRUE(first && second);
  EXPECT_THAT(*first, testing::StartsWith("$argon2id$v=19$m=19456,t=2,p=1$"));
  EXPECT_NE(*first, *second);
  EXPECT_FALSE(needs_rehash(*first));
}

TEST(Password, MayHoldAnyBytes) {
  const std::string password("p\0\xff\n", 4);
  const auto hash = hash_password(password);
  ASSERT_TRUE(hash);
  EXPECT_TRUE(verify_password(*hash, password));
  EXPECT_FALSE(verify_password(*hash, "p"));
}

TEST(Password, IsBoundedInLength) {
  EXPECT_FALSE(hash_password(""));
  EXPECT_FALSE(hash_password(std::string(max_password_bytes + 1, 'x')));
  const std::string longest(max_password_bytes, 'x');
  const auto hash = hash_password(longest);
  ASSERT_TRUE(hash);
  EXPECT_TRUE(verify_password(*hash, longest));
  EXPECT_FALSE(verify_password(hash_of_a_too_long_password, longest + 'x'));
}

TEST(Password, IsNeverVerifiedAgainstWhatIsNotAnArgon2idHash) {
  using namespace std::string_view_literals;
  for (const auto hash : {""sv, "password"sv, "$argon2id$"sv, "$argon2id$v=19$m=19456,t=2,p=1$"sv,
                          "$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234"sv, "\0"sv}) {
    EXPECT_FALSE(verify_password(hash, "password")) << hash;
    EXPECT_TRUE(needs_rehash(hash)) << hash;
  }
  EXPECT_FALSE(verify_password(std::string(10'000, '$'), "password"));
  EXPECT_FALSE(verify_password(argon2i_hash, "password"));
  EXPECT_TRUE(needs_rehash(argon2i_hash));
}

TEST(Password, IsHashedAgainIfItCostLessAndNotIfItCostMore) {
  const auto hash_of_cost = [](unsigned long long passes, std::size_t memory_kib) {
    std::array<char, crypto_pwhash_STRBYTES> hash;
    EXPECT_EQ(crypto_pwhash_str_alg(hash.data(), "password", 8, passes, memory_kib * 1'024,
                                    crypto_pwhash_ALG_ARGON2ID13),
              0);
    return std::string(hash.data());
  };
  EXPECT_TRUE(needs_rehash(hash_of_cost(1, 19'456)));
  EXPECT_TRUE(needs_rehash(hash_of_cost(2, 19'455)));
  EXPECT_FALSE(needs_rehash(hash_of_cost(2, 19'456)));
  EXPECT_FALSE(needs_rehash(hash_of_cost(3, 19'456)));
  EXPECT_FALSE(needs_rehash(hash_of_cost(2, 20'000)));
}

TEST(DummyHash, CostsWhatARealHashCostsAndMatchesNothing) {
  EXPECT_FALSE(needs_rehash(dummy_hash()));
  const auto real = hash_password("password");
  ASSERT_TRUE(real);
  EXPECT_EQ(dummy_hash().size(), real->size());
  EXPECT_FALSE(verify_password(dummy_hash(), "password"));
  EXPECT_FALSE(verify_password(dummy_hash(), ""));
}

}  // namespace
}  // namespace switchyard::token
