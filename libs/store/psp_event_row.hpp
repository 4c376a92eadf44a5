// A PspEvent as its row holds it, in members that are columns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "store/psp_events.hpp"
#include "store/set_aside.hpp"

namespace switchyard::store {

struct PspEventRow {
  std::string account;
  std::string event;
  std::string type;
  std::string reference;
  std::string idempotency_key;
  std::string psp_reference;
  std::string payment;
  // Empty for none.
  std::string kind;
  // Which alternative of payment::Notice::What it is, in a word; its own members follow, each empty where it
  // has no such one.
  std::string what;
  std::string what_reference;
  std::int64_t amount_minor = 0;
  std::string currency;
  payment::Reason reason{};

  Timestamp received_at{};
  std::optional<Timestamp> due_at{};
  std::int32_t tries = 0;
  std::string result;
};

PspEventRow row_of(const PspEvent& event);
// Or why this program cannot work with it: a word that it does not know.
Readable<PspEvent> event_of(PspEventRow row);

}  // namespace switchyard::store
