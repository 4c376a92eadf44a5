// The connector as the bench of a worker of RQ.
#pragma once

#include "psp-connector/connector.hpp"
#include "rq/workbench.hpp"

namespace switchyard::connector {

// The connector outlives it.
rq::Workbench workbench_of(Connector& connector);

}  // namespace switchyard::connector
