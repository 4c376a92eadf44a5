// A PSP over HTTP as pure functions: what goes out, and what comes back means. No I/O, so that the whole of
// it is tested by tables of bytes; HttpAdapter does the calls.
//
// What a PSP says is held against what was asked: reference and key by the protocol's read functions, which
// give Contradicted for another one's; amount and currency by the machine (payment/answer.hpp).
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/assert.hpp"
#include "http/async_client.hpp"
#include "payment/answer.hpp"
#include "payment/state_machine.hpp"
#include "psp/capabilities.hpp"

namespace switchyard::psp {

class Protocol {
 public:
  virtual ~Protocol() = default;

  // The name operations carry.
  virtual std::string_view name() const = 0;
  virtual Capabilities capabilities() const = 0;

  // What nobody may read, even where the PSP repeats it.
  virtual std::string_view secret() const { return {}; }

  // The body of the request, written once and stored (Operation::request): not empty. Or why there is none;
  // what the capabilities do not allow is refused before this is called.
  virtual std::expected<std::string, payment::Rejected> encode(const payment::State& state,
                                                               const payment::Operation& operation) const = 0;
  // The request with that body. Secrets are added here and never stored.
  virtual http::ClientRequest send(const payment::Step& step) const = 0;
  virtual payment::Answer read(const payment::Step& step, const http::CallResult& result) const = 0;
  // Of a PSP that can be asked (LookUp::by_key). Nothing: there is nothing to ask for it.
  virtual std::optional<http::ClientRequest> look_up(const payment::Step& step, Timestamp now) const = 0;
  // `request`: what look_up() gave.
  virtual payment::Found read_look_up(const payment::Step& step, const http::ClientRequest& request,
                                      const http::CallResult& result) const = 0;
  // Of a PSP that can (Capabilities::can_end): an authorization that waits for its customer is ended.
  virtual http::ClientRequest end(const payment::Step&) const { SWITCHYARD_ASSERT(false); }
  virtual payment::Found read_end(const payment::Step&, const http::CallResult&) const {
    SWITCHYARD_ASSERT(false);
  }
};

}  // namespace switchyard::psp
