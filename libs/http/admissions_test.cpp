#include "http/admissions.hpp"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace switchyard::http {
namespace {

using boost::asio::ip::make_address;
using Refusal = Admissions::Refusal;

class AdmissionsTest : public ::testing::Test {
 protected:
  // Nothing if it came in, and is kept.
  std::optional<Refusal> come(const char* address) {
    auto admission = admissions_.admit(make_address(address));
    if (const auto* refusal = std::get_if<Refusal>(&admission)) return *refusal;
    tickets_.push_back(std::get<Admissions::Ticket>(std::move(admission)));
    return std::nullopt;
  }

  Admissions admissions_{Limits{.connections_max = 5, .connections_per_address_max = 2}};
  std::vector<Admissions::Ticket> tickets_;
};

TEST(ClientOf, IsAnIpv4AddressOrTheNetworkOfAnIpv6Address) {
  const auto client = [](const char* address) { return client_of(make_address(address)).to_string(); };
  EXPECT_EQ(client("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(client("::ffff:192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(client("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
  EXPECT_EQ(client("2001:db8:1:2::"), "2001:db8:1:2::");
  EXPECT_EQ(client("fe80::1%1"), "fe80::") << "a zone is no part of it";
  EXPECT_EQ(client("::1"), "::");
}

TEST_F(AdmissionsTest, OneAddressCannotTakeAllPlaces) {
  EXPECT_EQ(come("192.0.2.1"), std::nullopt);
  EXPECT_EQ(come("192.0.2.1"), std::nullopt);
  EXPECT_EQ(come("192.0.2.1"), Refusal::too_many_of_address);
  EXPECT_EQ(come("::ffff:192.0.2.1"), Refusal::too_many_of_address);
  EXPECT_EQ(come("192.0.2.2"), std::nullopt) << "the neighbour is another client";
}

TEST_F(AdmissionsTest, AnIpv6NetworkIsOneClient) {
  EXPECT_EQ(come("2001:db8::1"), std::nullopt);
  EXPECT_EQ(come("2001:db8::2"), std::nullopt);
  EXPECT_EQ(come("2001:db8::ffff:ffff:ffff:ffff"), Refusal::too_many_of_address);
  EXPECT_EQ(come("2001:db8:0:1::1"), std::nullopt);
}

TEST_F(AdmissionsTest, WhoMayHaveAllIsBoundedByAllOnly) {
  const auto address = make_address("10.0.0.1");
  for (int i = 0; i < 5; ++i) {
    auto admission = admissions_.admit(address, Admissions::Share::all);
    ASSERT_TRUE(std::holds_alternative<Admissions::Ticket>(admission)) << i;
    tickets_.push_back(std::get<Admissions::Ticket>(std::move(admission)));
  }
  EXPECT_EQ(std::get<Refusal>(admissions_.admit(address, Admissions::Share::all)), Refusal::too_many);
}

TEST_F(AdmissionsTest, AllTogetherAreBounded) {
  for (const char* address : {"192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3"})
    EXPECT_EQ(come(address), std::nullopt);
  EXPECT_EQ(come("192.0.2.4"), Refusal::too_many);
}

TEST_F(AdmissionsTest, WhoLeavesMakesRoomForTheSameAddressAndForAll) {
  for (const char* address : {"192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3"}) come(address);
  tickets_.erase(tickets_.begin());
  EXPECT_EQ(come("192.0.2.1"), std::nullopt);
  EXPECT_EQ(come("192.0.2.3"), Refusal::too_many);
  tickets_.clear();
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(come("192.0.2.1"), std::nullopt);
    EXPECT_EQ(come("192.0.2.1"), std::nullopt);
    EXPECT_EQ(come("192.0.2.1"), Refusal::too_many_of_address);
    tickets_.clear();
  }
}

}  // namespace
}  // namespace switchyard::http
