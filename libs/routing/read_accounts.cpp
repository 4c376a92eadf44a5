#include "routing/read_accounts.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/ascii.hpp"
#include "http/async_client.hpp"
#include "routing/reading.hpp"

namespace switchyard::routing {
namespace {

constexpr std::size_t account_name_bytes_max = 64;
constexpr std::size_t variable_bytes_max = 64;
constexpr std::size_t setting_bytes_max = 255;
constexpr auto adapters_known = std::to_array<std::string_view>({"stripe", "adyen", "simulator"});

bool is_capital(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_account_character(char c) {
  return is_alphanumeric(c) || c == '_' || c == '-';
}
bool is_variable_character(char c) {
  return is_digit(c) || is_capital(c) || c == '_';
}

bool is_account_name(std::string_view name) {
  return !name.empty() && name.size() <= account_name_bytes_max &&
         std::ranges::all_of(name, is_account_character);
}

bool is_variable(std::string_view name) {
  return !name.empty() && name.size() <= variable_bytes_max && !is_digit(name.front()) &&
         std::ranges::all_of(name, is_variable_character);
}

bool is_plain(std::string_view text) {
  return !text.empty() && text.size() <= setting_bytes_max && std::ranges::all_of(text, is_visible_ascii);
}

bool is_host_part(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c == '-' || (is_account_character(c) && c != '_'); });
}

bool is_url(std::string_view text) {
  if (!is_plain(text) || text.find('@') != std::string_view::npos) return false;
  const auto behind = text.starts_with("https://")  ? text.substr(8)
                      : text.starts_with("http://") ? text.substr(7)
                                                    : std::string_view();
  return !behind.empty() && behind.front() != '/';
}

// Empty if nothing is. It is said without the text, which may be a secret of any shape.
std::string why_wrong(SettingRow::Type type, const std::string& text) {
  using Type = SettingRow::Type;
  if (type == Type::variable && !is_variable(text)) {
    return "is not the name of an environment variable (capital letters, digits and _; it is not repeated here, "
           "since it may be a secret)";
  }
  if ((type == Type::url || type == Type::base_url) && !is_url(text)) {
    return "is not an address with http:// or https:// and without name and password";
  }
  if (type == Type::text && !is_plain(text)) {
    return "is empty, too long, or holds a blank or what is no ASCII character";
  }
  return type == Type::base_url ? http::problem_of_base_url(text) : std::string();
}

bool is_right_text(const SettingRow& row, const Value& value, std::string_view where, Findings& findings) {
  const auto what = fmt::format("{} of {}", row.name, where);
  const auto example = fmt::format("for example {} = \"{}\"", row.name, row.example);
  if (!is_kind(Value::Kind::text, value, what, example, findings)) return false;
  // check_for_secrets() has found it.
  if (looks_like_secret(value.text)) return false;
  const auto why = why_wrong(row.type, value.text);
  if (!why.empty()) findings.add(value.at, fmt::format("{} {}", what, why), example);
  return why.empty();
}

void read_setting(const SettingRow& row, const Value& value, std::string_view where, Account& account,
                  Findings& findings) {
  if (row.type == SettingRow::Type::yes_or_no) {
    const auto what = fmt::format("{} of {}", row.name, where);
    if (is_kind(Value::Kind::yes_or_no, value, what, "write true or false, without quotes", findings) &&
        value.yes) {
      account.flags.push_back(row.name);
    }
  } else if (is_right_text(row, value, where, findings)) {
    account.texts.emplace_back(row.name, value.text);
  }
}

// That money moves is said twice, so that no test account becomes a live one by one word.
void check_live(const Account& account, Position at, std::string_view where, Findings& findings) {
  if (account.adapter != Adapter::adyen) return;
  const bool has_prefix = !account.text("live_prefix").empty();
  const bool has_url = !account.text("base_url").empty();
  if (account.flag("live") && !has_prefix && !has_url) {
    findings.add(at, fmt::format("{} is live and does not say where", where),
                 "add live_prefix = \"...\", from API URLs in Adyen's Customer Area");
  }
  if (!account.flag("live") && has_prefix) {
    findings.add(at, fmt::format("{} has a live_prefix and is not live", where),
                 "add live = true if money is to move, or leave live_prefix out");
  }
  if (!is_host_part(account.text("live_prefix"))) {
    findings.add(at, fmt::format("the live_prefix of {} is not of letters, digits and -", where),
                 "copy it from API URLs in Adyen's Customer Area, without the address around it");
  }
  if (account.flag("live") && account.text("base_url").contains("-test.adyen.com")) {
    findings.add(at, fmt::format("{} is live, and its base_url is that of Adyen's test environment", where),
                 "give live_prefix in its place, or leave live out");
  }
  if (has_prefix && has_url) {
    findings.add(at, fmt::format("{} has a live_prefix and a base_url", where), "leave one of them out");
  }
}

// One secret is rotated into another.
void check_rotation(const Account& account, Position at, std::string_view where, Findings& findings) {
  if (account.text("webhook_secret_previous_env").empty() || !account.text("webhook_secret_env").empty())
    return;
  findings.add(at, fmt::format("{} has a webhook_secret_previous_env and no webhook_secret_env", where),
               "name the variable of the secret that is valid now as webhook_secret_env");
}

void read_settings(const Value& member, std::string_view where, Account& account, Findings& findings) {
  const auto before = findings.count();
  std::vector<std::string_view> known{"adapter"};
  for (const auto& row : setting_rows) {
    if (row.adapter != account.adapter) continue;
    known.push_back(row.name);
    if (const auto* value = find_member(member, row.name)) {
      read_setting(row, *value, where, account, findings);
    } else if (row.is_required) {
      findings.add(member.named_at, fmt::format("{} has no {}", where, row.name),
                   fmt::format("add {} = \"{}\"", row.name, row.example));
    }
  }
  check_members(member, where, known, findings);
  if (findings.count() != before) return;
  check_live(account, member.named_at, where, findings);
  check_rotation(account, member.named_at, where, findings);
}

Account read_account(const Value& member, Findings& findings) {
  Account account{.name = member.name, .line = member.named_at.line};
  const auto where = fmt::format("account {}", quoted(member.name));
  if (!is_account_name(member.name)) {
    findings.add(member.named_at, fmt::format("{} is no name of an account", quoted(member.name)),
                 fmt::format("write 1 to {} letters, digits, _ and -", account_name_bytes_max));
  }
  if (!is_kind(Value::Kind::table, member, where, "write [psp.NAME] and its settings below", findings)) {
    return account;
  }
  const auto* adapter = find_member(member, "adapter");
  if (adapter == nullptr) {
    findings.add(member.named_at, fmt::format("{} has no adapter", where), "add adapter = \"stripe\"");
    return account;
  }
  if (!is_kind(Value::Kind::text, *adapter, fmt::format("adapter of {}", where),
               "for example adapter = \"stripe\"", findings)) {
    return account;
  }
  const auto parsed = parse_adapter(adapter->text);
  if (!parsed) {
    findings.add(adapter->at, fmt::format("there is no adapter {}", quoted(adapter->text)),
                 right_name(adapter->text, adapters_known));
    return account;
  }
  account.adapter = *parsed;
  read_settings(member, where, account, findings);
  return account;
}

}  // namespace

std::vector<Account> read_accounts(const Value& document, Findings& findings) {
  constexpr std::string_view right = "add [psp.NAME] with adapter = \"stripe\", \"adyen\" or \"simulator\"";
  const auto* table = find_member(document, "psp");
  if (table == nullptr) {
    findings.add({}, "there is no account", std::string(right));
    return {};
  }
  if (!is_kind(Value::Kind::table, *table, "psp", right, findings)) return {};
  if (table->items.empty()) findings.add(table->at, "there is no account", std::string(right));
  std::vector<Account> accounts;
  for (const auto& member : table->items) {
    if (accounts.size() == accounts_max) {
      findings.add(member.named_at, fmt::format("there are {} accounts", table->items.size()),
                   fmt::format("at most {} are read", accounts_max));
      break;
    }
    accounts.push_back(read_account(member, findings));
  }
  return accounts;
}

}  // namespace switchyard::routing
