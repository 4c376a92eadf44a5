// Reads each file of the folders and files named on the command line as one input; any compiler builds it.
// Then, with --mutated COUNT, so many inputs more, each made of those by chance: without libFuzzer's eye for
// new paths, and a hundred times as many a second. The seed is printed; --seed takes it.
//
// The name of a file is printed before it is read, so that the last one is to blame for what went wrong. A
// mutated input that breaks a property is written to a file, whose name is printed.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "fuzz/input.hpp"

namespace {

namespace fs = std::filesystem;

// An input may grow by what is put in, again and again.
constexpr std::size_t longest = 4'096;

std::vector<fs::path> files_of(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path)) files.push_back(entry.path());
  return files;
}

std::string replay(const fs::path& path) {
  std::fprintf(stderr, "%s\n", path.c_str());
  std::ifstream file(path, std::ios::binary);
  SWITCHYARD_ASSERT(file.is_open());
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  switchyard::fuzz::check(switchyard::fuzz::Input(bytes));
  return bytes;
}

class Mutator {
 public:
  Mutator(std::vector<std::string> inputs, std::uint64_t seed) : inputs_(std::move(inputs)), random_(seed) {}

  std::string next() {
    std::string bytes = any();
    for (auto changes = 1 + below(6); changes > 0; --changes) change(bytes);
    if (bytes.size() > longest) bytes.resize(longest);
    return bytes;
  }

 private:
  // Below `end`, which is at least 1. Not quite even, which does not matter here.
  std::size_t below(std::size_t end) { return random_() % end; }
  const std::string& any() { return inputs_[below(inputs_.size())]; }
  std::string piece_of(const std::string& bytes) {
    const auto from = below(bytes.size() + 1);
    return bytes.substr(from, below(32));
  }

  void change(std::string& bytes) {
    const auto at = below(bytes.size() + 1);
    switch (below(7)) {
      case 0:
        bytes.insert(at, 1, static_cast<char>(random_()));
        break;
      case 1:
        bytes.insert(at, piece_of(any()));
        break;
      case 2:
        bytes.insert(at, piece_of(bytes));
        break;
      case 3:
        bytes.erase(at, below(16));
        break;
      case 4:
        bytes.resize(at);
        break;
      default:
        if (at == bytes.size()) break;
        bytes[at] =
            static_cast<char>(below(2) == 0 ? bytes[at] ^ (1 << below(8)) : static_cast<int>(random_()));
    }
  }

  const std::vector<std::string> inputs_;
  std::mt19937_64 random_;
};

// For the handler of SIGABRT, which every broken property and the sanitizers end in.
std::string at_work;
std::string kept_as;

extern "C" void keep_what_was_at_work(int) {
  const int file = ::open(kept_as.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (::write(file, at_work.data(), at_work.size()) >= 0) {
    static_cast<void>(::write(STDERR_FILENO, "this input breaks it: ", 22));
    static_cast<void>(::write(STDERR_FILENO, kept_as.data(), kept_as.size()));
    static_cast<void>(::write(STDERR_FILENO, "\n", 1));
  }
}

void try_mutated(std::vector<std::string> inputs, long long count, std::uint64_t seed,
                 const fs::path& program) {
  kept_as = program.filename().string() + "-" + std::to_string(seed) + ".input";
  std::fprintf(stderr, "%lld mutated inputs, --seed %llu\n", count, static_cast<unsigned long long>(seed));
  std::signal(SIGABRT, keep_what_was_at_work);
  Mutator mutator(std::move(inputs), seed);
  for (; count > 0; --count) {
    at_work = mutator.next();
    switchyard::fuzz::check(switchyard::fuzz::Input(at_work));
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> inputs;
  long long mutated = 0;
  std::uint64_t seed = std::random_device{}();
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--mutated" && i + 1 < argc) {
      mutated = std::atoll(argv[++i]);
    } else if (word == "--seed" && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else {
      for (const auto& file : files_of(word)) inputs.push_back(replay(file));
    }
  }
  std::fprintf(stderr, "%zu inputs\n", inputs.size());
  if (inputs.empty()) return 1;
  try_mutated(std::move(inputs), mutated, seed, argv[0]);
  return 0;
}
