// What may become of a store when it is opened.
#pragma once

#include <cstdint>
#include <string>

#include <fmt/format.h>

namespace switchyard::store {

enum class Opening {
  // As a server does: it is made if it is not there, and brought to this program's schema.
  migrate,
  // It is made if it is not there. One of an older schema is refused, as by the two that follow: servers of
  // that version may run, and could not go on over a newer schema.
  create,
  // It must be there.
  existing,
  // The same, and nothing is written, which therefore also works where nothing can be.
  read_only,
};

// Why a store of an older schema is refused, for the operator.
inline std::string why_too_old(std::int64_t version, std::int64_t needed) {
  return fmt::format(
      "has schema version {}, and this program needs version {}; make a backup, stop the servers that use the "
      "store, and bring it there with: switchyard store migrate. Then start servers of this version. Until "
      "then use the program of the servers' version",
      version, needed);
}

}  // namespace switchyard::store
