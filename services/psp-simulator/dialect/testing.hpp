// For unit tests only: a dialect over a ledger of its own, asked without HTTP.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include "base/testing.hpp"
#include "psp-simulator/dialect/dialect.hpp"
#include "psp-simulator/dialect/json.hpp"
#include "psp/simulator/ledger_rows.hpp"

namespace switchyard::psp_simulator {

class Played {
 public:
  explicit Played(const Dialect& dialect) : dialect_(dialect) {}

  // In one session, at the clock's time.
  template <class Work>
  auto in_session(Work work) {
    DialectRows documents(*database_, dialect_.name());
    Session session{.ledger = rows_,
                    .rows = documents,
                    .script = script_,
                    .now = clock_.now(),
                    .psp = dialect_.name(),
                    .sends_events = true};
    return work(session);
  }

  // `path`: as the client asks for it, without a query.
  Reply ask(http::Method method, std::string_view path, std::string body, std::string key = {},
            std::string query = {}) {
    const auto* endpoint = find(method, path);
    EXPECT_NE(endpoint, nullptr) << path;
    if (endpoint == nullptr) return {};
    const Asked asked{.method = method,
                      .pattern = endpoint->pattern,
                      .parameter = parameter_,
                      .query = std::move(query),
                      .body = std::move(body),
                      .key = std::move(key),
                      .version = {},
                      .address = "http://127.0.0.1:1"};
    return in_session(
        [&](Session& session) { return answer_once(session, dialect_, endpoint->handler, asked); });
  }
  Reply post(std::string_view path, std::string body, std::string key = {}) {
    return ask(http::Method::post, path, std::move(body), std::move(key));
  }
  Reply get(std::string_view path, std::string query = {}) {
    return ask(http::Method::get, path, {}, {}, std::move(query));
  }

  // What has come of open things by now.
  void settle() {
    in_session([&](Session& session) {
      session.ledger.let_time_pass(session.now);
      dialect_.settle(session);
      return true;
    });
  }

  // All that is due to be sent, in that order; it is sent then.
  std::vector<boost::json::object> take_events() {
    std::vector<boost::json::object> events;
    in_session([&](Session& session) {
      for (;;) {
        const auto event = session.rows.next_event(session.now, dialect_.is_in_line());
        if (!event || event->due_at > session.now) return true;
        events.push_back(boost::json::parse(event->body).as_object());
        session.rows.remove_event(event->number);
      }
    });
    return events;
  }

  void play(std::string_view rules) {
    const auto script = boost::json::parse("{\"rules\":[" + std::string(rules) + "]}");
    auto read = read_script(script.as_object());
    ASSERT_TRUE(read) << read.error();
    script_.replace(std::move(*read));
  }

  psp::simulator::Charge charge(std::string_view reference) {
    auto charges = rows_.charges_of(reference, 100);
    EXPECT_EQ(charges.size(), 1U);
    return charges.at(0);
  }
  std::size_t charges(std::string_view reference) { return rows_.charges_of(reference, 100).size(); }

  testing::ManualClock& clock() { return clock_; }

 private:
  const Endpoint* find(http::Method method, std::string_view path) {
    for (const auto& endpoint : dialect_.endpoints()) {
      if (endpoint.method != method) continue;
      const auto open = endpoint.pattern.find('{');
      if (open == std::string_view::npos && endpoint.pattern == path) return &endpoint;
      if (open == std::string_view::npos || !path.starts_with(endpoint.pattern.substr(0, open))) continue;
      const auto tail = endpoint.pattern.substr(endpoint.pattern.find('}') + 1);
      const auto rest = path.substr(open);
      if (!rest.ends_with(tail)) continue;
      const auto name = rest.substr(0, rest.size() - tail.size());
      if (name.empty() || name.find('/') != std::string_view::npos) continue;
      parameter_ = name;
      return &endpoint;
    }
    return nullptr;
  }

  const Dialect& dialect_;
  std::string parameter_;
  testing::TempDir folder_;
  testing::ManualClock clock_;
  Script script_;
  std::unique_ptr<sqlite::Database> database_ = psp::simulator::open_ledger(
      folder_.file("ledger.db"), sqlite::Durability::process, true, dialect_tables);
  psp::simulator::LedgerRows rows_{*database_, true};
};

inline boost::json::object body_of(const Reply& reply) {
  return boost::json::parse(reply.body).as_object();
}

}  // namespace switchyard::psp_simulator
