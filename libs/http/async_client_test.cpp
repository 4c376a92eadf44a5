#include "http/async_client.hpp"

#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include "base/io_threads.hpp"
#include "base/task_group.hpp"
#include "base/testing.hpp"
#include "http/server.hpp"

namespace switchyard::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using switchyard::testing::eventually;
using ::testing::HasSubstr;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// One accepted connection of a RawServer.
class Peer {
 public:
  explicit Peer(int socket) : socket_(socket) {
    // Only a failure takes so long.
    const timeval patience{.tv_sec = 30, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }

  // A whole request with its body; empty if the client ends the connection first.
  std::string read_request() {
    const auto is_whole = [this] {
      const auto head = input_.find("\r\n\r\n");
      if (head == std::string::npos) return false;
      const auto length = input_.find("Content-Length: ");
      const auto body = length < head ? std::stoul(input_.substr(length + 16)) : 0;
      return input_.size() >= head + 4 + body;
    };
    while (!is_whole()) {
      if (!receive()) return {};
    }
    return std::exchange(input_, {});
  }
  bool is_closed_by_client() { return !receive() && input_.empty(); }

  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void answer(std::string_view body, std::string_view status = "200 OK",
              std::string_view headers = "") const {
    send("HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(headers) + "\r\n" + std::string(body));
  }
  void close() {
    const std::lock_guard lock(mutex_);
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  // From another thread: ends what it waits for.
  void interrupt() {
    const std::lock_guard lock(mutex_);
    if (socket_ >= 0) ::shutdown(socket_, SHUT_RDWR);
  }
  void reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close();
  }

 private:
  bool receive() {
    char bytes[4096];
    const ssize_t received = ::recv(socket_, bytes, sizeof(bytes), 0);
    if (received <= 0) return false;
    input_.append(bytes, static_cast<std::size_t>(received));
    return true;
  }

  std::mutex mutex_;
  int socket_;
  std::string input_;
};

// Serves its connections one after another, each as the test wrote it down; the last one is repeated.
class RawServer {
 public:
  using Behaviour = std::function<void(Peer&)>;

  explicit RawServer(std::deque<Behaviour> behaviours)
      : behaviours_(std::move(behaviours)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    auto address = loopback(0);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 64), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~RawServer() { stop(); }

  // From here on connections are refused, and the one that is served is ended.
  void stop() {
    if (!thread_.joinable()) return;
    stop_listening();
    {
      const std::lock_guard lock(mutex_);
      if (peer_ != nullptr) peer_->interrupt();
    }
    thread_.join();
    ::close(listener_);
  }
  void stop_listening() const { ::shutdown(listener_, SHUT_RDWR); }

  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }

 private:
  void serve() {
    for (int socket = 0; (socket = ::accept(listener_, nullptr, nullptr)) >= 0;) {
      ++connections_;
      Peer peer(socket);
      set_peer(&peer);
      behaviours_.front()(peer);
      set_peer(nullptr);
      peer.close();
      if (behaviours_.size() > 1) behaviours_.pop_front();
    }
  }

  void set_peer(Peer* peer) {
    const std::lock_guard lock(mutex_);
    peer_ = peer;
  }

  std::mutex mutex_;
  Peer* peer_ = nullptr;
  std::deque<Behaviour> behaviours_;
  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

class AsyncClientTest : public ::testing::Test {
 protected:
  ~AsyncClientTest() override { close(); }

  void close() {
    threads_.run(0, [this]() -> Task<void> {
      client_.reset();
      co_return;
    });
  }

  static ClientRequest request(std::uint16_t port, std::string body = {},
                               milliseconds timeout = milliseconds(20'000)) {
    ClientRequest request;
    request.method = body.empty() ? "GET" : "POST";
    request.url = "http://127.0.0.1:" + std::to_string(port) + "/echo";
    request.body = std::move(body);
    request.headers = {"Content-Type: application/json", "Idempotency-Key: key-1"};
    request.timeout = timeout;
    return request;
  }

  std::future<CallResult> begin(ClientRequest request) {
    auto call = [this, request = std::move(request)]() mutable { return client_->send(std::move(request)); };
    return asio::co_spawn(threads_.executor(0), std::move(call), asio::use_future);
  }
  CallResult send(ClientRequest request) { return begin(std::move(request)).get(); }

  IoThreads threads_{1};
  std::optional<AsyncClient> client_{std::in_place, threads_.executor(0),
                                     AsyncClient::Options{.response_bytes_max = 1000}};
};

void answer_all(Peer& peer) {
  for (auto request = peer.read_request(); !request.empty(); request = peer.read_request()) {
    peer.answer("{}");
  }
}

// --- Answers -----------------------------------------------------------------------------------

TEST_F(AsyncClientTest, SendsTheBytesItWasGivenAndNothingElse) {
  std::string seen;
  RawServer server({[&seen](Peer& peer) {
    seen = peer.read_request();
    peer.answer("done", "201 Created");
  }});
  const auto answer = send(request(server.port(), R"({"amount":100})"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->body, "done");
  EXPECT_THAT(seen, ::testing::StartsWith("POST /echo HTTP/1.1\r\n"));
  EXPECT_THAT(seen, ::testing::EndsWith("\r\n\r\n{\"amount\":100}"));
  EXPECT_THAT(seen, HasSubstr("\r\nIdempotency-Key: key-1\r\n"));
  EXPECT_THAT(seen, HasSubstr("\r\nContent-Length: 14\r\n"));
  EXPECT_THAT(seen, ::testing::Not(HasSubstr("Expect")));
}

TEST_F(AsyncClientTest, ARequestThatWouldBeAnotherOneOnTheWireIsNotSent) {
  RawServer server({answer_all});
  const auto with = [&server](const std::function<void(ClientRequest&)>& change) {
    auto changed = request(server.port(), "x");
    change(changed);
    return changed;
  };
  for (const auto& wrong : {
           with([](auto& r) { r.headers[1] = "Idempotency-Key: hunter2\r\nContent-Length: 0"; }),
           with([](auto& r) { r.headers[1] = "Idempotency-Key: hunter2\n"; }),
           with([](auto& r) { r.headers[1] = std::string("Idempotency-Key: hunter2\0", 25); }),
           with([](auto& r) { r.headers[1] = "Idempotency-Key: "; }),
           with([](auto& r) { r.headers[1] = "Idempotency-Key hunter2"; }),
           with([](auto& r) { r.headers[1] = "Idempotency Key: hunter2"; }),
           with([](auto& r) { r.headers[1] = ": hunter2"; }),
           with([](auto& r) { r.url += "?hunter2 x"; }),
           with([](auto& r) { r.url += "\r\nhunter2: x"; }),
           with([](auto& r) { r.url += '\0'; }),
           with([](auto& r) { r.url.clear(); }),
           with([](auto& r) { r.method = "GET /hunter2 HTTP/1.1\r\n"; }),
           with([](auto& r) { r.method.clear(); }),
       }) {
    const auto refused = send(wrong);
    ASSERT_FALSE(refused) << wrong.url << ' ' << wrong.headers[1];
    EXPECT_FALSE(refused.error().perhaps_sent);
    EXPECT_THAT(refused.error().reason, ::testing::Not(HasSubstr("hunter2")));
    const auto blocking = http::send(wrong);
    ASSERT_FALSE(blocking);
    EXPECT_EQ(blocking.error().reason, refused.error().reason);
    EXPECT_FALSE(blocking.error().perhaps_sent);
  }
  EXPECT_EQ(server.connections(), 0);
  EXPECT_TRUE(send(with([](auto& r) { r.headers[1] = "Idempotency-Key:\tkey\xc3\xa9 "; })));
}

TEST_F(AsyncClientTest, AnyStatusIsAnAnswer) {
  RawServer server({[](Peer& peer) {
    peer.read_request();
    peer.answer("broken", "500 Internal Server Error");
    peer.read_request();
    peer.answer("", "404 Not Found");
  }});
  EXPECT_EQ(send(request(server.port(), "x"))->status, 500);
  EXPECT_EQ(send(request(server.port()))->status, 404);
}

TEST_F(AsyncClientTest, AnAnswerComesWithItsHeadersAndNotThoseOfAnInterimOne) {
  RawServer server({[](Peer& peer) {
    peer.read_request();
    peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    peer.answer("{}", "200 OK", "transient-error: true\r\nIdempotency-Key:  key 1 \r\nEmpty:\r\n");
    peer.read_request();
    peer.answer("{}");
  }});
  const auto first = send(request(server.port(), "x"));
  ASSERT_TRUE(first);
  EXPECT_THAT(first->headers, ::testing::ElementsAre("Content-Length: 2", "transient-error: true",
                                                     "Idempotency-Key:  key 1 ", "Empty:"));
  EXPECT_THAT(send(request(server.port(), "x"))->headers, ::testing::ElementsAre("Content-Length: 2"))
      << "over the same connection";
}

// RFC 9112, 7.1.2. They are no header, and the answer is whole.
TEST_F(AsyncClientTest, FieldsBehindAChunkedBodyAreLeftOut) {
  RawServer server({[](Peer& peer) {
    peer.read_request();
    peer.send(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\n{}\r\n0\r\nIdempotency-Key: another\r\n\r\n");
    peer.read_request();
    peer.answer("{}");
  }});
  const auto first = send(request(server.port(), "x"));
  ASSERT_TRUE(first) << first.error().reason;
  EXPECT_EQ(first->body, "{}");
  EXPECT_THAT(first->headers, ::testing::ElementsAre("Transfer-Encoding: chunked"));
  EXPECT_TRUE(send(request(server.port(), "x"))) << "over the same connection";
}

TEST_F(AsyncClientTest, ARedirectIsAnAnswerAndNotFollowed) {
  RawServer server({[](Peer& peer) {
    peer.read_request();
    peer.answer("", "307 Temporary Redirect", "Location: /elsewhere\r\n");
    EXPECT_TRUE(peer.is_closed_by_client());
  }});
  EXPECT_EQ(send(request(server.port(), "x"))->status, 307);
  close();
  server.stop();
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(AsyncClientTest, KeepsTheConnectionForTheNextCall) {
  RawServer server({answer_all});
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(send(request(server.port(), "x")));
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(AsyncClientTest, AConnectionThatTheServerClosedIsReplacedBeforeItIsUsed) {
  std::atomic<bool> closed = false;
  RawServer server({[&closed](Peer& peer) {
                      peer.read_request();
                      peer.answer("first");
                      peer.close();
                      closed = true;
                    },
                    answer_all});
  EXPECT_EQ(send(request(server.port(), "x"))->body, "first");
  ASSERT_TRUE(eventually([&closed] { return closed.load(); }));
  EXPECT_EQ(send(request(server.port(), "x"))->body, "{}");
  EXPECT_EQ(server.connections(), 2);
}

// --- What was provably not sent ----------------------------------------------------------------

TEST_F(AsyncClientTest, ARefusedConnectionWasNotSent) {
  std::uint16_t port = 0;
  {
    RawServer gone({answer_all});
    port = gone.port();
  }
  const auto answer = send(request(port, "x"));
  ASSERT_FALSE(answer);
  EXPECT_FALSE(answer.error().perhaps_sent);
  EXPECT_FALSE(answer.error().reason.empty());
  EXPECT_EQ(answer.error().trouble, CallTrouble::not_connected);
}

TEST_F(AsyncClientTest, ANameThatDoesNotExistWasNotSent) {
  auto call = request(1, "x");
  // RFC 6761: names below "invalid" never exist.
  call.url = "http://psp.invalid/charges";
  const auto answer = send(call);
  ASSERT_FALSE(answer);
  EXPECT_FALSE(answer.error().perhaps_sent);
  EXPECT_EQ(answer.error().trouble, CallTrouble::name_not_found);
}

TEST_F(AsyncClientTest, AFailedTlsHandshakeWasNotSent) {
  RawServer server({[](Peer& peer) {
    peer.send("this is no TLS at all\r\n");
    peer.read_request();
  }});
  auto call = request(server.port(), "x");
  call.url.replace(0, 4, "https");
  const auto answer = send(call);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().trouble, CallTrouble::tls);
  EXPECT_FALSE(answer.error().perhaps_sent);
}

TEST_F(AsyncClientTest, ATlsHandshakeThatHangsWasNotSent) {
  RawServer server({[](Peer& peer) { EXPECT_FALSE(peer.is_closed_by_client()) << "a ClientHello comes"; }});
  auto call = request(server.port(), "x", milliseconds(100));
  call.url.replace(0, 4, "https");
  const auto answer = send(call);
  ASSERT_FALSE(answer);
  EXPECT_FALSE(answer.error().perhaps_sent);
}

TEST_F(AsyncClientTest, OtherProtocolsAreNotSpoken) {
  for (const auto* url : {"ftp://127.0.0.1/", "file:///etc/hostname", "gopher://127.0.0.1/"}) {
    auto call = request(1, "x");
    call.url = url;
    const auto answer = send(call);
    ASSERT_FALSE(answer) << url;
    EXPECT_FALSE(answer.error().perhaps_sent);
  }
}

TEST_F(AsyncClientTest, NothingIsBegunWithoutTime) {
  RawServer server({answer_all});
  const auto answer = send(request(server.port(), "x", milliseconds(0)));
  ASSERT_FALSE(answer);
  EXPECT_FALSE(answer.error().perhaps_sent);
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(AsyncClientTest, WhatWaitedForAConnectionUntilItsDeadlineWasNotSent) {
  threads_.run(0, [this]() -> Task<void> {
    client_.emplace(threads_.executor(0), AsyncClient::Options{.connections_max = 1});
    co_return;
  });
  std::promise<void> answered;
  RawServer server({[&answered](Peer& peer) {
    peer.read_request();
    answered.get_future().wait();
    peer.answer("{}");
    answer_all(peer);
  }});
  auto first = begin(request(server.port(), "x"));
  ASSERT_TRUE(eventually([&server] { return server.connections() == 1; }));
  const auto second = send(request(server.port(), "x", milliseconds(100)));
  ASSERT_FALSE(second);
  EXPECT_FALSE(second.error().perhaps_sent);
  answered.set_value();
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(send(request(server.port(), "x")));
  EXPECT_EQ(server.connections(), 1);
}

// --- What may have arrived ---------------------------------------------------------------------

struct Broken {
  const char* name;
  RawServer::Behaviour after_request;
};
void PrintTo(const Broken& broken, std::ostream* out) {
  *out << broken.name;
}

class AsyncClientBrokenTest : public AsyncClientTest, public ::testing::WithParamInterface<Broken> {};

TEST_P(AsyncClientBrokenTest, MayHaveBeenSentOverANewConnection) {
  RawServer server({[](Peer& peer) {
    EXPECT_FALSE(peer.read_request().empty());
    GetParam().after_request(peer);
  }});
  const auto answer = send(request(server.port(), "x", milliseconds(500)));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().perhaps_sent);
  EXPECT_FALSE(answer.error().reason.empty());
  server.stop();
  EXPECT_EQ(server.connections(), 1) << "it must not be sent again";
}

// libcurl would send again here, by itself, over a new connection.
TEST_P(AsyncClientBrokenTest, MayHaveBeenSentOverAKeptConnectionAndIsNotSentAgain) {
  std::atomic<int> requests = 0;
  RawServer server({[&requests](Peer& peer) {
                      peer.read_request();
                      peer.answer("{}");
                      if (!peer.read_request().empty()) ++requests;
                      GetParam().after_request(peer);
                    },
                    [&requests](Peer& peer) {
                      if (!peer.read_request().empty()) ++requests;
                    }});
  ASSERT_TRUE(send(request(server.port(), "x")));
  const auto answer = send(request(server.port(), "x", milliseconds(500)));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().perhaps_sent);
  close();
  server.stop();
  EXPECT_EQ(requests, 1);
}

// The PSP takes the request and dies: the refusal of libcurl's second connection says nothing about the
// first.
TEST_P(AsyncClientBrokenTest, MayHaveBeenSentAlthoughTheServerIsGoneAfterwards) {
  std::optional<RawServer> server;
  server.emplace(std::deque<RawServer::Behaviour>{[&server](Peer& peer) {
    peer.read_request();
    peer.answer("{}");
    peer.read_request();
    server->stop_listening();
    GetParam().after_request(peer);
  }});
  ASSERT_TRUE(send(request(server->port(), "x")));
  const auto answer = send(request(server->port(), "x", milliseconds(500)));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().perhaps_sent);
}

INSTANTIATE_TEST_SUITE_P(
    Endings, AsyncClientBrokenTest,
    ::testing::Values(
        Broken{"closed", [](Peer& peer) { peer.close(); }}, Broken{"reset", [](Peer& peer) { peer.reset(); }},
        Broken{"silence", [](Peer& peer) { EXPECT_TRUE(peer.is_closed_by_client()); }},
        Broken{"garbage", [](Peer& peer) { peer.send("\x01\x02 not HTTP at all\r\n\r\n"); }},
        Broken{"half_a_header", [](Peer& peer) { peer.send("HTTP/1.1 200 OK\r\nContent-Le"); }},
        Broken{"a_header_without_its_end",
               [](Peer& peer) { peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"); }},
        Broken{"half_a_body",
               [](Peer& peer) { peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"); }},
        Broken{"only_continue", [](Peer& peer) { peer.send("HTTP/1.1 100 Continue\r\n\r\n"); }},
        Broken{"large_body", [](Peer& peer) { peer.answer(std::string(1001, 'x')); }},
        Broken{"endless_body",
               [](Peer& peer) {
                 peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(5'000, 'x'));
               }},
        Broken{"large_header",
               [](Peer& peer) {
                 std::string headers;
                 for (int i = 0; i < 100; ++i) headers += "X-A: " + std::string(1000, 'x') + "\r\n";
                 peer.answer("{}", "200 OK", headers);
               }}),
    [](const auto& broken) { return broken.param.name; });

TEST_F(AsyncClientTest, AnAnswerMayBeAsLargeAsTheBound) {
  RawServer server({[](Peer& peer) {
    peer.read_request();
    peer.answer(std::string(1000, 'x'));
  }});
  EXPECT_EQ(send(request(server.port(), "x"))->body.size(), 1000);
}

TEST_F(AsyncClientTest, TheDeadlineHolds) {
  RawServer server({[](Peer& peer) {
    peer.read_request();
    EXPECT_TRUE(peer.is_closed_by_client()) << "a connection with an answer under way is not kept";
  }});
  const auto started = steady_clock::now();
  const auto answer = send(request(server.port(), "x", milliseconds(200)));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().perhaps_sent);
  EXPECT_EQ(answer.error().reason, "no answer in time");
  EXPECT_EQ(answer.error().trouble, CallTrouble::out_of_time);
  EXPECT_GE(steady_clock::now() - started, milliseconds(200));
  EXPECT_LT(steady_clock::now() - started, std::chrono::seconds(15));
}

// --- Many at once, and the end -----------------------------------------------------------------

TEST_F(AsyncClientTest, AThousandCallsAreUnderWayAtOnce) {
  constexpr int calls = 1000;
  IoThreads server_threads(1);
  telemetry::Metrics metrics;
  Router router(metrics, "test");
  std::atomic<int> waiting = 0;
  router.add(Method::post, "/echo", [&waiting](const Request& request) -> Task<Response> {
    ++waiting;
    while (waiting < calls) {
      SteadyTimer pause(co_await asio::this_coro::executor, milliseconds(10));
      co_await pause.async_wait(use_task);
    }
    Response response;
    response.body = request.body;
    co_return response;
  });
  Server server(server_threads, std::move(router), {.limits = {}});
  server.start();
  std::vector<std::future<CallResult>> answers;
  for (int i = 0; i < calls; ++i) {
    answers.push_back(begin(request(server.port(), "body " + std::to_string(i), milliseconds(60'000))));
  }
  for (int i = 0; i < calls; ++i) {
    const auto answer = answers[static_cast<std::size_t>(i)].get();
    ASSERT_TRUE(answer) << answer.error().reason;
    EXPECT_EQ(answer->body, "body " + std::to_string(i));
  }
}

TEST_F(AsyncClientTest, CallsUnderWayFailWhenTheClientGoes) {
  RawServer server({[](Peer& peer) {
    peer.read_request();
    EXPECT_TRUE(peer.is_closed_by_client());
  }});
  auto connected = begin(request(server.port(), "x"));
  ASSERT_TRUE(eventually([&server] { return server.connections() == 1; }));
  std::vector<std::future<CallResult>> others;
  for (int i = 0; i < 20; ++i) others.push_back(begin(request(server.port(), "x")));
  close();
  EXPECT_FALSE(connected.get());
  for (auto& other : others) EXPECT_FALSE(other.get());
}

TEST_F(AsyncClientTest, ACallThatIsCancelledEnds) {
  RawServer server({[](Peer& peer) {
    peer.read_request();
    EXPECT_TRUE(peer.is_closed_by_client());
  }});
  std::optional<CallResult> result;
  std::optional<TaskGroup> group;
  auto call = [&, wanted = request(server.port(), "x")]() -> Task<void> {
    result.emplace(co_await client_->send(wanted));
  };
  threads_.run(0, [&]() -> Task<void> {
    group.emplace(threads_.executor(0));
    group->spawn(std::move(call));
    co_return;
  });
  ASSERT_TRUE(eventually([&server] { return server.connections() == 1; }));
  threads_.run(0, [&]() -> Task<void> {
    group->cancel();
    co_await group->join_until(steady_clock::time_point::max());
    group.reset();
  });
  ASSERT_TRUE(result.has_value());
  EXPECT_FALSE(result->has_value());
}

// --- Base addresses ----------------------------------------------------------------------------

TEST(BaseUrl, IsHttpOrHttpsWithAHost) {
  for (const auto* url : {"http://127.0.0.1:5000", "https://psp.example", "https://psp.example/sandbox/",
                          "http://user:password@[::1]:8080/a"}) {
    EXPECT_EQ(problem_of_base_url(url), "") << url;
  }
  for (const auto* url :
       {"", "127.0.0.1:5000", "psp.example", "http:/psp.example", "http://", "http://:5000",
        "ftp://psp.example", "http://psp.example:port", "http://psp.example:99999", "http://psp.example/?a=b",
        "http://psp.example/#a", "http://psp example", "http://psp.example\n", "//psp.example"}) {
    EXPECT_NE(problem_of_base_url(url), "") << url;
  }
}

TEST(BaseUrl, ItsProblemDoesNotRepeatIt) {
  EXPECT_THAT(problem_of_base_url("ftp://user:hunter2@psp.example"), ::testing::Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace switchyard::http
