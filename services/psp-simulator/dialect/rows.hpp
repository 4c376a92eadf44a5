// What the dialects keep beside the ledger, in the same file: answers under keys, what a PSP shows of itself,
// and events that are to be sent. For the thread of the database.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "base/clock.hpp"
#include "sqlite/database.hpp"

namespace switchyard::psp_simulator {

// To be made with the ledger (Ledger's `more_tables`).
extern const char* const dialect_tables;

// The answer that a PSP gives whenever the key comes again.
struct KeptAnswer {
  std::string fingerprint;
  unsigned status = 200;
  std::string body;
  // Until then the first request is still at work.
  Timestamp running_until{};
};

// An object as the PSP shows it, and where it stands among others.
struct Document {
  std::string id;
  // Such as "payment_intent".
  std::string type;
  // The id of what it belongs to, or empty.
  std::string parent{};
  // A name that the client gave it, or empty.
  std::string reference{};
  boost::json::object body{};
  Timestamp created_at{};
  // Whether something will come of it by itself.
  bool is_open = false;
  // In the order in which they came; 0: not saved yet.
  std::int64_t number = 0;
};

// Which documents, newest first.
struct Wanted {
  std::string_view type;
  // Each is empty for any.
  std::string_view parent{};
  std::string_view reference{};
  std::optional<Timestamp> from{};
  std::optional<Timestamp> until{};
  // Only what came before the document with this number.
  std::int64_t before = 0;
  std::size_t limit = 100;
};

struct WaitingEvent {
  std::int64_t number = 0;
  std::string body;
  Timestamp due_at{};
  int tries = 0;
};

// The rows of one dialect.
class DialectRows {
 public:
  DialectRows(sqlite::Database& database, std::string_view dialect)
      : database_(database), dialect_(dialect) {}

  // One that is older is forgotten.
  std::optional<KeptAnswer> find_answer(std::string_view key, Timestamp kept_since);
  void keep(std::string_view key, const KeptAnswer& answer, Timestamp now);

  std::optional<Document> find(std::string_view type, std::string_view id);
  std::vector<Document> list(const Wanted& wanted);
  // In the order in which they came.
  std::vector<Document> open_ones(std::string_view type);
  // Inserts one that is new, else writes what it shows and whether it is open.
  void save(Document& document);

  // `behind_next`: when another one is added before it is due, it follows that one.
  void add_event(std::string_view body, Timestamp due_at, bool behind_next);
  // The one to send, or the one that is due first. `in_line`: none overtakes one that was refused.
  std::optional<WaitingEvent> next_event(Timestamp now, bool in_line);
  void put_off(const WaitingEvent& event);
  void remove_event(std::int64_t number);

 private:
  sqlite::Database& database_;
  const std::string_view dialect_;
};

}  // namespace switchyard::psp_simulator
