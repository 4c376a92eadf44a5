// The JSON of charges and of the operations on them: what the POST routes take, and what all routes show.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "http/message.hpp"
#include "psp/simulator/ledger.hpp"

namespace switchyard::psp_simulator {

// Letters, digits and -._: only, so that it needs no escape in a query: what we take for references and keys.
bool is_name(std::string_view text, std::size_t bytes_max);

// A merchant's reference, and an idempotency key: both are parameters of queries.
bool is_reference(std::string_view text);
bool is_key(std::string_view text);

// The charge that POST /charges asks for, with the fingerprint of its body. 400 without a sane
// Idempotency-Key, 400 and 415 for what is no JSON, 422 for a member that is missing or wrong.
std::expected<psp::simulator::Charge, http::Response> read_charge_request(const http::Request& request);
// What POST /charges/{id}/captures and the like ask for, with the fingerprint of kind, charge and body. A
// void's amount is none. The same errors, and 404 for an id that no charge of ours has.
std::expected<psp::simulator::Operation, http::Response> read_operation_request(const http::Request& request,
                                                                                payment::Kind kind);

std::string to_json(const psp::simulator::Charge& charge);
std::string to_json(const psp::simulator::Operation& operation);
// {"items": [...], "more": bool}; each charge with its amounts and operations.
std::string to_json(const std::vector<psp::simulator::ListedCharge>& charges, bool more);
// {"items": [...], "more": false}
std::string to_json(const std::optional<psp::simulator::Operation>& operation);
// {"items": [...], "next": reference or null}
std::string to_json(const std::vector<psp::simulator::ChargeCount>& counts, bool more);

}  // namespace switchyard::psp_simulator
