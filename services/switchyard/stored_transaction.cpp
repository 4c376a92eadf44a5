#include "switchyard/stored_transaction.hpp"

#include <stdexcept>
#include <vector>

namespace switchyard::cli {

store::NamedWork::One find_stored(OfflineStore& store, const std::string& id) {
  const std::vector ids{TransactionId{Uuid::parse(id).value()}};
  const auto owners = store.run([&ids](store::Store& s) { return s.find_owners(ids); });
  if (owners.empty()) throw std::runtime_error(fmt::format("there is no transaction {} in this store", id));
  return {.merchant = owners.front().second, .id = owners.front().first};
}

}  // namespace switchyard::cli
