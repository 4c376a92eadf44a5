// Lua that Redis runs as one step (EVALSHA), sent in full only where a server does not know it yet.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "redis/client.hpp"

namespace switchyard::redis {

class Script {
 public:
  explicit Script(std::string_view source);

  std::string_view source() const { return source_; }
  // SHA-1, hexadecimal.
  const std::string& digest() const { return digest_; }

 private:
  std::string_view source_;
  std::string digest_;
};

class ScriptCall {
 public:
  ScriptCall(const Script& script, std::initializer_list<std::string_view> keys);

  ScriptCall& argument(std::string_view text);
  ScriptCall& argument(std::int64_t number);

  // An error reply is an error here, with Redis' words. The call outlives the coroutine.
  Task<Result<Reply>> run(Client& client, Deadline deadline) const;
  // The same over a connection that is being prepared for others. In full.
  Task<Result<Reply>> run(Connection& connection, Deadline deadline) const;

 private:
  Commands command(std::string_view name, std::string_view what) const;

  const Script& script_;
  Commands arguments_;
  std::size_t words_ = 0;
};

}  // namespace switchyard::redis
