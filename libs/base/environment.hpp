// Configuration from the environment, read once at start.
//
// Each getter reads one variable, checks it and throws ConfigError with a line for the operator: the
// variable's name, what is wrong with it and an example. Values of secrets never appear in that line.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard {

// Stops the start: programs print what() on one line and exit with 2.
class ConfigError : public std::runtime_error {
 public:
  ConfigError(std::string_view variable, std::string_view problem, std::string_view example);
};

class Environment {
 public:
  // The variables of this process.
  static Environment of_process();

  // Adds the NAME=VALUE lines of a file, as systemd's EnvironmentFile= reads them: blank lines and lines that
  // begin with # are skipped, one pair of quotes around a value is removed, and of a name that is given twice
  // the last one counts. What is set already wins. Throws ConfigError if the file cannot be read, has more
  // than 1 MiB, or has a line that is something else, which is numbered.
  void add_file(const std::string& path);

  // The names in the files that were added, in order, as often as they stand there, whether or not the
  // process's own variables won.
  const std::vector<std::string>& names_in_files() const { return names_in_files_; }

  void set(std::string name, std::string value) { variables_[std::move(name)] = std::move(value); }

  // An empty value counts as not set.
  std::optional<std::string> find(const std::string& name) const;

  std::string text(const std::string& name, std::string_view otherwise) const;
  std::int64_t integer(const std::string& name, std::int64_t otherwise, std::int64_t least,
                       std::int64_t most) const;
  std::uint16_t port(const std::string& name, std::uint16_t otherwise) const;
  std::chrono::seconds seconds(const std::string& name, std::int64_t otherwise, std::int64_t least,
                               std::int64_t most) const;
  std::string one_of(const std::string& name, const std::vector<std::string>& values,
                     std::string_view otherwise) const;

  // A secret of at least 32 bytes (RFC 7518, 3.2: a key for HS256 is no shorter than the hash). If it is not
  // set, the ConfigError tells which name of the files was perhaps meant to be it.
  std::string required_secret(const std::string& name) const;
  std::optional<std::string> optional_secret(const std::string& name) const;

 private:
  // To stand after "is not set": empty, or a name in the files that looks like this one.
  std::string misspelling_of(const std::string& name) const;

  std::map<std::string, std::string> variables_;
  std::vector<std::string> names_in_files_;
};

}  // namespace switchyard
