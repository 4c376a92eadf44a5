// A merchant as a client of a running core-api, for the commands that speak HTTP.
#pragma once

#include <string>

#include <CLI/CLI.hpp>
#include <boost/json/value.hpp>

#include "http/client.hpp"
#include "switchyard/command_line.hpp"

namespace switchyard::cli {

// Who asks, and where core-api is.
struct Caller {
  std::string user;
  std::string token;
  std::string url;
};

// --user, --token and --url.
void add_caller_options(CLI::App& command, Caller& caller);

// What is wrong with the value of an option, for CLI11; empty if nothing is. "--status ''" is a variable of a
// script that was not set, and no status at all would be another request than was meant.
std::string require_text(const std::string& value);
// The same of what is sent in a header.
std::string require_header_value(const std::string& value);

class TransactionClient {
 public:
  // Throws ConfigError unless either the user or the token is given.
  TransactionClient(const Context& context, const Caller& caller);

  // The reply's body; throws std::runtime_error with the server's own words if it is an error. `request.url`
  // begins with /transaction.
  boost::json::value call(http::ClientRequest request) const;

 private:
  std::string base_url() const;

  const Context& context_;
  const Caller& caller_;
};

}  // namespace switchyard::cli
