#include "base/read_file.hpp"

#include <fstream>

#include <gmock/gmock.h>

#include "base/testing.hpp"

namespace switchyard {
namespace {

using ::testing::StartsWith;

constexpr std::size_t mebibyte = 1024UL * 1024;

TEST(ReadFile, GivesWhatTheFileHolds) {
  const testing::TempDir folder;
  const auto path = folder.file("file");
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, mebibyte - 1, mebibyte}) {
    const std::string content(size, 'x');
    std::ofstream(path, std::ios::binary) << content;
    EXPECT_TRUE(read_file(path, mebibyte) == content) << size;
  }
}

TEST(ReadFile, StopsAtTheBoundEvenWhereThereIsNoEnd) {
  const testing::TempDir folder;
  const auto path = folder.file("file");
  std::ofstream(path, std::ios::binary) << std::string(mebibyte + 1, 'x');
  EXPECT_EQ(read_file(path, mebibyte).error(), "is larger than 1 MiB");
  EXPECT_EQ(read_file("/dev/zero", 2 * mebibyte).error(), "is larger than 2 MiB");
}

TEST(ReadFile, WhatCannotBeReadIsNotTakenAsEmpty) {
  const testing::TempDir folder;
  EXPECT_EQ(read_file(folder.file("nothing"), mebibyte).error(), "cannot be read: No such file or directory");
  EXPECT_EQ(read_file("/", mebibyte).error(), "cannot be read: Is a directory");
  EXPECT_THAT(read_file("/proc/self/mem", mebibyte).error(), StartsWith("cannot be read: "));
}

}  // namespace
}  // namespace switchyard
