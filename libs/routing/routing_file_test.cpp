#include "routing/routing_file.hpp"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "base/testing.hpp"

namespace switchyard::routing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view good = "[psp.a]\nadapter = \"simulator\"\n[[rule]]\npsp = \"a\"\n";

class RoutingFileTest : public ::testing::Test {
 protected:
  void write(std::string_view text) { std::ofstream(path_, std::ios::binary) << text; }

  switchyard::testing::TempDir folder_;
  const std::string path_ = folder_.file("routing.toml");
  RoutingFile file_{path_};
};

TEST_F(RoutingFileTest, IsReadOnceForEachChange) {
  write(good);
  auto read = file_.read_if_changed();
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->accounts.front().name, "a");
  EXPECT_FALSE(file_.read_if_changed());
  write(std::string(good) + "# a remark\n");
  EXPECT_TRUE(file_.read_if_changed());
  EXPECT_FALSE(file_.read_if_changed());
}

TEST_F(RoutingFileTest, SaysWhatIsWrongAndWhereEachTimeThatItChanges) {
  write(good);
  file_.read_if_changed();
  write("[psp.a]\nadapter = \"simulater\"\n[[rule]]\npsp = \"b\"\n");
  auto read = file_.read_if_changed();
  ASSERT_TRUE(read && !*read);
  EXPECT_THAT(read->error(), AllOf(StartsWith(path_ + ": line 2, column "), HasSubstr("1 more")));
  EXPECT_FALSE(file_.read_if_changed()) << "it was told";
  write(good);
  read = file_.read_if_changed();
  EXPECT_TRUE(read && *read);
}

TEST_F(RoutingFileTest, SaysThatItIsNotThereOrNoFileOrTooLarge) {
  auto read = file_.read_if_changed();
  ASSERT_TRUE(read && !*read);
  EXPECT_THAT(read->error(), AllOf(StartsWith(path_), HasSubstr("No such file")));
  EXPECT_FALSE(file_.read_if_changed());
  write(std::string(10'000'000, '#'));
  read = file_.read_if_changed();
  ASSERT_TRUE(read && !*read);
  EXPECT_THAT(read->error(), StartsWith(path_ + ": line 1"));
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  read = file_.read_if_changed();
  ASSERT_TRUE(read && !*read);
  EXPECT_EQ(read->error(), path_ + ": is not a file");
}

}  // namespace
}  // namespace switchyard::routing
