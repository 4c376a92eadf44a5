// A PSP over HTTP as pure functions: what goes out, and what comes back means. No I/O, so that the whole of
// it is tested by tables of bytes; HttpAdapter does the calls.
//
// What a PSP says is held against what was asked: reference and key by the protocol's read functions, which
// give Contradicted for another one's; amount and currency by the machine (payment/answer.hpp).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "http/async_client.hpp"
#include "payment/answer.hpp"
#include "payment/state_machine.hpp"

namespace switchyard::psp {

// How an outcome that was lost is learned.
enum class LookUp {
  by_key,     // the PSP can be asked what it has under our key, and its no is believed
  by_resend,  // it answers the same request under the same key as the first time, while it keeps the key
  none,       // it can only be waited for
};

struct Capabilities {
  LookUp look_up = LookUp::none;
  // For how long the same request under the same key is done once.
  std::chrono::hours key_held_for{0};
  bool partial_capture = false;
  // More than one capture of a hold.
  bool several_captures = false;
  // Results may come after a first "taken" (Pending).
  bool late_results = false;
};

class Protocol {
 public:
  virtual ~Protocol() = default;

  // The name operations carry.
  virtual std::string_view name() const = 0;
  virtual Capabilities capabilities() const = 0;

  // The body of the request, written once and stored (Operation::request).
  virtual std::string encode(const payment::State& state, const payment::Operation& operation) const = 0;
  // The request with that body. Secrets are added here and never stored.
  virtual http::ClientRequest send(const payment::Step& step) const = 0;
  virtual payment::Answer read(const payment::Step& step, const http::CallResult& result) const = 0;
  // Nothing: there is nothing to ask for it.
  virtual std::optional<http::ClientRequest> look_up(const payment::Step& step) const = 0;
  virtual payment::Found read_look_up(const payment::Step& step, const http::CallResult& result) const = 0;
};

}  // namespace switchyard::psp
