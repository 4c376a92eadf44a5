// Where claimed operations are worked off: psp-connector's, whose thread all of this is for but claim().
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "store/store.hpp"

namespace switchyard::rq {

struct Workbench {
  // What is decided about a transaction that is to be worked off. Pure, from whatever thread.
  std::function<payment::Step(payment::State state, Timestamp now)> claim;
  // Works off what was claimed and stored.
  std::function<void(payment::Step claimed)> begin;
  // For how many more there is room.
  std::function<std::size_t()> room;
  std::function<bool()> is_idle;
  // How long what is queued has been due before the bench takes it from the store by itself; nothing: it does
  // not.
  std::function<void(std::optional<std::chrono::milliseconds> wait)> take_queued_after;
  // `on_saved` gets each step that was saved; `on_room` is called when an operation is out of hand.
  std::function<void(std::function<void(const payment::Step&)> on_saved, std::function<void()> on_room)>
      observe;
  // For health: what is wrong with the queue; empty if nothing.
  std::function<void(std::string trouble)> tell_trouble;
  // Of the worker, in the log and in RQ.
  std::string worker_name;
};

}  // namespace switchyard::rq
