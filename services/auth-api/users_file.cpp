#include "auth-api/users_file.hpp"

#include <algorithm>
#include <iterator>
#include <set>

#include <fmt/format.h>

#include "auth-api/new_password.hpp"
#include "auth-api/username.hpp"
#include "base/environment.hpp"
#include "base/read_file.hpp"
#include "base/spelling.hpp"
#include "http/json.hpp"
#include "money/card_number.hpp"
#include "service/request_body.hpp"
#include "token/password.hpp"

namespace switchyard::auth {
namespace {

constexpr std::size_t file_bytes_max = 16 * 1024 * 1024;
constexpr std::string_view example =
    R"(for example [{"id": 1, "username": "alice", "password": "...", "enabled": true}])";

[[noreturn]] void refuse(const std::string& problem) {
  throw ConfigError("USERS_FILE", problem, example);
}

// The first member that no user has, for the operator; empty if there is none.
std::string unknown_member(const boost::json::object& object) {
  static constexpr std::string_view members[] = {"id", "username", "password", "enabled"};
  for (const auto& member : object) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::ranges::find(members, name) != std::end(members)) continue;
    const auto meant = nearest(name, members);
    if (meant.empty()) return "with a member that is none of id, username, password and enabled";
    return fmt::format("with a member {}; perhaps \"{}\" was meant", http::json_string(name), meant);
  }
  return {};
}

UserInFile read_user(const boost::json::value& value, std::size_t number, bool refuse_demo_passwords) {
  const auto wrong = [number](std::string_view problem) {
    refuse(fmt::format("has an entry {} {}", number, problem));
  };
  if (!value.is_object()) wrong("that is not an object");
  const auto& object = value.get_object();
  if (const auto problem = unknown_member(object); !problem.empty()) wrong(problem);
  UserInFile user;
  const auto* id = object.if_contains("id");
  if (id == nullptr || !id->is_int64() || id->get_int64() <= 0)
    wrong("without a positive whole number as id");
  user.id = {id->get_int64()};
  const auto username = service::text_member(object, "username");
  if (!username || service::is_blank(*username)) wrong("without a username");
  if (const auto problem = username_problem(*username); !problem.empty())
    wrong(fmt::format("with a username that {}", problem));
  if (contains_card_number(*username)) wrong("with a username that looks like a card number");
  user.username = *username;
  const auto password = service::text_member(object, "password");
  if (!password) wrong("without a password");
  if (const auto problem = new_password_problem(*password, refuse_demo_passwords); !problem.empty())
    wrong(fmt::format("with a password that {}", problem));
  user.password = *password;
  const auto* enabled = object.if_contains("enabled");
  if (enabled == nullptr || !enabled->is_bool()) wrong("without true or false as enabled");
  user.enabled = enabled->get_bool();
  return user;
}

}  // namespace

std::vector<UserInFile> read_users_file(const std::string& path, bool refuse_demo_passwords) {
  const auto content = read_file(path, file_bytes_max);
  if (!content) refuse(fmt::format("names {}, which {}", path, content.error()));
  const auto value = http::parse_json(*content);
  if (!value || !value->is_array()) refuse(fmt::format("names {}, which is not a JSON array", path));
  std::vector<UserInFile> users;
  std::set<std::string> names;
  std::set<UserId> ids;
  for (const auto& entry : value->get_array()) {
    users.push_back(read_user(entry, users.size() + 1, refuse_demo_passwords));
    if (!names.insert(users.back().username).second || !ids.insert(users.back().id).second) {
      refuse(fmt::format("has an entry {} whose id or username stands there twice", users.size()));
    }
  }
  return users;
}

std::size_t import_users(store::Users& store, IoThreads& threads, const std::vector<UserInFile>& users,
                         Timestamp now) {
  const auto existing = threads.run(0, [&store] { return store.list_users(UserId{0}, 1); });
  if (!existing) throw std::runtime_error(existing.error().detail);
  if (!existing->empty() || users.empty()) return 0;

  std::vector<store::NewUser> hashed;
  for (const auto& user : users) {
    auto hash = token::hash_password(user.password);
    if (!hash) throw std::runtime_error(hash.error().detail);
    hashed.push_back({user.id, user.username, std::move(*hash), user.enabled});
  }
  const auto imported = threads.run(0, [&store, &hashed, now] { return store.import_users(hashed, now); });
  if (!imported) throw std::runtime_error(imported.error().detail);
  return *imported ? users.size() : 0;
}

}  // namespace switchyard::auth
