#include "redis/script.hpp"

#include <array>

#include <openssl/evp.h>

#include "base/assert.hpp"
#include "base/hex.hpp"

namespace switchyard::redis {

Script::Script(std::string_view source) : source_(source) {
  std::array<unsigned char, 20> digest{};
  SWITCHYARD_ASSERT(EVP_Digest(source.data(), source.size(), digest.data(), nullptr, EVP_sha1(), nullptr) ==
                    1);
  digest_ = to_hex(digest);
}

ScriptCall::ScriptCall(const Script& script, std::initializer_list<std::string_view> keys) : script_(script) {
  argument(static_cast<std::int64_t>(keys.size()));
  for (const auto key : keys) argument(key);
}

ScriptCall& ScriptCall::argument(std::string_view text) {
  arguments_.word(text);
  ++words_;
  return *this;
}

ScriptCall& ScriptCall::argument(std::int64_t number) {
  arguments_.word(number);
  ++words_;
  return *this;
}

Commands ScriptCall::command(std::string_view name, std::string_view what) const {
  Commands command;
  command.begin(words_ + 2).word(name).word(what).encoded_words(arguments_.bytes());
  return command;
}

Task<Result<Reply>> ScriptCall::run(Client& client, Deadline deadline) const {
  auto reply = co_await client.command(command("EVALSHA", script_.digest()), deadline);
  if (reply && reply->is_error() && reply->text.starts_with("NOSCRIPT")) {
    reply = co_await client.command(command("EVAL", script_.source()), deadline);
  }
  if (!reply) co_return reply;
  if (const auto checked = require_no_error(*reply); !checked) co_return std::unexpected(checked.error());
  co_return reply;
}

Task<Result<Reply>> ScriptCall::run(Connection& connection, Deadline deadline) const {
  auto reply = co_await connection.command(command("EVAL", script_.source()), deadline);
  if (!reply) co_return reply;
  if (const auto checked = require_no_error(*reply); !checked) co_return std::unexpected(checked.error());
  co_return reply;
}

}  // namespace switchyard::redis
