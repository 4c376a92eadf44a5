// The store for a command that runs once and ends.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "base/io_threads.hpp"
#include "service/settings.hpp"
#include "store/open.hpp"

namespace switchyard::cli {

// For the operator, apart from what a script reads.
inline void say(const std::string& line) {
  fmt::print(stderr, "{}\n", line);
}

class OfflineStore {
 public:
  OfflineStore(const Environment& environment, store::Opening opening)
      : store_(store::open(service::read_database_url(environment), say, opening)) {}

  // Runs `operation`, a callable Task<Result<T>>(store::Store&), to its end. Throws std::runtime_error on
  // failure.
  template <class Operation>
  auto run(Operation operation) {
    using Outcome = typename decltype(operation(*store_))::value_type;
    std::optional<Outcome> result;
    threads_.run(0, [this, &operation, &result]() -> Task<void> {
      auto outcome = co_await operation(*store_);
      result.emplace(std::move(outcome));
    });
    if (!*result) throw std::runtime_error(result->error().detail);
    if constexpr (!std::is_void_v<typename Outcome::value_type>) return std::move(**result);
  }

  // Rows that were met and cannot be read.
  store::SetAside::Report set_aside() const { return store_->set_aside(); }

  // The user of this name; throws std::runtime_error if there is none.
  store::User user(const std::string& username) {
    auto user = run([&username](store::Store& store) { return store.find_user(username); });
    if (!user)
      throw std::runtime_error(fmt::format("there is no user '{}'; see: switchyard user list", username));
    return std::move(*user);
  }

 private:
  IoThreads threads_{1};
  std::unique_ptr<store::Store> store_;
};

}  // namespace switchyard::cli
