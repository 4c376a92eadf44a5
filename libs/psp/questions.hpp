// How an outcome that was lost is learned, by what the PSP can do. Pure; HttpAdapter does the call.
#pragma once

#include <expected>

#include "psp/protocol.hpp"

namespace switchyard::psp {

// What is sent to learn what became of the step's operation, or why nothing can be.
std::expected<http::ClientRequest, payment::OutcomeUnknown> question_of(const Protocol& protocol,
                                                                        const payment::Step& step,
                                                                        Timestamp now);

// What the answer to it means.
payment::Found read_reply(const Protocol& protocol, const payment::Step& step,
                          const http::ClientRequest& question, const http::CallResult& result);

}  // namespace switchyard::psp
