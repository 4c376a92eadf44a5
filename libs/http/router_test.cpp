#include "http/router.hpp"

#include <stdexcept>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "http/problem.hpp"
#include "http/testing.hpp"

namespace switchyard::http {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Answers with what the handler saw.
Handler seen_by(std::string name) {
  return [name = std::move(name)](const Request& request) -> Task<Response> {
    Response response;
    response.body =
        name + " path=" + std::string(request.path) + " parameter=" + std::string(request.parameter);
    co_return response;
  };
}

std::string allowed_by(const Response& response) {
  for (const auto& [name, value] : response.headers) {
    if (name == "Allow") return value;
  }
  return "no Allow";
}

class RouterTest : public ::testing::Test {
 protected:
  Response ask(Method method, std::string_view path) {
    boost::beast::http::fields headers;
    const auto request = request_of(method, path, headers);
    return threads_.run(0, [&] { return router_.handle(request, observer_); });
  }
  Response get(std::string_view path) { return ask(Method::get, path); }

  telemetry::Metrics metrics_;
  Router router_{metrics_, "test"};
  std::vector<std::string> exceptions_;
  std::vector<std::string> told_;
  const Observer observer_{
      .on_exception = [this](std::string_view what) { exceptions_.emplace_back(what); },
      .on_response =
          [this](const Exchange& exchange) {
            told_.push_back(fmt::format("{} {} {} {} {}", exchange.request_id, exchange.service,
                                        exchange.route, exchange.status, exchange.merchant));
          },
  };
  IoThreads threads_{1};
};

TEST_F(RouterTest, ServesTheExactPath) {
  router_.add(Method::get, "/health", seen_by("health"));
  router_.add(Method::get, "/", seen_by("root"));
  EXPECT_EQ(get("/health").body, "health path=/health parameter=");
  EXPECT_EQ(get("/").body, "root path=/ parameter=");
}

TEST_F(RouterTest, AnswersAnUnknownPathWith404) {
  router_.add(Method::get, "/health", seen_by("health"));
  for (const char* path :
       {"", "/", "/Health", "/health/", "/health/x", "/healthx", "/heal", "*", "//health"}) {
    const auto response = get(path);
    EXPECT_EQ(response.status, 404U) << path;
    EXPECT_EQ(response.content_type, "application/problem+json");
    EXPECT_THAT(response.body, HasSubstr(R"("error":"Not found")"));
  }
  EXPECT_THAT(get("/health/").body, HasSubstr("without the slash"));
  EXPECT_THAT(get("/x").body, Not(HasSubstr("without the slash")));
}

TEST_F(RouterTest, TellsTheMethodsThatAPathServes) {
  router_.add(Method::post, "/transaction", seen_by("create"));
  router_.add(Method::get, "/transaction", seen_by("list"));
  router_.add(Method::post, "/token", seen_by("token"));
  const auto response = ask(Method::delete_, "/transaction");
  EXPECT_EQ(response.status, 405U);
  EXPECT_EQ(allowed_by(response), "POST, GET, HEAD, OPTIONS");
  EXPECT_THAT(response.body, HasSubstr(R"("error":"Method not allowed")"));

  EXPECT_EQ(get("/token").status, 405U);
  EXPECT_EQ(allowed_by(get("/token")), "POST, OPTIONS");
  EXPECT_EQ(ask(Method::head, "/token").status, 405U);
  EXPECT_EQ(ask(Method::unknown, "/token").status, 405U);
  EXPECT_EQ(ask(Method::delete_, "/unknown").status, 404U);
}

TEST_F(RouterTest, AnswersOptionsItself) {
  router_.add(Method::post, "/transaction", seen_by("create"));
  router_.add(Method::get, "/transaction", seen_by("list"));
  router_.add(Method::get, "/transaction/{id}", seen_by("show"));
  router_.add(Method::get, "/transaction/latest", seen_by("latest"));
  Router auth(metrics_, "auth");
  auth.add(Method::put, "/token", seen_by("token"));
  router_.mount("/auth", std::move(auth));

  const auto response = ask(Method::options, "/transaction");
  EXPECT_EQ(response.status, 204U);
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(allowed_by(response), "POST, GET, HEAD, OPTIONS");
  EXPECT_EQ(allowed_by(ask(Method::options, "/transaction/1")), "GET, HEAD, OPTIONS");
  EXPECT_EQ(allowed_by(ask(Method::options, "/transaction/latest")), "GET, HEAD, OPTIONS") << "each once";
  EXPECT_EQ(allowed_by(ask(Method::options, "/auth/token")), "PUT, OPTIONS");
  EXPECT_EQ(ask(Method::options, "*").status, 204U);
  EXPECT_EQ(allowed_by(ask(Method::options, "*")), "POST, GET, HEAD, PUT, OPTIONS") << "of the whole server";
  EXPECT_EQ(ask(Method::options, "/nothing").status, 404U);
  EXPECT_EQ(get("*").status, 404U);
}

TEST_F(RouterTest, ServesHeadWhereverItServesGet) {
  router_.add(Method::get, "/health", seen_by("health"));
  EXPECT_EQ(ask(Method::head, "/health").status, 200U);
  EXPECT_EQ(ask(Method::head, "/health").body, get("/health").body) << "the connection leaves the body out";
}

TEST_F(RouterTest, TellsOfEachResponseWhoseRouteItWas) {
  Router auth(metrics_, "auth");
  auth.add(Method::post, "/user/{id}", [](Request& request) -> Task<Response> {
    request.merchant = "42";
    co_return Response{};
  });
  auth.add(Method::get, "/broken", [](const Request&) -> Task<Response> {
    throw std::runtime_error("broken");
    co_return Response{};
  });
  router_.mount("/auth", std::move(auth));
  ask(Method::post, "/auth/user/7");
  get("/auth/broken");
  get("/nowhere");
  EXPECT_THAT(told_, ElementsAre("id auth /user/{id} 200 42", "id auth /broken 500 ", "id none none 404 "));
}

TEST_F(RouterTest, ShowsWhatEachHandlerHasAnswered) {
  std::vector<std::string> seen;
  Router auth(metrics_, "auth", [&seen](const Request& request, const Response& response) {
    seen.push_back(fmt::format("{} {} {}", request.path, request.merchant, response.status));
  });
  auth.add(Method::post, "/user/{id}", [](Request& request) -> Task<Response> {
    request.merchant = "42";
    co_return problem(403, "Forbidden", "not you");
  });
  router_.mount("/auth", std::move(auth));
  router_.add(Method::get, "/health", seen_by("health"));
  EXPECT_EQ(ask(Method::post, "/auth/user/7").status, 403U);
  get("/auth/nothing");
  get("/health");
  EXPECT_THAT(seen, ElementsAre("/user/7 42 403")) << "of its own routes only";
}

TEST_F(RouterTest, ChoosesByTheMethod) {
  router_.add(Method::post, "/transaction", seen_by("create"));
  router_.add(Method::get, "/transaction", seen_by("list"));
  EXPECT_THAT(get("/transaction").body, HasSubstr("list"));
  EXPECT_THAT(ask(Method::post, "/transaction").body, HasSubstr("create"));
}

TEST_F(RouterTest, GivesTheHandlerThePartThatStandsInThePlaceOfTheParameter) {
  router_.add(Method::get, "/transaction/{id}", seen_by("show"));
  router_.add(Method::post, "/transaction/{id}/capture", seen_by("capture"));
  EXPECT_EQ(get("/transaction/42").body, "show path=/transaction/42 parameter=42");
  EXPECT_EQ(get("/transaction/a.b-c~d").body, "show path=/transaction/a.b-c~d parameter=a.b-c~d");
  EXPECT_THAT(ask(Method::post, "/transaction/42/capture").body,
              HasSubstr("capture path=/transaction/42/capture"));
  EXPECT_THAT(ask(Method::post, "/transaction/42/capture").body, HasSubstr("parameter=42"));
}

TEST_F(RouterTest, AParameterIsOneSegmentAndNotEmpty) {
  router_.add(Method::get, "/transaction/{id}", seen_by("show"));
  router_.add(Method::get, "/transaction/{id}/capture", seen_by("capture"));
  for (const char* path : {"/transaction/", "/transaction", "/transaction/1/2", "/transaction//capture",
                           "/transaction/capture/", "/transaction/1/", "/transactions/1"}) {
    EXPECT_EQ(get(path).status, 404U) << path;
  }
  EXPECT_EQ(ask(Method::post, "/transaction/42").status, 405U);
}

TEST_F(RouterTest, TakesThePrefixOfAMountedRouterAway) {
  Router auth(metrics_, "auth");
  auth.add(Method::get, "/health", seen_by("auth"));
  auth.add(Method::get, "/user/{name}", seen_by("user"));
  auth.add(Method::post, "/token", seen_by("token"));
  router_.mount("/auth", std::move(auth));
  router_.add(Method::get, "/health", seen_by("own"));

  EXPECT_EQ(get("/auth/health").body, "auth path=/health parameter=");
  EXPECT_EQ(get("/auth/user/alice").body, "user path=/user/alice parameter=alice");
  EXPECT_EQ(get("/health").body, "own path=/health parameter=");
  EXPECT_EQ(allowed_by(get("/auth/token")), "POST, OPTIONS");
  for (const char* path :
       {"/auth", "/auth/", "/authx/health", "/auth/auth/health", "/Auth/health", "/token"}) {
    EXPECT_EQ(get(path).status, 404U) << path;
  }
}

TEST_F(RouterTest, NamesThePathIfOnlyThePrefixIsMissing) {
  Router core(metrics_, "core");
  core.add(Method::post, "/transaction", seen_by("create"));
  core.add(Method::get, "/transaction/{id}", seen_by("show"));
  core.add(Method::get, "/health", seen_by("health"));
  router_.mount("/transaction", std::move(core));
  Router auth(metrics_, "auth");
  auth.add(Method::post, "/token", seen_by("token"));
  auth.add(Method::get, "/health", seen_by("health"));
  router_.mount("/auth", std::move(auth));

  const auto hint = [this](std::string_view path, Method method = Method::post) {
    return ask(method, path).body;
  };
  EXPECT_EQ(ask(Method::post, "/transaction").status, 404U);
  EXPECT_THAT(hint("/transaction"), HasSubstr("did you mean /transaction/transaction?"));
  EXPECT_THAT(hint("/transaction/42", Method::head),
              HasSubstr("did you mean /transaction/transaction/{id}?"));
  EXPECT_THAT(hint("/transaction/42"), Not(HasSubstr("did you mean")))
      << "nothing of this kind is served there";
  EXPECT_THAT(hint("/token"), HasSubstr("did you mean /auth/token?"));
  EXPECT_THAT(hint("/health", Method::get), HasSubstr("did you mean /transaction/health or /auth/health?"));
  EXPECT_THAT(hint("/nothing"), Not(HasSubstr("did you mean")));
}

TEST_F(RouterTest, KeepsTwoMountedRoutersApart) {
  for (const char* name : {"/auth", "/transaction"}) {
    Router mounted(metrics_, name);
    mounted.add(Method::get, "/health", seen_by(name));
    mounted.add(Method::get, name, seen_by("own"));
    router_.mount(name, std::move(mounted));
  }
  EXPECT_THAT(get("/auth/health").body, HasSubstr("/auth path=/health"));
  EXPECT_THAT(get("/transaction/health").body, HasSubstr("/transaction path=/health"));
  EXPECT_THAT(get("/transaction/transaction").body, HasSubstr("own path=/transaction"));
  EXPECT_EQ(get("/transaction/auth").status, 404U);
}

TEST_F(RouterTest, MakesA500OfAnExceptionAndLogsIt) {
  router_.add(Method::get, "/broken", [](const Request&) -> Task<Response> {
    throw std::runtime_error("the password is hunter2");
    co_return Response{};
  });
  router_.add(Method::get, "/broken-before-its-task",
              [](const Request&) -> Task<Response> { throw std::runtime_error("at once"); });
  const auto response = get("/broken");
  EXPECT_EQ(response.status, 500U);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_THAT(response.body, Not(HasSubstr("hunter2"))) << "what went wrong is for the log only";
  EXPECT_EQ(get("/broken-before-its-task").status, 500U);
  EXPECT_THAT(exceptions_, ElementsAre(HasSubstr("the password is hunter2"), HasSubstr("at once")));
}

TEST_F(RouterTest, CountsEachRouteByItsPatternAndStatus) {
  router_.add(Method::get, "/transaction/{id}", seen_by("show"));
  get("/transaction/1");
  get("/transaction/2");
  get("/nothing");
  EXPECT_THAT(
      metrics_.text(),
      HasSubstr(
          R"(switchyard_http_requests_total{method="GET",route="/transaction/{id}",service="test",status="200"} 2)"));
  EXPECT_THAT(metrics_.text(), Not(HasSubstr("/transaction/1")));
  EXPECT_THAT(
      metrics_.text(),
      HasSubstr(
          R"(switchyard_http_requests_total{method="any",route="none",service="test",status="404"} 1)"));
}

TEST_F(RouterTest, ListsItsRoutes) {
  Router auth(metrics_, "auth");
  auth.add(Method::post, "/token", seen_by("token"));
  router_.add(Method::get, "/health", seen_by("health"));
  router_.mount("/auth", std::move(auth));
  EXPECT_THAT(router_.routes(), ElementsAre("GET /health", "POST /auth/token"));
}

}  // namespace
}  // namespace switchyard::http
