#include "sqlite/in_use.hpp"

#include <filesystem>
#include <stdexcept>

#include <gmock/gmock.h>

#include "base/testing.hpp"

namespace switchyard::sqlite {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(ProcessThatUses, IsNoneWhereThereIsNoIndexOfALog) {
  const testing::TempDir folder;
  EXPECT_EQ(process_that_uses(folder.file("a.db")), std::nullopt);
}

// Whatever the reason: what cannot be seen may be there.
TEST(ProcessThatUses, IsNotTakenForNoneWhereItCannotBeSeen) {
  const testing::TempDir folder;
  const auto path = folder.file("a.db");
  std::filesystem::create_symlink("a.db-shm", path + "-shm");
  try {
    process_that_uses(path);
    ADD_FAILURE() << "nobody";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr(path + "-shm"), HasSubstr("cannot be")));
  }
}

}  // namespace
}  // namespace switchyard::sqlite
