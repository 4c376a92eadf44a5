#include "psp-simulator/stripe/reading.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "psp-simulator/dialect/json.hpp"
#include "psp-simulator/stripe/errors.hpp"
#include "psp-simulator/stripe/events.hpp"
#include "psp-simulator/stripe/form.hpp"
#include "psp-simulator/stripe/objects.hpp"
#include "psp-simulator/stripe/payments.hpp"

namespace switchyard::psp_simulator::stripe {
namespace {

namespace json = boost::json;

constexpr std::int64_t limit_usual = 10;
constexpr std::int64_t limit_max = 100;
// Of a search: more is read than shown, as most do not match.
constexpr std::size_t searched_max = 10'000;

Reply show_one(Session& session, std::string_view type, const Asked& asked, std::string_view param) {
  const auto found = session.rows.find(type, asked.parameter);
  if (!found) return no_such(404, type, asked.parameter, param);
  return {.body = json::serialize(found->body)};
}

std::optional<Timestamp> time_of(const Form& form, std::string_view name) {
  const auto seconds = read_integer(form.text(name));
  if (!seconds || *seconds < 0 || *seconds > (1LL << 40)) return std::nullopt;
  return Timestamp(std::chrono::seconds(*seconds));
}

// A whole second of Stripe's is a thousand of ours.
void bound_by_time(Wanted& wanted, const Form& form) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  if (const auto from = time_of(form, "created[gte]")) wanted.from = from;
  if (const auto after = time_of(form, "created[gt]")) wanted.from = *after + seconds(1);
  if (const auto until = time_of(form, "created[lte]")) wanted.until = *until + seconds(1) - milliseconds(1);
  if (const auto before = time_of(form, "created[lt]")) wanted.until = *before - milliseconds(1);
}

std::string list_of(std::string_view url, const std::vector<Document>& documents, bool has_more) {
  json::array data;
  for (const auto& document : documents) data.emplace_back(document.body);
  return json::serialize(json::object{
      {"object", "list"}, {"data", std::move(data)}, {"has_more", has_more}, {"url", key_of(url)}});
}

struct ListNames {
  std::string_view url;
  std::string_view type;
  // The parameter that says what the objects belong to.
  std::string_view parent;
};

Reply show_list(Session& session, const Asked& asked, const ListNames& names) {
  const auto form = Form::read(asked.query);
  if (!form) return invalid({}, "The query cannot be read.");
  const std::array<std::string_view, 6> known{"created", "delivery_success", "expand",
                                              "limit",   "starting_after",   names.parent};
  if (const auto unknown = form->find_unknown(known)) {
    return invalid("parameter_unknown", fmt::format("Received unknown parameter: {}", *unknown), *unknown);
  }
  const auto limit = form->find("limit") ? read_integer(form->text("limit")) : limit_usual;
  if (!limit || *limit < 1 || *limit > limit_max) {
    return invalid("parameter_invalid_integer", "limit must be from 1 to 100.", "limit");
  }
  Wanted wanted{
      .type = names.type, .parent = form->text(names.parent), .limit = static_cast<std::size_t>(*limit) + 1};
  bound_by_time(wanted, *form);
  if (const auto after = form->find("starting_after")) {
    const auto last = session.rows.find(names.type, *after);
    if (!last) return no_such(400, names.type, *after, "starting_after");
    wanted.before = last->number;
  }
  auto documents = session.rows.list(wanted);
  const bool has_more = documents.size() == wanted.limit;
  if (has_more) documents.pop_back();
  return {.body = list_of(names.url, documents, has_more)};
}

// --- Search ------------------------------------------------------------------------------------

struct Clause {
  // "metadata['name']" or the name of a member.
  std::string name;
  bool is_metadata = false;
  std::string value;
};

// Takes the quoted text at the beginning of `query`; nothing if there is none.
std::optional<std::string> take_quoted(std::string_view& query) {
  if (query.empty() || (query.front() != '\'' && query.front() != '"')) return std::nullopt;
  const auto end = query.find(query.front(), 1);
  if (end == std::string_view::npos) return std::nullopt;
  std::string text(query.substr(1, end - 1));
  query.remove_prefix(end + 1);
  return text;
}

std::optional<Clause> take_clause(std::string_view& query) {
  constexpr std::string_view metadata = "metadata[";
  Clause clause;
  if (query.starts_with(metadata)) {
    query.remove_prefix(metadata.size());
    auto name = take_quoted(query);
    if (!name || !query.starts_with("]:")) return std::nullopt;
    clause.name = std::move(*name);
    clause.is_metadata = true;
    query.remove_prefix(2);
  } else {
    const auto colon = query.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    clause.name = query.substr(0, colon);
    query.remove_prefix(colon + 1);
  }
  auto value = take_quoted(query);
  if (!value) return std::nullopt;
  clause.value = std::move(*value);
  return clause;
}

// Nothing if it cannot be read, or asks for what is not searched here.
std::optional<std::vector<Clause>> read_clauses(std::string_view query) {
  constexpr std::string_view conjunction = " AND ";
  std::vector<Clause> clauses;
  for (;;) {
    auto clause = take_clause(query);
    const bool is_known = clause && (clause->is_metadata || clause->name == "status" ||
                                     clause->name == "currency" || clause->name == "customer");
    if (!is_known) return std::nullopt;
    clauses.push_back(std::move(*clause));
    if (query.empty()) return clauses;
    if (!query.starts_with(conjunction)) return std::nullopt;
    query.remove_prefix(conjunction.size());
  }
}

bool matches(const json::object& intent, const std::vector<Clause>& clauses) {
  return std::ranges::all_of(clauses, [&](const Clause& clause) {
    return clause.value ==
           (clause.is_metadata ? metadata_in(intent, clause.name) : text_in(intent, clause.name));
  });
}

}  // namespace

Reply get_payment(Session& session, const Asked& asked) {
  const auto intent = session.rows.find(intent_type, asked.parameter);
  if (!intent) return no_such(404, intent_type, asked.parameter, "intent");
  return show(session, *intent, Form::read(asked.query).value_or(Form()));
}

Reply list_payments(Session& session, const Asked& asked) {
  return show_list(session, asked, {"/v1/payment_intents", intent_type, "customer"});
}

Reply search_payments(Session& session, const Asked& asked) {
  const auto form = Form::read(asked.query);
  if (!form) return invalid({}, "The query cannot be read.");
  const auto clauses = read_clauses(form->text("query"));
  if (!clauses) return invalid({}, "The query cannot be read, or is not searched for here.", "query");
  const auto limit = form->find("limit") ? read_integer(form->text("limit")) : limit_usual;
  if (!limit || *limit < 1 || *limit > limit_max) {
    return invalid("parameter_invalid_integer", "limit must be from 1 to 100.", "limit");
  }
  auto found = session.rows.list({.type = intent_type,
                                  .until = session.now - search_lag,
                                  .before = read_integer(form->text("page")).value_or(0),
                                  .limit = searched_max});
  std::erase_if(found, [&](const Document& intent) { return !matches(intent.body, *clauses); });
  const auto shown_max = static_cast<std::size_t>(*limit);
  const bool has_more = found.size() > shown_max;
  if (has_more) found.erase(found.begin() + *limit, found.end());
  json::array data;
  for (const auto& intent : found) data.emplace_back(intent.body);
  return {.body = json::serialize(json::object{
              {"object", "search_result"},
              {"data", std::move(data)},
              {"has_more", has_more},
              {"next_page", has_more ? json::value(std::to_string(found.back().number)) : nullptr},
              {"url", "/v1/payment_intents/search"}})};
}

Reply get_refund(Session& session, const Asked& asked) {
  return show_one(session, refund_type, asked, "id");
}

Reply list_refunds(Session& session, const Asked& asked) {
  return show_list(session, asked, {"/v1/refunds", refund_type, "payment_intent"});
}

Reply get_charge(Session& session, const Asked& asked) {
  return show_one(session, charge_type, asked, "id");
}

Reply list_charges(Session& session, const Asked& asked) {
  return show_list(session, asked, {"/v1/charges", charge_type, "payment_intent"});
}

Reply get_event(Session& session, const Asked& asked) {
  return show_one(session, event_type, asked, "id");
}

Reply list_events(Session& session, const Asked& asked) {
  return show_list(session, asked, {"/v1/events", event_type, "type"});
}

}  // namespace switchyard::psp_simulator::stripe
