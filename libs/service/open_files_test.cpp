#include "service/open_files.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace switchyard::service {
namespace {

constexpr http::Limits wanted{.connections_max = 10'000, .connections_per_address_max = 8'000};

TEST(OpenFiles, LeaveTheConnectionsAloneWhereThereAreEnough) {
  for (const std::uint64_t files : {std::uint64_t{13'336}, std::numeric_limits<std::uint64_t>::max()}) {
    EXPECT_EQ(within_open_files(wanted, files).connections_max, 10'000U) << files;
    EXPECT_EQ(within_open_files(wanted, files).connections_per_address_max, 8'000U) << files;
  }
}

TEST(OpenFiles, BoundTheConnectionsSoThatOneAddressCannotHaveThemAll) {
  const auto limits = within_open_files(wanted, 1'024);
  EXPECT_EQ(limits.connections_max, 768U);
  EXPECT_EQ(limits.connections_per_address_max, 612U);
  EXPECT_EQ(within_open_files(wanted, 1).connections_max, 1U);
  EXPECT_EQ(within_open_files(wanted, 1).connections_per_address_max, 1U);
}

TEST(OpenFiles, KeepASmallerBoundOfAnAddress) {
  constexpr http::Limits few{.connections_max = 10'000, .connections_per_address_max = 10};
  EXPECT_EQ(within_open_files(few, 1'024).connections_per_address_max, 10U);
}

TEST(OpenFiles, AreCounted) {
  EXPECT_GT(open_files_max(), 0U);
}

}  // namespace
}  // namespace switchyard::service
