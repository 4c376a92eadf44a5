#include "switchyard/doctor_psp.hpp"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/io_threads.hpp"
#include "base/task_group.hpp"
#include "psp-connector/make_psp.hpp"
#include "routing/routing_file.hpp"
#include "service/settings.hpp"
#include "switchyard/psp_accounts.hpp"
#include "switchyard/psp_probe.hpp"

namespace switchyard::cli {
namespace {

using Requests = std::vector<std::optional<http::ClientRequest>>;
// Of each request its answer.
using Answers = std::vector<std::optional<http::CallResult>>;

Task<void> send_one(http::AsyncClient& client, http::ClientRequest request,
                    std::optional<http::CallResult>& answer) {
  auto result = co_await client.send(std::move(request));
  answer.emplace(std::move(result));
}

Task<Answers> send_all(Executor executor, Requests requests) {
  http::AsyncClient client(
      executor, {.connections_max = requests.size(), .response_bytes_max = probe_answer_bytes_max});
  Answers answers(requests.size());
  TaskGroup sending(executor);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (!requests[i]) continue;
    sending.spawn([&client, &request = *requests[i], &answer = answers[i]] {
      return send_one(client, std::move(request), answer);
    });
  }
  // Each one ends by its own deadline.
  co_await sending.join_until(std::chrono::steady_clock::time_point::max());
  co_return answers;
}

Answers answers_to(Requests requests) {
  IoThreads threads(1);
  return threads.run(0, [&threads, &requests] { return send_all(threads.executor(0), std::move(requests)); });
}

// What is found of an account; `missing` is what it lacks.
Finding finding_of(const routing::Account& account, const std::string& missing,
                   const std::optional<http::CallResult>& answer, const Environment& environment) {
  auto subject = fmt::format("psp {}", account.name);
  const auto told = answer ? told_by(account, *answer)
                           : ProbeTold{.is_good = true, .text = "simulated in this process; no money moves"};
  if (!missing.empty()) {
    return bad(std::move(subject), answer ? fmt::format("{}; {}", missing, told.text) : missing,
               "set what it names");
  }
  const auto text = fmt::format("complete; {}", told.text);
  if (!told.is_good) return bad(std::move(subject), text, told.remedy);
  if (!service::is_production(environment) || !is_test_account(account, environment)) {
    return good(std::move(subject), text);
  }
  return warned(
      std::move(subject),
      fmt::format("{}; it is a test account, though SWITCHYARD_ENV is production: no money moves", text),
      "take the live account's key, or leave this account out of the rules");
}

Finding overview_of(const std::string& path, const routing::Routes& routes) {
  std::string names;
  for (const auto& account : routes.accounts) {
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", account.name,
                         routing::to_string(account.adapter));
  }
  return good("psp", fmt::format("by the rules of {}: {}", path, names));
}

std::vector<Finding> check_accounts(const Environment& environment) {
  const auto settings = connector::read_psp_settings(environment);
  const auto routes = routing::RoutingFile(settings.routing_file).read_if_changed().value();
  if (!routes) return {bad("psp", routes.error(), "switchyard route check FILE says all that is wrong")};
  Requests requests;
  for (const auto& account : routes->accounts) requests.push_back(probe_of(account, environment));
  const auto answers = answers_to(std::move(requests));
  const auto missing = missing_of(*routes, environment);
  std::vector findings{overview_of(settings.routing_file, *routes)};
  for (std::size_t i = 0; i < routes->accounts.size(); ++i) {
    findings.push_back(finding_of(routes->accounts[i], missing[i], answers[i], environment));
  }
  return findings;
}

Finding check_without_rules(const Environment& environment) {
  if (!environment.find("PSP_URL")) return good("psp", "the simulated one in this process; no money moves");
  const auto url = connector::read_psp_settings(environment).url;
  const auto health = url + (url.ends_with('/') ? "health" : "/health");
  http::ClientRequest request{.url = health, .body = {}, .headers = {}, .timeout = probe_time};
  const auto answers = answers_to({std::move(request)});
  // The address stays out of the text: it may hold a password.
  if (is_health(*answers.front())) return good("psp", "psp-simulator answers at PSP_URL; no money moves");
  return bad("psp", "nobody answers at PSP_URL",
             "start psp-simulator there, or empty PSP_URL for the simulated PSP in this process");
}

}  // namespace

std::vector<Finding> check_psps(const Environment& environment) {
  try {
    if (environment.find("ROUTING_FILE")) return check_accounts(environment);
    return {check_without_rules(environment)};
  } catch (const ConfigError& error) {
    return {bad("psp", error.what(),
                "set what it names; without ROUTING_FILE and PSP_URL the PSP is the simulated one in this "
                "process")};
  }
}

}  // namespace switchyard::cli
