#include "psp-connector/rq_workbench.hpp"

#include <utility>

namespace switchyard::connector {

rq::Workbench workbench_of(Connector& connector) {
  return {
      .claim = [&connector](payment::State state,
                            Timestamp now) { return connector.claim(std::move(state), now); },
      .begin = [&connector](payment::Step claimed) { connector.begin(std::move(claimed)); },
      .room = [&connector] { return connector.room(); },
      .is_idle = [&connector] { return connector.is_idle(); },
      .take_queued_after = [&connector](auto wait) { connector.take_queued_after(wait); },
      .observe = [&connector](auto on_saved,
                              auto on_room) { connector.observe(std::move(on_saved), std::move(on_room)); },
      .tell_trouble =
          [&connector](std::string trouble) { connector.monitor().queue_trouble(std::move(trouble)); },
      .worker_name = connector.worker_name(),
  };
}

}  // namespace switchyard::connector
