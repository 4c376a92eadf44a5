// A call of the PSP of an account that changes nothing there, and what its answer says of the account: of the
// host, and of the key. Pure. No text holds a secret, or anything of what was answered.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/environment.hpp"
#include "http/async_client.hpp"
#include "routing/routes.hpp"

namespace switchyard::cli {

inline constexpr std::chrono::seconds probe_time{5};
// What Adyen lists of a large merchant account, with room.
inline constexpr std::size_t probe_answer_bytes_max = 1024 * 1024;

// The name of the variable that holds the key; empty: there is none.
std::string_view key_variable_of(const routing::Account& account);

// Nothing where there is nobody to ask: a simulator in this process, or the key is not set, or none of the
// PSP's.
std::optional<http::ClientRequest> probe_of(const routing::Account& account, const Environment& environment);

// What the answer to the probe says.
struct ProbeTold {
  bool is_good = false;
  std::string text;
  // What to do; empty if all is well.
  std::string remedy{};
};
ProbeTold told_by(const routing::Account& account, const http::CallResult& result);

// Whether the key, or the account, is one that moves no money at a PSP that also moves some. False where the
// key is not set.
bool is_test_account(const routing::Account& account, const Environment& environment);

// Whether psp-simulator says there how it is.
bool is_health(const http::CallResult& result);

}  // namespace switchyard::cli
