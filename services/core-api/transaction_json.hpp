// A transaction as the API shows it.
#pragma once

#include <string>

#include "store/store.hpp"

namespace switchyard::core {

// One JSON object; the first three members are those of the original core-api's reply.
std::string to_json(const payment::Transaction& transaction);
// The same with "operation", the id of the one of this number: the reply to who asked for it.
std::string to_json(const payment::Transaction& transaction, std::int32_t number);
// The same with "next_action", where the customer has to do something.
std::string to_json_without_operations(const payment::State& state);
// The same with "operations", too. A queued transaction shows the authorization that it stands for.
std::string to_json(const payment::State& state);
std::string to_json(const store::TransactionPage& page);

}  // namespace switchyard::core
