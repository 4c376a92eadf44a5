// Which server the sentinels call the master.
#pragma once

#include "redis/connection.hpp"

namespace switchyard::redis {

// Asks the URL's sentinels one after the other. The answer may be out of date: check it with
// require_master().
Task<Result<Endpoint>> find_master(Executor executor, Url url, Deadline deadline);

// Error if the server behind the connection is not a master: a failover is going on.
Task<Result<void>> require_master(Connection& connection, Deadline deadline);

}  // namespace switchyard::redis
