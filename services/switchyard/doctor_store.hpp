// What `switchyard doctor` looks at of the store: does it serve, may others read it, is there room for it.
#pragma once

#include "base/environment.hpp"
#include "switchyard/finding.hpp"

namespace switchyard::cli {

Finding check_store(const Environment& environment);
// Who owns the files of a store in SQLite, and who may read them. Good where there are none.
Finding check_store_files(const Environment& environment);
Finding check_disk(const Environment& environment);

}  // namespace switchyard::cli
