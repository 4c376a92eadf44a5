#include "base/id.hpp"

#include <algorithm>
#include <chrono>
#include <type_traits>
#include <vector>

#include <gmock/gmock.h>

#include "base/testing.hpp"

namespace switchyard {
namespace {

using switchyard::testing::eventually;

constexpr const char* example = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";  // RFC 9562, appendix A.6

std::uint64_t first_64_bits(const Uuid& uuid) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < 8; ++i) bits = bits << 8 | uuid.bytes[i];
  return bits;
}

std::int64_t ns_since_epoch() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

TEST(UuidGenerate, SetsVersionAndVariant) {
  for (int i = 0; i < 1000; ++i) {
    const auto uuid = Uuid::generate();
    EXPECT_EQ(uuid.bytes[6] >> 4, 7) << uuid.to_string();
    EXPECT_EQ(uuid.bytes[8] >> 6, 0b10) << uuid.to_string();
  }
}

TEST(UuidGenerate, BeginsWithTheTimeInMillisecondsAndTheirFraction) {
  for (int i = 0; i < 1000; ++i) {
    const auto before = ns_since_epoch();
    const auto bits = first_64_bits(Uuid::generate());
    const auto after = ns_since_epoch();
    const auto ms = static_cast<std::int64_t>(bits >> 16);
    const auto ns = ms * 1'000'000 + static_cast<std::int64_t>(bits & 0xfff) * 1'000'000 / 4096;
    // A 4096th of a millisecond is 244 ns.
    EXPECT_GE(ns, before - 245);
    EXPECT_LE(ns, after);
  }
}

TEST(UuidGenerate, LaterIdsSortAfterEarlierOnes) {
  auto earlier = Uuid::generate();
  for (int i = 0; i < 20; ++i) {
    const auto made_at = ns_since_epoch();
    ASSERT_TRUE(eventually([&] { return ns_since_epoch() > made_at + 500; }));
    const auto later = Uuid::generate();
    EXPECT_LT(earlier, later);
    EXPECT_LT(earlier.to_string(), later.to_string());
    earlier = later;
  }
}

TEST(UuidGenerate, IsUniqueOverThreads) {
  constexpr std::size_t per_thread = 20'000;
  std::vector<std::vector<Uuid>> made(8);
  {
    std::vector<std::jthread> threads;
    for (auto& ids : made) {
      threads.emplace_back([&ids] {
        for (std::size_t i = 0; i < per_thread; ++i) ids.push_back(Uuid::generate());
      });
    }
  }
  std::vector<Uuid> all;
  for (const auto& ids : made) all.insert(all.end(), ids.begin(), ids.end());
  std::ranges::sort(all);
  EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
  EXPECT_EQ(all.size(), made.size() * per_thread);
}

TEST(UuidParse, GivesBackWhatWasWritten) {
  for (int i = 0; i < 100; ++i) {
    const auto uuid = Uuid::generate();
    EXPECT_EQ(Uuid::parse(uuid.to_string()), uuid);
  }
  EXPECT_EQ(Uuid::parse(example)->to_string(), example);
  EXPECT_EQ(Uuid{}.to_string(), "00000000-0000-0000-0000-000000000000");
}

TEST(UuidParse, TakesBothCasesAndWritesTheLowerOne) {
  EXPECT_EQ(Uuid::parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")->to_string(), example);
}

TEST(UuidParse, RefusesEverythingButTheCanonicalForm) {
  for (const char* text : {
           "",
           "017f22e2-79b0-7cc3-98c4-dc0c0c07398",     // short
           "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",   // long
           "017f22e279b07cc398c4dc0c0c07398f",        // no hyphens
           "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",  // braces
           "017f22e27-9b0-7cc3-98c4-dc0c0c07398f",    // a hyphen in the wrong place
           "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",    // not hexadecimal
           "017f22e2-79b0-7cc3-98c4_dc0c0c07398f",
           "017f22e2-79b0-7cc3-98c4--c0c0c07398f",
           " 17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
           "+17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
       }) {
    EXPECT_EQ(Uuid::parse(text), std::nullopt) << text;
  }
  EXPECT_EQ(Uuid::parse(std::string_view("017f22e2-79b0-7cc3-98c4-dc0c0c0739\0f", 36)), std::nullopt);
}

TEST(StrongId, OfOneKindIsNotOfAnother) {
  EXPECT_FALSE((std::is_convertible_v<TransactionId, UserId>));
  EXPECT_FALSE((std::is_convertible_v<std::int64_t, UserId>));
  EXPECT_LT(UserId{1}, UserId{2});
  EXPECT_EQ(UserId{1}, UserId{1});
}

TEST(RandomHex, HasTwoDigitsAByteAndDiffers) {
  const auto text = random_hex(16);
  EXPECT_THAT(text, ::testing::MatchesRegex("[0-9a-f]{32}"));
  EXPECT_NE(random_hex(16), text);
  EXPECT_EQ(random_hex(0), "");
}

}  // namespace
}  // namespace switchyard
