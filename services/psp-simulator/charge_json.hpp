// The JSON of charges: what POST /charges takes, and what all routes show.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "http/message.hpp"
#include "psp/simulator/ledger.hpp"

namespace switchyard::psp_simulator {

// Letters, digits and -._: only, so that it needs no escape in a query: what we take for references and keys.
bool is_name(std::string_view text, std::size_t bytes_max);

// A merchant's reference, and so a parameter of queries.
bool is_reference(std::string_view text);

// The charge that POST /charges asks for, with the fingerprint of its body. 400 without a sane
// Idempotency-Key, 400 and 415 for what is no JSON, 422 for a member that is missing or wrong.
std::expected<psp::simulator::Charge, http::Response> read_charge_request(const http::Request& request);

std::string to_json(const psp::simulator::Charge& charge);
// {"items": [...], "more": bool}
std::string to_json(const std::vector<psp::simulator::Charge>& charges, bool more);
// {"items": [...], "next": reference or null}
std::string to_json(const std::vector<psp::simulator::ChargeCount>& counts, bool more);

}  // namespace switchyard::psp_simulator
