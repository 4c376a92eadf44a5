// A transaction of the store, whoever's it is, for the commands of an operator.
#pragma once

#include <string>

#include "switchyard/offline.hpp"

namespace switchyard::cli {

// Whose it is; the text is an id. Throws std::runtime_error if there is no such transaction.
store::NamedWork::One find_stored(OfflineStore& store, const std::string& id);

}  // namespace switchyard::cli
