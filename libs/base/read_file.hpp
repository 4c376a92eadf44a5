// Files that are read as a whole at the start: settings, users.
#pragma once

#include <cstddef>
#include <expected>
#include <string>

namespace switchyard {

// What the file holds; it may be a pipe. What is wrong otherwise, to stand after its name: "cannot be read:
// Is a directory", or "is larger than 16 MiB" as soon as more than `bytes_max`, whole mebibytes, has come.
// Blocks.
std::expected<std::string, std::string> read_file(const std::string& path, std::size_t bytes_max);

}  // namespace switchyard
