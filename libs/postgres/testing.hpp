// For unit tests only: a place of one's own in the PostgreSQL server that ctest has started.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include <fmt/format.h>

#include "postgres/blocking.hpp"

namespace switchyard::testing {

// What tests/support/postgres_for_unit_tests.py left in its folder: "url", or "skipped" with the reason.
// Empty when there is no such file, also when the test runs without ctest.
inline std::string left_by_postgres(const std::string& file) {
  const char* folder = std::getenv("SWITCHYARD_TEST_POSTGRES");
  if (folder == nullptr) return {};
  std::ifstream in(fmt::format("{}/{}", folder, file));
  return {std::istreambuf_iterator<char>(in), {}};
}

// Why there is no server; empty if there is one. Throws if ctest should have started one and has not.
inline std::string why_no_postgres() {
  if (!left_by_postgres("url").empty()) return {};
  if (std::getenv("SWITCHYARD_TEST_POSTGRES") == nullptr)
    return "SWITCHYARD_TEST_POSTGRES is not set; run it with ctest";
  auto reason = left_by_postgres("skipped");
  if (reason.empty()) throw std::runtime_error("PostgreSQL was not started for the tests");
  return reason;
}

// Runs one statement, of an operator say. Throws if the server refuses it.
inline void postgres_execute(const std::string& url, const std::string& sql) {
  postgres::BlockingConnection(url, std::chrono::seconds(30)).run(postgres::Statement(sql));
}

// `url` for another role, which is made with these options, such as "CONNECTION LIMIT 3". Its password is
// "secret"; it may use all schemas, and in them what it is granted.
inline std::string postgres_role(std::string url, const std::string& name, const std::string& options) {
  postgres_execute(url, fmt::format("CREATE ROLE \"{}\" LOGIN PASSWORD 'secret' {}", name, options));
  const auto begin = url.find("//") + 2;
  return url.replace(begin, url.find('@') - begin, name + ":secret");
}

// The URL of a schema of this name, which is made when it is not there: tables of its own for each test.
inline std::string postgres_schema_url(std::string name) {
  // As the server reads a name without quotes.
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto url = left_by_postgres("url");
  postgres_execute(url, fmt::format("CREATE SCHEMA IF NOT EXISTS \"{}\"", name));
  return fmt::format("{}{}options=-csearch_path%3D{}", url, url.find('?') == url.npos ? '?' : '&', name);
}

}  // namespace switchyard::testing
