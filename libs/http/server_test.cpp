#include "http/server.hpp"

#include <future>
#include <map>
#include <stdexcept>

#include <arpa/inet.h>
#include <boost/beast/core/string.hpp>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include "base/testing.hpp"

namespace switchyard::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using switchyard::testing::eventually;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr const char* uuid_pattern = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}";
// Only a failure takes so long.
constexpr timeval patience{.tv_sec = 30, .tv_usec = 0};

struct CaseInsensitive {
  bool operator()(const std::string& left, const std::string& right) const {
    return boost::beast::iless()(left, right);
  }
};

struct Reply {
  int status = 0;
  std::map<std::string, std::string, CaseInsensitive> headers;
  std::string body;
};

// A client that sends just what it is told and blocks for what comes back.
class Client {
 public:
  // `own_address` is one of 127.0.0.0/8.
  explicit Client(std::uint16_t port, in_addr_t own_address = INADDR_LOOPBACK)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    const auto own = ipv4(own_address, 0);
    ::bind(socket_, reinterpret_cast<const sockaddr*>(&own), sizeof(own));
    const auto server = ipv4(INADDR_LOOPBACK, port);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&server), sizeof(server)) == 0;
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }

  // What the server no longer reads is lost.
  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void send_nothing_more() const { ::shutdown(socket_, SHUT_WR); }

  // The next response; status 0 if the connection ends before it is whole.
  Reply read(bool has_body = true) {
    Reply reply;
    const auto head = read_head();
    if (head.empty()) return reply;
    std::size_t line_end = head.find("\r\n");
    reply.status = std::stoi(head.substr(head.find(' ')));
    while (line_end + 2 < head.size()) {
      const auto start = line_end + 2;
      line_end = head.find("\r\n", start);
      const auto colon = head.find(": ", start);
      reply.headers[head.substr(start, colon - start)] = head.substr(colon + 2, line_end - colon - 2);
    }
    if (!has_body || !reply.headers.contains("Content-Length")) return reply;
    const auto size = static_cast<std::size_t>(std::stoul(reply.headers["Content-Length"]));
    while (input_.size() < size) {
      if (!receive()) return {};
    }
    reply.body = input_.substr(0, size);
    input_.erase(0, size);
    return reply;
  }

  Reply ask(std::string_view request) {
    send(request);
    return read();
  }
  Reply get(std::string_view path, std::string_view headers = "") {
    return ask("GET " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n" + std::string(headers) + "\r\n");
  }

  // Whether the server has reset the connection, without another byte.
  bool is_reset() { return input_.empty() && !receive() && reset_; }

  // Whether the server has ended the connection, without another byte.
  bool is_closed() { return input_.empty() && !receive(); }

 private:
  static sockaddr_in ipv4(in_addr_t host, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(host);
    return address;
  }

  std::string read_head() {
    std::size_t end = 0;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return {};
    }
    auto head = input_.substr(0, end + 2);
    input_.erase(0, end + 4);
    return head;
  }

  bool receive() {
    char bytes[4096];
    const ssize_t received = ::recv(socket_, bytes, sizeof(bytes), 0);
    EXPECT_FALSE(received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        << "the server neither answers nor closes";
    reset_ = received < 0 && errno == ECONNRESET;
    if (received <= 0) return false;
    input_.append(bytes, static_cast<std::size_t>(received));
    return true;
  }

  int socket_;
  bool connected_ = false;
  bool reset_ = false;
  std::string input_;
};

std::string echo_request(std::string_view headers, std::string_view body) {
  return "POST /echo HTTP/1.1\r\nHost: test\r\n" + std::string(headers) + "\r\n" + std::string(body);
}
std::string post_of_size(std::size_t size) {
  return echo_request("Content-Length: " + std::to_string(size) + "\r\n", std::string(size, 'x'));
}

class ServerTest : public ::testing::Test {
 protected:
  ~ServerTest() override { gate_open_ = true; }

  std::uint16_t start(Limits limits = {}, TrustedProxies trusted_proxies = {}) {
    Router router(metrics_, "test");
    router.add(Method::get, "/hello", [](const Request&) -> Task<Response> {
      Response response;
      response.body = "hello";
      co_return response;
    });
    router.add(Method::post, "/echo", [](const Request& request) -> Task<Response> {
      Response response;
      response.content_type = "text/plain";
      response.body = request.body;
      co_return response;
    });
    router.add(Method::get, "/query", [](const Request& request) -> Task<Response> {
      Response response;
      response.body = request.query;
      response.headers.emplace_back("X-Peer", request.remote_address.to_string());
      co_return response;
    });
    router.add(Method::get, "/draining", [](const Request& request) -> Task<Response> {
      Response response;
      response.body = request.draining ? "yes" : "no";
      co_return response;
    });
    router.add(Method::get, "/probe", [](const Request&) -> Task<Response> {
      Response response;
      response.status = 503;
      response.to_probe = true;
      co_return response;
    });
    router.add(Method::get, "/huge", [](const Request&) -> Task<Response> {
      Response response;
      response.body.assign(64'000'000, 'x');
      co_return response;
    });
    router.add(Method::get, "/broken", [](const Request&) -> Task<Response> {
      throw std::runtime_error("broken handler");
      co_return Response{};
    });
    router.add(Method::get, "/late", [](const Request&) -> Task<Response> {
      Response response;
      response.body = "late";
      response.delay = milliseconds(100);
      co_return response;
    });
    router.add(Method::get, "/reset", [](const Request&) -> Task<Response> {
      Response response;
      response.body = "never seen";
      response.headers.emplace_back("Fault", "reset");
      co_return response;
    });
    router.add(Method::get, "/withheld", [this](const Request&) -> Task<Response> {
      ++withheld_;
      Response response;
      response.body = "never seen";
      response.headers.emplace_back("Fault", "withheld");
      co_return response;
    });
    router.break_responses([](const Response& response) {
      if (response.headers.empty() || response.headers[0].first != "Fault") return Delivery::sent;
      return response.headers[0].second == "reset" ? Delivery::reset : Delivery::withheld;
    });
    router.add(Method::get, "/slow", [this](const Request& request) { return wait_for_gate(request); });
    Server::Options options;
    options.limits = limits;
    options.trusted_proxies = std::move(trusted_proxies);
    options.observer.on_exception = [this](std::string_view what) {
      const std::lock_guard lock(mutex_);
      exceptions_.emplace_back(what);
    };
    server_.emplace(threads_, std::move(router), std::move(options));
    server_->start();
    return server_->port();
  }

  Task<Response> wait_for_gate(const Request&) {
    ++at_gate_;
    while (!gate_open_) {
      SteadyTimer pause(co_await asio::this_coro::executor, milliseconds(1));
      co_await pause.async_wait(use_task);
    }
    --at_gate_;
    Response response;
    response.body = "at last";
    co_return response;
  }

  std::future<void> stop_in_background(steady_clock::time_point deadline) {
    return std::async(std::launch::async, [this, deadline] { server_->stop(deadline); });
  }
  static steady_clock::time_point much_later() { return steady_clock::now() + std::chrono::minutes(1); }

  telemetry::Metrics metrics_;
  std::mutex mutex_;
  std::vector<std::string> exceptions_;
  std::atomic<bool> gate_open_ = false;
  std::atomic<int> at_gate_ = 0;
  std::atomic<int> withheld_ = 0;
  IoThreads threads_{2};
  std::optional<Server> server_;
};

// --- Requests and responses --------------------------------------------------------------------

TEST_F(ServerTest, SendsTheHeadersThatEveryResponseCarries) {
  Client client(start());
  auto reply = client.get("/hello");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "hello");
  EXPECT_EQ(reply.headers["Content-Type"], "application/json");
  EXPECT_EQ(reply.headers["Content-Length"], "5");
  EXPECT_EQ(reply.headers["Connection"], "keep-alive");
  EXPECT_THAT(reply.headers["X-Request-Id"], MatchesRegex(uuid_pattern));
  EXPECT_THAT(reply.headers["Date"],
              MatchesRegex("[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT"));
}

TEST_F(ServerTest, GivesTheHandlerPathQueryAndPeer) {
  Client client(start());
  auto reply = client.get("/query?status=captured&limit=10");
  EXPECT_EQ(reply.body, "status=captured&limit=10");
  EXPECT_EQ(reply.headers["X-Peer"], "127.0.0.1");
  EXPECT_EQ(client.get("/query?").body, "");
  EXPECT_EQ(client.get("/query?a?b").body, "a?b");
}

TEST_F(ServerTest, GivesTheHandlerWhomATrustedProxyNames) {
  Client client(start({}, *TrustedProxies::parse("127.0.0.1")));
  const auto ask = [](Client& from, const std::string& headers) {
    return from.ask("GET /query HTTP/1.1\r\nHost: test\r\n" + headers + "\r\n").headers["X-Peer"];
  };
  EXPECT_EQ(ask(client, "X-Forwarded-For: 203.0.113.9, 192.0.2.1\r\n"), "192.0.2.1");
  EXPECT_EQ(ask(client, "X-Forwarded-For: 203.0.113.9\r\nx-forwarded-for: 192.0.2.2\r\n"), "192.0.2.2");
  EXPECT_EQ(ask(client, "X-Forwarded-For: junk\r\n"), "127.0.0.1");
  EXPECT_EQ(ask(client, ""), "127.0.0.1") << "each request says it for itself";
  Client stranger(server_->port(), INADDR_LOOPBACK + 1);
  EXPECT_EQ(ask(stranger, "X-Forwarded-For: 192.0.2.1\r\n"), "127.0.0.2");
}

TEST_F(ServerTest, ATrustedProxyMayHaveAllConnections) {
  Limits limits;
  limits.connections_max = 3;
  limits.connections_per_address_max = 1;
  const auto port = start(limits, *TrustedProxies::parse("127.0.0.1"));
  Client first(port);
  Client second(port);
  EXPECT_EQ(first.get("/hello").status, 200);
  EXPECT_EQ(second.get("/hello").status, 200);
  Client stranger(port, INADDR_LOOPBACK + 1);
  EXPECT_EQ(stranger.get("/hello").status, 200);
}

TEST_F(ServerTest, UnderstandsATargetInAbsoluteForm) {
  Client client(start());
  EXPECT_EQ(client.get("http://test/query?a=1").body, "a=1");
  EXPECT_EQ(client.get("http://test").status, 404) << "the path of that is /";
}

TEST_F(ServerTest, AnswersHeadWithTheHeadersOfGetAndNoBody) {
  Client client(start());
  client.send("HEAD /hello HTTP/1.1\r\nHost: test\r\n\r\n");
  auto reply = client.read(false);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers["Content-Length"], "5");
  EXPECT_EQ(client.get("/hello").body, "hello") << "the next response begins at once";
}

TEST_F(ServerTest, AnswersOptionsWithWhatIsAllowed) {
  Client client(start());
  auto reply = client.ask("OPTIONS /hello HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(reply.headers["Allow"], "GET, HEAD, OPTIONS");
  EXPECT_FALSE(reply.headers.contains("Content-Length"));
  EXPECT_FALSE(reply.headers.contains("Content-Type"));
  EXPECT_EQ(client.ask("OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n").headers["Allow"],
            "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(client.get("/hello").body, "hello") << "the next response begins at once";
}

TEST_F(ServerTest, ReadsAChunkedBody) {
  Client client(start());
  const auto reply =
      client.ask(echo_request("Transfer-Encoding: chunked\r\n",
                              "5\r\nhello\r\n1;extension=1\r\n \r\n5\r\nworld\r\n0\r\nTrailer: x\r\n\r\n"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "hello world");
  EXPECT_EQ(client.get("/hello").status, 200);
}

TEST_F(ServerTest, ReadsARequestThatArrivesByteByByte) {
  Client client(start());
  for (const char c : post_of_size(10)) client.send({&c, 1});
  EXPECT_EQ(client.read().body, std::string(10, 'x'));
}

// Beast 1.81 ended the process over a last chunk that was cut in the wrong place (boostorg/beast#2861). The
// reply to the request before says that the first part has been read, so that the second one comes by itself.
TEST_F(ServerTest, UnderstandsABodyWhereverItIsCut) {
  const auto port = start();
  const auto chunked = [](std::string_view body) {
    return echo_request("Transfer-Encoding: chunked\r\n", body);
  };
  const std::vector<std::pair<std::string, int>> requests{
      {chunked("0\r\n\r\n"), 200},
      {chunked("5;a=b\r\nhello\r\n0;c\r\nTrailer: x\r\n\r\n"), 200},
      {chunked("5\r\nhello\r\n0\r\n\rx"), 400},
      {echo_request("Content-Length: 5\r\n", "hello"), 200},
  };
  for (const auto& [request, status] : requests) {
    for (std::size_t cut = 1; cut < request.size(); ++cut) {
      Client client(port);
      ASSERT_EQ(client.ask("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n" + request.substr(0, cut)).status, 200);
      ASSERT_EQ(client.ask(request.substr(cut)).status, status) << request << " cut at byte " << cut;
    }
  }
}

TEST_F(ServerTest, ReportsAnExceptionAndServesOn) {
  Client client(start());
  EXPECT_EQ(client.get("/broken").status, 500);
  EXPECT_EQ(client.get("/hello").status, 200);
  const std::lock_guard lock(mutex_);
  EXPECT_THAT(exceptions_, ElementsAre(AllOf(HasSubstr("/broken"), HasSubstr("broken handler"))));
}

TEST_F(ServerTest, SurvivesAClientThatLeavesInTheMiddle) {
  const auto port = start();
  for (const std::string_view part : {"", "GET", "GET /hello HTTP/1.1\r\n",
                                      "POST /echo HTTP/1.1\r\nHost: test\r\n"
                                      "Content-Length: 10\r\n\r\nabc"}) {
    Client(port).send(part);
  }
  Client(port).send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
  ASSERT_TRUE(eventually([this] { return at_gate_ == 1; }));
  gate_open_ = true;
  EXPECT_EQ(Client(port).get("/hello").status, 200);
}

// --- Misbehaving on purpose --------------------------------------------------------------------

constexpr const char* get_withheld = "GET /withheld HTTP/1.1\r\nHost: test\r\n\r\n";

TEST_F(ServerTest, AnswersLateAndGoesOn) {
  Client client(start());
  const auto started = steady_clock::now();
  EXPECT_EQ(client.get("/late").body, "late");
  EXPECT_GE(steady_clock::now() - started, milliseconds(100));
  client.send("GET /late HTTP/1.1\r\nHost: test\r\n\r\nGET /hello HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_EQ(client.read().body, "late");
  EXPECT_EQ(client.read().body, "hello") << "what was sent meanwhile is not lost";
}

TEST_F(ServerTest, ResetsTheConnectionInsteadOfAnswering) {
  const auto port = start();
  Client client(port);
  client.send("GET /reset HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_TRUE(client.is_reset());
  EXPECT_EQ(Client(port).get("/hello").status, 200);
}

TEST_F(ServerTest, WithholdsTheAnswerUntilTheClientLeaves) {
  const auto port = start({.connections_max = 1});
  {
    Client client(port);
    client.send(get_withheld);
    ASSERT_TRUE(eventually([this] { return withheld_ == 1; }));
    EXPECT_EQ(Client(port).get("/hello").status, 503);
  }
  EXPECT_TRUE(eventually([port] { return Client(port).get("/hello").status == 200; }));
}

TEST_F(ServerTest, WithholdsTheAnswerNoLongerThanAConnectionMayBeIdle) {
  Client client(start({.keep_alive = milliseconds(50)}));
  client.send(get_withheld);
  EXPECT_TRUE(client.is_closed());
}

TEST_F(ServerTest, AnAnswerThatIsWithheldDoesNotHoldUpTheStop) {
  Client client(start());
  client.send(get_withheld);
  ASSERT_TRUE(eventually([this] { return withheld_ == 1; }));
  auto stopped = stop_in_background(much_later());
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(stopped.wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST_F(ServerTest, ALateAnswerIsCutOffAtTheDeadlineOfTheStop) {
  Client client(start());
  client.send("GET /late HTTP/1.1\r\nHost: test\r\n\r\n");
  stop_in_background(steady_clock::now()).get();
  EXPECT_THAT(client.read().body, ::testing::AnyOf("", "late"));
  EXPECT_TRUE(client.is_closed());
}

// --- Connections -------------------------------------------------------------------------------

TEST_F(ServerTest, KeepsTheConnectionBetweenRequests) {
  Client client(start());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(client.get("/hello").status, 200);
  EXPECT_EQ(client.get("/nothing").status, 404);
  EXPECT_EQ(client.get("/hello").status, 200) << "a 404 is no reason to hang up";
}

TEST_F(ServerTest, ClosesWhenTheClientAsksForIt) {
  const auto port = start();
  Client client(port);
  auto reply = client.get("/hello", "Connection: close\r\n");
  EXPECT_EQ(reply.headers["Connection"], "close");
  EXPECT_TRUE(client.is_closed());
}

TEST_F(ServerTest, ClosesAfterARequestOfHttp10UnlessAskedToKeepIt) {
  const auto port = start();
  Client old_client(port);
  EXPECT_EQ(old_client.ask("GET /hello HTTP/1.0\r\n\r\n").headers["Connection"], "close");
  EXPECT_TRUE(old_client.is_closed());

  Client keeping(port);
  const std::string request = "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  EXPECT_EQ(keeping.ask(request).headers["Connection"], "keep-alive");
  EXPECT_EQ(keeping.ask(request).status, 200);
}

TEST_F(ServerTest, AnswersPipelinedRequestsInTheirOrder) {
  Client client(start());
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    const auto body = "body " + std::to_string(i);
    requests += echo_request("Content-Length: " + std::to_string(body.size()) + "\r\n", body);
    requests += "GET /query?" + std::to_string(i) + " HTTP/1.1\r\nHost: test\r\n\r\n";
  }
  client.send(requests);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(client.read().body, "body " + std::to_string(i));
    EXPECT_EQ(client.read().body, std::to_string(i));
  }
}

TEST_F(ServerTest, AnswersWhatAClientSentBeforeItClosedItsHalf) {
  Client client(start());
  client.send("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n");
  client.send_nothing_more();
  EXPECT_EQ(client.read().body, "hello");
  EXPECT_TRUE(client.is_closed());
}

TEST_F(ServerTest, ClosesAnIdleConnectionWithoutAWord) {
  Client never_used(start({.keep_alive = milliseconds(50)}));
  EXPECT_TRUE(never_used.is_closed());
  Client used(server_->port());
  EXPECT_EQ(used.get("/hello").status, 200);
  EXPECT_TRUE(used.is_closed());
}

TEST_F(ServerTest, RefusesMoreConnectionsThanItMayHave) {
  const auto port = start({.connections_max = 2});
  std::optional<Client> first(port);
  Client second(port);
  EXPECT_EQ(first->get("/hello").status, 200);
  EXPECT_EQ(second.get("/hello").status, 200);

  Client third(port);
  auto refused = third.read();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers["Retry-After"], "1");
  EXPECT_EQ(refused.headers["Content-Type"], "application/problem+json");
  EXPECT_THAT(refused.headers["X-Request-Id"], MatchesRegex(uuid_pattern));
  EXPECT_EQ(refused.headers["Connection"], "close");
  EXPECT_TRUE(third.is_closed());

  first.reset();
  EXPECT_TRUE(eventually([port] { return Client(port).get("/hello").status == 200; })) << "room again";
  EXPECT_EQ(second.get("/hello").status, 200);
}

TEST_F(ServerTest, RefusesMoreConnectionsOfOneAddressThanItMayHave) {
  const auto port = start({.connections_max = 10, .connections_per_address_max = 2});
  std::optional<Client> first(port);
  Client second(port);
  EXPECT_EQ(first->get("/hello").status, 200);
  EXPECT_EQ(second.get("/hello").status, 200);

  Client third(port);
  auto refused = third.read();
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.headers["Retry-After"], "1");
  EXPECT_EQ(refused.headers["Connection"], "close");
  EXPECT_TRUE(third.is_closed());
  EXPECT_THAT(metrics_.text(),
              HasSubstr(R"(switchyard_http_connections_refused_total{bound="address",service="test"} 1)"));
  EXPECT_EQ(Client(port, INADDR_LOOPBACK + 1).get("/hello").status, 200) << "another address is not stopped";

  first.reset();
  EXPECT_TRUE(eventually([port] { return Client(port).get("/hello").status == 200; })) << "room again";
}

// --- Memory ------------------------------------------------------------------------------------

constexpr Limits small_budget{.body_bytes_max = 1'000'000, .buffered_bytes_max = 400'000};

// Where the next request's bytes are read before these, it is this one that is refused: then it takes another
// try.
void send_half(std::optional<Client>& client, std::uint16_t port) {
  client.emplace(port);
  client->send(post_of_size(250'000).substr(0, 200'000));
}

TEST_F(ServerTest, HalfSentRequestsOfAllConnectionsTogetherAreBounded) {
  const auto port = start(small_budget);
  std::optional<Client> half;
  EXPECT_TRUE(eventually([&half, port] {
    send_half(half, port);
    Client another(port);
    auto refused = another.ask(post_of_size(250'000));
    return refused.status == 503 && refused.headers["Retry-After"] == "1" &&
           refused.headers["Connection"] == "close";
  }));
  EXPECT_EQ(Client(port).ask(post_of_size(2000)).status, 200) << "what is small needs none of it";
  half.reset();
  EXPECT_TRUE(eventually([port] { return Client(port).ask(post_of_size(250'000)).status == 200; }));
}

TEST_F(ServerTest, HalfSentRequestsOfOneAddressLeaveRoomForOthers) {
  const auto port = start({.body_bytes_max = 1'000'000,
                           .buffered_bytes_max = 800'000,
                           .buffered_bytes_per_address_max = 300'000});
  std::optional<Client> half;
  EXPECT_TRUE(eventually([&half, port] {
    send_half(half, port);
    return Client(port).ask(post_of_size(250'000)).status == 503;
  }));
  EXPECT_EQ(Client(port, INADDR_LOOPBACK + 1).ask(post_of_size(250'000)).status, 200);
  half.reset();
  EXPECT_TRUE(eventually([port] { return Client(port).ask(post_of_size(250'000)).status == 200; }));
}

TEST_F(ServerTest, AConnectionThatIdlesHasGivenItsBuffersBack) {
  const auto port = start(small_budget);
  std::vector<std::unique_ptr<Client>> idle;
  // The one before may still be at it.
  const auto one_more = [&] {
    auto client = std::make_unique<Client>(port);
    if (client->ask(post_of_size(150'000)).status != 200) return false;
    idle.push_back(std::move(client));
    return true;
  };
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(eventually(one_more));
  for (const auto& client : idle) EXPECT_EQ(client->get("/hello").status, 200);
}

TEST_F(ServerTest, AReplyThatNobodyTakesCountsAsWell) {
  const auto port = start(small_budget);
  Client client(port);
  client.send("GET /huge HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_EQ(client.read().status, 0) << "the connection ends";
  EXPECT_EQ(Client(port).get("/hello").status, 200);
}

// --- What is refused ---------------------------------------------------------------------------

TEST_F(ServerTest, RefusesABodyThatIsTooLarge) {
  const auto port = start({.body_bytes_max = 1000});
  Client client(port);
  EXPECT_EQ(client.ask(post_of_size(1000)).status, 200);
  auto reply = client.ask(post_of_size(1001));
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(reply.headers["Connection"], "close");
  EXPECT_EQ(reply.headers["Content-Type"], "application/problem+json");
  EXPECT_THAT(reply.headers["X-Request-Id"], MatchesRegex(uuid_pattern));
  client.send_nothing_more();
  EXPECT_TRUE(client.is_closed());

  EXPECT_EQ(Client(port).ask(echo_request("Content-Length: 99999999999\r\n", "")).status, 413)
      << "before it is sent";
  Client chunked(port);
  chunked.send(echo_request("Transfer-Encoding: chunked\r\n", ""));
  for (int i = 0; i < 11; ++i) chunked.send("64\r\n" + std::string(100, 'x') + "\r\n");
  EXPECT_EQ(chunked.read().status, 413);
}

TEST_F(ServerTest, LetsAClientThatStillSendsReadTheRefusal) {
  const auto port = start({.body_bytes_max = 1000});
  for (int i = 0; i < 20; ++i) {
    Client client(port);
    EXPECT_EQ(client.ask(post_of_size(1'000'000)).status, 413);
  }
}

TEST_F(ServerTest, RefusesAHeaderThatIsTooLarge) {
  const auto port = start({.header_bytes_max = 2000});
  Client client(port);
  EXPECT_EQ(client.get("/hello", "X-Fill: " + std::string(1800, 'x') + "\r\n").status, 200);
  EXPECT_EQ(client.get("/hello", "X-Fill: " + std::string(2000, 'x') + "\r\n").status, 431);
  EXPECT_EQ(Client(port).ask("GET /" + std::string(10'000, 'x')).status, 414) << "a line without an end";
  std::string many;
  for (int i = 0; i < 300; ++i) many += "X-" + std::to_string(i) + ": x\r\n";
  EXPECT_EQ(Client(port).get("/hello", many).status, 431);
}

TEST_F(ServerTest, TellsAClientThatIsTooSlow) {
  const auto port = start({.request = milliseconds(50)});
  for (const std::string_view part : {"G", "GET /hello HTTP/1.1\r\nHost: te",
                                      "POST /echo HTTP/1.1\r\nHost: test\r\n"
                                      "Content-Length: 10\r\n\r\nabc"}) {
    Client client(port);
    auto reply = client.ask(part);
    EXPECT_EQ(reply.status, 408) << part;
    EXPECT_EQ(reply.headers["Connection"], "close");
    client.send_nothing_more();
    EXPECT_TRUE(client.is_closed());
  }
}

TEST_F(ServerTest, TheTimeOfAHandlerIsNotTheClients) {
  Client client(
      start({.request = milliseconds(50), .response = milliseconds(50), .keep_alive = milliseconds(50)}));
  client.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
  ASSERT_TRUE(eventually([this] { return at_gate_ == 1; }));
  // Long enough for the sweep to come by.
  std::this_thread::sleep_for(milliseconds(400));
  gate_open_ = true;
  EXPECT_EQ(client.read().body, "at last");
}

TEST_F(ServerTest, RefusesWhatIsNotHttp) {
  const auto port = start();
  for (const std::string_view request : {
           "hello\r\n\r\n",
           "GET /hello\r\n\r\n",
           "GET /hello HTTP/1.1\r\nHost : test\r\n\r\n",
           "GET /hello HTTP/1.1\r\n: test\r\n\r\n",
           "GET /hello HTTP/1.1\r\nHost: test\r\nX\x01: a\r\n\r\n",
           "GET  /hello HTTP/1.1\r\nHost: test\r\n\r\n",
           "GET /hello HTTP/1.1 \r\nHost: test\r\n\r\n",
           "\x16\x03\x01\x02\r\n\r\n",
       }) {
    Client client(port);
    auto reply = client.ask(request);
    EXPECT_EQ(reply.status, 400) << request;
    EXPECT_EQ(reply.headers["Connection"], "close");
    client.send_nothing_more();
    EXPECT_TRUE(client.is_closed());
  }
}

// What two readers could take for bodies of different lengths (RFC 9112, 11.2).
TEST_F(ServerTest, RefusesARequestWhoseLengthIsInDoubt) {
  const auto port = start();
  for (const std::string_view headers : {
           "Content-Length: 5\r\nContent-Length: 6\r\n",
           "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
           "Content-Length: 5, 6\r\n",
           "Content-Length: +5\r\n",
           "Content-Length: -5\r\n",
           "Content-Length: 0x5\r\n",
           "Content-Length: 5 5\r\n",
           "Content-Length: \r\n",
           "Content-Length: 99999999999999999999\r\n",
       }) {
    EXPECT_EQ(Client(port).ask(echo_request(headers, "0\r\n\r\nGET /hello HTTP/1.1\r\n")).status, 400)
        << headers;
  }
  EXPECT_EQ(Client(port).ask(echo_request("Transfer-Encoding: chunked\r\n", "x\r\n")).status, 400);
  EXPECT_EQ(Client(port).ask(echo_request("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\n")).status,
            400);
}

TEST_F(ServerTest, EndsTheConnectionWithATransferCodingItDoesNotKnow) {
  const auto port = start();
  const std::string next = "GET /hello HTTP/1.1\r\nHost: test\r\n\r\n";
  for (const auto& [coding, status] : {std::pair("identity", 501), std::pair("gzip", 501), std::pair("", 400),
                                       std::pair("chunked, identity", 400)}) {
    Client client(port);
    auto reply = client.ask(echo_request("Transfer-Encoding: " + std::string(coding) + "\r\n", next));
    EXPECT_EQ(reply.status, status) << coding;
    EXPECT_EQ(reply.headers["Connection"], "close");
    client.send_nothing_more();
    EXPECT_TRUE(client.is_closed()) << "the body is no request";
  }
}

TEST_F(ServerTest, WantsExactlyOneHost) {
  const auto port = start();
  EXPECT_EQ(Client(port).ask("GET /hello HTTP/1.1\r\n\r\n").status, 400);
  EXPECT_EQ(Client(port).ask("GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").status, 400);
  EXPECT_EQ(Client(port).ask("GET /hello HTTP/1.0\r\n\r\n").status, 200) << "HTTP/1.0 knew no Host";
}

// --- Expect: 100-continue ----------------------------------------------------------------------

TEST_F(ServerTest, TellsAClientThatAsksFirstToGoOn) {
  Client client(start());
  client.send(echo_request("Content-Length: 5\r\nExpect: 100-continue\r\n", ""));
  EXPECT_EQ(client.read(false).status, 100);
  client.send("hello");
  auto reply = client.read();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "hello");
  EXPECT_EQ(client.get("/hello").status, 200);
}

TEST_F(ServerTest, DoesNotSayGoOnWhenTheBodyIsThereAlready) {
  Client client(start());
  EXPECT_EQ(client.ask(echo_request("Content-Length: 5\r\nExpect: 100-continue\r\n", "hello")).status, 200);
}

TEST_F(ServerTest, RefusesATooLargeBodyInsteadOfAskingForIt) {
  Client client(start({.body_bytes_max = 1000}));
  EXPECT_EQ(client.ask(echo_request("Content-Length: 1001\r\nExpect: 100-continue\r\n", "")).status, 413);
}

// --- X-Request-Id ------------------------------------------------------------------------------

TEST_F(ServerTest, EchoesARequestIdThatIsSane) {
  Client client(start());
  for (const auto& id : std::vector<std::string>{"a", "Az09-_.:", std::string(128, 'x')}) {
    EXPECT_EQ(client.get("/hello", "X-Request-Id: " + id + "\r\n").headers["X-Request-Id"], id);
    EXPECT_EQ(client.get("/nothing", "x-request-id: " + id + "\r\n").headers["X-Request-Id"], id);
  }
}

TEST_F(ServerTest, ReplacesARequestIdThatIsNot) {
  Client client(start());
  for (const auto& id : std::vector<std::string>{"", std::string(129, 'x'), "a b", "a\"b", "\xc3\xa9",
                                                 "<script>", "4111111111111111", "id-4111-1111-1111-1111"}) {
    EXPECT_THAT(client.get("/hello", "X-Request-Id: " + id + "\r\n").headers["X-Request-Id"],
                MatchesRegex(uuid_pattern))
        << id;
  }
  EXPECT_NE(client.get("/hello").headers["X-Request-Id"], client.get("/hello").headers["X-Request-Id"]);
}

// --- Start and stop ----------------------------------------------------------------------------

TEST_F(ServerTest, NamesTheAddressThatCannotBeHad) {
  Server::Options options;
  options.port = start();
  const auto refusal = [&](Server::Options wrong) -> std::string {
    try {
      Server second(threads_, Router(metrics_, "second"), std::move(wrong));
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refusal(options), HasSubstr("127.0.0.1:" + std::to_string(options.port)));
  options.host = "localhost";
  EXPECT_THAT(refusal(options), HasSubstr("'localhost', and must be an IP address"));
}

TEST_F(ServerTest, StopLetsARunningRequestFinishAndClosesIdleConnections) {
  const auto port = start();
  Client idle(port);
  EXPECT_EQ(idle.get("/hello").status, 200);
  Client never_used(port);
  Client busy(port);
  busy.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\nGET /hello HTTP/1.1\r\nHost: test\r\n\r\n");
  ASSERT_TRUE(eventually([this] { return at_gate_ == 1; }));

  auto stopped = stop_in_background(much_later());
  EXPECT_TRUE(idle.is_closed());
  EXPECT_TRUE(never_used.is_closed());
  EXPECT_TRUE(eventually([port] { return !Client(port).connected(); }));
  EXPECT_NE(stopped.wait_for(milliseconds(0)), std::future_status::ready);

  gate_open_ = true;
  auto reply = busy.read();
  EXPECT_EQ(reply.body, "at last");
  EXPECT_EQ(reply.headers["Connection"], "close");
  EXPECT_TRUE(busy.is_closed()) << "the pipelined request behind it was not accepted any more";
  stopped.get();
}

TEST_F(ServerTest, StopDoesNotWaitOnOneThreadBeforeItTellsTheNext) {
  const auto port = start();
  std::vector<std::unique_ptr<Client>> busy;
  std::vector<std::unique_ptr<Client>> idle;
  // Dealt out in turn, so that each thread has one of each.
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    idle.push_back(std::make_unique<Client>(port));
    EXPECT_EQ(idle.back()->get("/hello").status, 200);
  }
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    busy.push_back(std::make_unique<Client>(port));
    busy.back()->send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
  }
  ASSERT_TRUE(eventually([this] { return at_gate_ == 2; }));
  auto stopped = stop_in_background(much_later());
  for (auto& client : idle) EXPECT_TRUE(client->is_closed());
  gate_open_ = true;
  for (auto& client : busy) EXPECT_EQ(client->read().body, "at last");
  stopped.get();
}

TEST_F(ServerTest, StopCutsOffWhatIsNotDoneAtTheDeadline) {
  const auto port = start();
  Client busy(port);
  busy.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
  Client half(port);
  half.send("GET /hello HTT");
  ASSERT_TRUE(eventually([this] { return at_gate_ == 1; }));
  auto stopped = stop_in_background(steady_clock::now() + milliseconds(20));
  EXPECT_TRUE(busy.is_closed());
  EXPECT_TRUE(half.is_closed());
  gate_open_ = true;
  stopped.get();
}

TEST_F(ServerTest, StopDoesNotWaitForARequestThatIsNotWhole) {
  const auto port = start();
  std::vector<std::unique_ptr<Client>> clients;
  for (const std::string_view part : {"G", "GET /hello HTTP/1.1\r\nHost: te",
                                      "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nabc"}) {
    clients.push_back(std::make_unique<Client>(port));
    EXPECT_EQ(clients.back()->get("/hello").status, 200);
    clients.back()->send(part);
  }
  auto stopped = stop_in_background(much_later());
  for (auto& client : clients)
    EXPECT_TRUE(client->is_closed()) << "it was not accepted, and can be sent elsewhere";
  stopped.get();
}

TEST_F(ServerTest, WhileDrainingEachResponseEndsItsConnection) {
  const auto port = start();
  Client kept(port);
  kept.send("GET /draining HTTP/1.1\r\nHost: test\r\n\r\n");
  const auto before = kept.read();
  EXPECT_EQ(before.body, "no");
  EXPECT_EQ(before.headers.at("Connection"), "keep-alive");

  server_->drain();
  Client fresh(port);
  for (Client* client : {&kept, &fresh}) {
    client->send("GET /draining HTTP/1.1\r\nHost: test\r\n\r\n");
    const auto reply = client->read();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "yes");
    EXPECT_EQ(reply.headers.at("Connection"), "close");
    EXPECT_TRUE(client->is_closed());
  }
}

TEST_F(ServerTest, WhileDrainingItKnowsWhenItWasLastAskedForSomethingButByAProbe) {
  const auto port = start();
  const auto ask = [port](const char* path) {
    Client client(port);
    client.send(fmt::format("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", path));
    return client.read().status;
  };
  EXPECT_EQ(ask("/draining"), 200);
  server_->drain();
  const auto none = server_->last_request();
  EXPECT_EQ(ask("/probe"), 503);
  EXPECT_EQ(server_->last_request(), none);
  const auto before = steady_clock::now();
  EXPECT_EQ(ask("/draining"), 200);
  EXPECT_GE(server_->last_request(), before);
  EXPECT_LT(none, before);
}

TEST_F(ServerTest, ARequestThatWasUnderWayWhenDrainingBeganEndsItsConnection) {
  Client client(start());
  client.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
  ASSERT_TRUE(eventually([this] { return at_gate_ == 1; }));
  server_->drain();
  gate_open_ = true;
  const auto reply = client.read();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers.at("Connection"), "close");
}

TEST_F(ServerTest, CanBeStoppedTwiceAndWithoutAStart) {
  start();
  server_->stop(much_later());
  server_->stop(much_later());
  Server never_started(threads_, Router(metrics_, "second"), {});
  EXPECT_NE(never_started.port(), 0);
}

}  // namespace
}  // namespace switchyard::http
