#include "redis/client.hpp"

#include <cstdlib>
#include <future>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "redis/sentinel.hpp"
#include "redis/testing.hpp"

namespace switchyard::redis {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using switchyard::testing::eventually;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Server;
using ::testing::SizeIs;

Deadline soon() {
  return steady_clock::now() + milliseconds(300);
}
// Only what hangs reaches it.
Deadline much_later() {
  return steady_clock::now() + seconds(30);
}

class RedisClientTest : public ::testing::Test {
 protected:
  void SetUp() override { SWITCHYARD_SKIP_WITHOUT_REDIS(); }
  ~RedisClientTest() override {
    if (client_) stop();
  }

  void start(const std::string& url, Client::Callbacks callbacks = {}, ConnectionLimits limits = {}) {
    callbacks.on_lost = [this](const Error& error) {
      const std::lock_guard lock(mutex_);
      losses_.push_back(error.detail);
    };
    client_.emplace(threads_.executor(0), parse_url(url), std::move(callbacks), limits);
    threads_.run(0, [this]() -> Task<void> {
      client_->start();
      co_return;
    });
  }
  void stop() {
    threads_.run(0, [this] { return client_->stop(); });
    threads_.run(0, [this]() -> Task<void> {
      client_.reset();
      co_return;
    });
  }

  bool is_ready() {
    return threads_.run(0, [this]() -> Task<bool> { co_return client_->is_ready(); });
  }
  bool becomes_ready() {
    return eventually([this] { return is_ready(); });
  }
  std::vector<std::string> losses() {
    const std::lock_guard lock(mutex_);
    return losses_;
  }

  std::future<std::vector<Result<Reply>>> begin(Commands one, Deadline deadline) {
    return asio::co_spawn(
        threads_.executor(0),
        [this, one, deadline]() -> Task<std::vector<Result<Reply>>> {
          auto reply = co_await client_->command(one, deadline);
          // Result has no default constructor, which a future needs.
          std::vector<Result<Reply>> result;
          result.push_back(std::move(reply));
          co_return result;
        },
        asio::use_future);
  }
  Result<Reply> command(Commands one, Deadline deadline = much_later()) {
    return begin(std::move(one), deadline).get().front();
  }

  IoThreads threads_{1};
  std::optional<Client> client_;
  std::mutex mutex_;
  std::vector<std::string> losses_;
};

TEST_F(RedisClientTest, AsksAndIsAnswered) {
  const Server server;
  start(server.url());
  ASSERT_TRUE(becomes_ready());
  EXPECT_TRUE(command({"SET", "key", "value"})->is("OK"));
  EXPECT_EQ(command({"GET", "key"})->text, "value");
  EXPECT_TRUE(command({"GET", "other"})->is_nil());
}

TEST_F(RedisClientTest, AnErrorReplyIsAValue) {
  const Server server;
  start(server.url());
  ASSERT_TRUE(becomes_ready());
  ASSERT_TRUE(command({"SET", "key", "value"}));
  const auto reply = command({"LPUSH", "key", "x"});
  ASSERT_TRUE(reply);
  EXPECT_TRUE(reply->is_error());
  EXPECT_THAT(reply->text, HasSubstr("WRONGTYPE"));
  EXPECT_THAT(require_no_error(*reply).error().detail, HasSubstr("WRONGTYPE"));
  EXPECT_TRUE(is_ready()) << "the connection goes on";
}

TEST_F(RedisClientTest, KeepsTheOrderOfAPipeline) {
  const Server server;
  start(server.url());
  ASSERT_TRUE(becomes_ready());
  Commands commands;
  for (int i = 0; i < 1'000; ++i) commands.add({"ECHO", std::to_string(i)});
  const auto replies = threads_.run(0, [&]() -> Task<std::vector<Reply>> {
    const auto result = co_await client_->pipeline(commands, much_later());
    co_return result.value();
  });
  ASSERT_THAT(replies, SizeIs(1'000));
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(replies[static_cast<std::size_t>(i)].text, std::to_string(i));
}

TEST_F(RedisClientTest, GivesEachOfManyCallersItsOwnReply) {
  const Server server;
  start(server.url());
  ASSERT_TRUE(becomes_ready());
  std::vector<std::future<std::vector<Result<Reply>>>> replies;
  for (int i = 0; i < 500; ++i) replies.push_back(begin({"ECHO", std::to_string(i)}, much_later()));
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(replies[static_cast<std::size_t>(i)].get().front()->text, std::to_string(i));
  }
}

TEST_F(RedisClientTest, CarriesLargeValues) {
  const Server server;
  start(server.url());
  ASSERT_TRUE(becomes_ready());
  const std::string large(5'000'000, 'x');
  ASSERT_TRUE(command({"SET", "key", large}));
  EXPECT_EQ(command({"GET", "key"})->text, large);
}

TEST_F(RedisClientTest, ChoosesTheDatabaseAndGivesThePassword) {
  const Server server({"--requirepass", "se cret"});
  start(fmt::format("redis://:se%20cret@127.0.0.1:{}/5", server.port()));
  ASSERT_TRUE(becomes_ready());
  EXPECT_THAT(command({"CLIENT", "INFO"})->text, HasSubstr(" db=5 "));
}

TEST_F(RedisClientTest, TellsAWrongPasswordOnceAndGoesOnTrying) {
  const Server server({"--requirepass", "secret"});
  start(fmt::format("redis://:wrong@127.0.0.1:{}/0", server.port()));
  EXPECT_TRUE(eventually([this] { return !losses().empty(); }));
  EXPECT_THAT(losses(), ElementsAre(HasSubstr("WRONGPASS")));
  const auto refused = command({"PING"});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("WRONGPASS"));
}

TEST_F(RedisClientTest, SpeaksThroughASocketOfThisMachine) {
  const testing::Server server({"--unixsocket", "redis.sock"});
  start("unix://" + server.file("redis.sock"));
  ASSERT_TRUE(becomes_ready());
  EXPECT_TRUE(command({"PING"})->is("PONG"));
}

TEST_F(RedisClientTest, RefusesAtOnceWhileThereIsNoConnection) {
  start(fmt::format("redis://127.0.0.1:{}", testing::free_port()));
  const auto refused = command({"PING"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::queue_unavailable);
  EXPECT_TRUE(eventually([this] { return !losses().empty(); }));
  EXPECT_THAT(losses(), ElementsAre(HasSubstr("cannot be reached")));
}

TEST_F(RedisClientTest, ComesBackWhenTheServerDoes) {
  Server server;
  start(server.url());
  ASSERT_TRUE(becomes_ready());
  server.stop();
  EXPECT_TRUE(eventually([this] { return !is_ready(); }));
  EXPECT_FALSE(command({"PING"}));
  server.start();
  ASSERT_TRUE(becomes_ready());
  EXPECT_TRUE(command({"PING"})->is("PONG"));
  EXPECT_THAT(losses(), SizeIs(1)) << "told once";
}

TEST_F(RedisClientTest, WhatIsOnItsWayWhenTheServerDiesIsUnknown) {
  Server server;
  start(server.url());
  ASSERT_TRUE(becomes_ready());
  auto waiting = begin({"BLPOP", "list", "30"}, much_later());
  auto behind = begin({"PING"}, much_later());
  EXPECT_TRUE(eventually([&] {
    return server.command({"INFO", "clients"}).text.find("blocked_clients:1") != std::string::npos;
  }));
  server.stop();
  for (auto* reply : {&waiting, &behind}) {
    const auto failed = reply->get().front();
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::queue_unavailable);
    EXPECT_THAT(failed.error().detail, HasSubstr("may have been done"));
  }
}

TEST_F(RedisClientTest, AServerThatHangsMissesTheDeadline) {
  Server server;
  start(server.url());
  ASSERT_TRUE(becomes_ready());
  server.freeze();
  const auto began = steady_clock::now();
  const auto late = command({"PING"}, soon());
  ASSERT_FALSE(late);
  EXPECT_THAT(late.error().detail, HasSubstr("in time"));
  EXPECT_LT(steady_clock::now() - began, seconds(10));
  server.thaw();
  ASSERT_TRUE(becomes_ready());
  EXPECT_TRUE(command({"PING"})->is("PONG")) << "on a new connection";
}

TEST_F(RedisClientTest, BoundsWhatIsOnItsWay) {
  Server server;
  start(server.url(), {}, {.reply = {}, .commands_max = 10});
  ASSERT_TRUE(becomes_ready());
  server.freeze();
  auto first = begin({"PING"}, much_later());
  Commands many;
  for (int i = 0; i < 10; ++i) many.add({"PING"});
  const auto refused = threads_.run(0, [&]() -> Task<bool> {
    const auto result = co_await client_->pipeline(many, much_later());
    co_return !result && result.error().code == ErrorCode::overloaded;
  });
  EXPECT_TRUE(refused);
  server.thaw();
  EXPECT_TRUE(first.get().front()->is("PONG"));
}

TEST_F(RedisClientTest, HandsOverMessagesOfASubscription) {
  const Server server;
  std::vector<std::string> messages;
  start(server.url(), {.on_connected = [](Connection& connection) -> Task<Result<void>> {
                         Commands subscribe{"SUBSCRIBE", "channel"};
                         const auto reply = co_await connection.command(std::move(subscribe), much_later());
                         co_return reply ? require_no_error(*reply) : std::unexpected(reply.error());
                       },
                       .on_message =
                           [&](const Reply& message) {
                             const std::lock_guard lock(mutex_);
                             messages.push_back(message.elements.at(2).text);
                           },
                       .on_lost = {},
                       .on_ready = {}});
  ASSERT_TRUE(becomes_ready());
  EXPECT_EQ(server.command({"PUBLISH", "channel", "one"}).integer, 1);
  EXPECT_EQ(server.command({"PUBLISH", "channel", "two"}).integer, 1);
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex_);
    return messages.size() == 2;
  }));
  EXPECT_THAT(messages, ElementsAre("one", "two"));
}

TEST_F(RedisClientTest, CanBeStoppedAtAnyTime) {
  Server server;
  for (int i = 0; i < 20; ++i) {
    start(server.url());
    if (i % 2 == 0) {
      EXPECT_TRUE(becomes_ready());
    }
    auto waiting = begin({"BLPOP", "list", "30"}, much_later());
    stop();
    EXPECT_FALSE(waiting.get().front());
  }
}

class RedisTlsTest : public RedisClientTest {
 protected:
  // A server whose certificate names `host`, which an authority of its own has signed.
  void start_server(const std::string& host) {
    const auto make = fmt::format(
        "cd '{0}' && exec >openssl.log 2>&1 && "
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=test-ca && "
        "openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server && "
        "printf 'subjectAltName={1}' > san && "
        "openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile san "
        "-out server.crt",
        folder_.file(""), host);
    if (std::system(make.c_str()) != 0) GTEST_SKIP() << "openssl cannot make certificates here";
    tls_port_ = testing::free_port();
    server_.emplace(std::vector<std::string>{"--tls-port", std::to_string(tls_port_), "--tls-cert-file",
                                             folder_.file("server.crt"), "--tls-key-file",
                                             folder_.file("server.key"), "--tls-ca-cert-file",
                                             folder_.file("ca.crt"), "--tls-auth-clients", "no"});
  }
  std::string url(const std::string& host) const { return fmt::format("rediss://{}:{}/0", host, tls_port_); }
  void trust_the_authority() const { ::setenv("SSL_CERT_FILE", folder_.file("ca.crt").c_str(), 1); }
  ~RedisTlsTest() override { ::unsetenv("SSL_CERT_FILE"); }

  switchyard::testing::TempDir folder_;
  std::uint16_t tls_port_ = 0;
  std::optional<Server> server_;
};

TEST_F(RedisTlsTest, SpeaksTlsWithACertificateForTheHost) {
  start_server("IP:127.0.0.1,DNS:localhost");
  if (IsSkipped()) return;
  trust_the_authority();
  start(url("127.0.0.1"));
  ASSERT_TRUE(becomes_ready()) << ::testing::PrintToString(losses());
  EXPECT_TRUE(command({"PING"})->is("PONG"));
}

TEST_F(RedisTlsTest, RefusesACertificateForAnotherHost) {
  start_server("DNS:other.example");
  if (IsSkipped()) return;
  trust_the_authority();
  start(url("127.0.0.1"));
  EXPECT_TRUE(eventually([this] { return !losses().empty(); }));
  EXPECT_THAT(losses(), ElementsAre(HasSubstr("TLS")));
  EXPECT_FALSE(is_ready());
}

TEST_F(RedisTlsTest, RefusesAnAuthorityThatIsNotTrusted) {
  start_server("IP:127.0.0.1");
  if (IsSkipped()) return;
  start(url("127.0.0.1"));
  EXPECT_TRUE(eventually([this] { return !losses().empty(); }));
  EXPECT_THAT(losses(), ElementsAre(HasSubstr("TLS")));
}

class RedisSentinelTest : public RedisClientTest {
 protected:
  void watch(const Server& master) {
    const auto path = folder_.file("sentinel.conf");
    auto* file = std::fopen(path.c_str(), "w");
    fmt::print(file,
               "sentinel monitor mymaster 127.0.0.1 {} 1\nsentinel down-after-milliseconds mymaster 300\n"
               "sentinel failover-timeout mymaster 2000\n",
               master.port());
    std::fclose(file);
    sentinel_port_ = testing::free_port();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const auto port = std::to_string(sentinel_port_);
      const auto log = folder_.file("sentinel.log");
      ::execl(testing::server_path(), "redis-sentinel", path.c_str(), "--sentinel", "--port", port.c_str(),
              "--bind", "127.0.0.1", "--logfile", log.c_str(), nullptr);
      ::_exit(127);
    }
    EXPECT_TRUE(eventually([this] { return testing::BlockingConnection(sentinel_port_).command({"PING"}); }));
  }
  ~RedisSentinelTest() override {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::string url() const {
    // The first of them does not answer.
    return fmt::format("redis+sentinel://127.0.0.1:{},127.0.0.1:{}/mymaster/0", testing::free_port(),
                       sentinel_port_);
  }
  Reply ask_sentinel(const Commands& question) const {
    return testing::BlockingConnection(sentinel_port_).command(question).value_or(Reply());
  }

  switchyard::testing::TempDir folder_;
  std::uint16_t sentinel_port_ = 0;
  pid_t pid_ = 0;
};

TEST_F(RedisSentinelTest, FollowsTheMaster) {
  Server first;
  const Server second({"--replicaof", fmt::format("127.0.0.1 {}", first.port())});
  watch(first);
  start(url());
  ASSERT_TRUE(becomes_ready());
  EXPECT_TRUE(command({"SET", "key", "first"})->is("OK"));
  EXPECT_TRUE(eventually([&] {
    return ask_sentinel({"SENTINEL", "REPLICAS", "mymaster"}).elements.size() == 1 &&
           second.command({"GET", "key"}).text == "first";
  }));
  first.stop();
  EXPECT_TRUE(eventually([&] { return is_ready() && command({"SET", "key", "second"}, much_later()); }));
  EXPECT_EQ(second.command({"GET", "key"}).text, "second");
}

TEST_F(RedisSentinelTest, DoesNotTakeAReplicaForTheMaster) {
  const Server master;
  const Server replica({"--replicaof", fmt::format("127.0.0.1 {}", master.port())});
  const auto result = threads_.run(0, [&]() -> Task<std::string> {
    const auto url = parse_url(replica.url());
    auto stream = co_await connect(threads_.executor(0), url, url.endpoints.front(), much_later());
    Connection connection(threads_.executor(0), std::move(stream.value()));
    const auto is_master = co_await require_master(connection, much_later());
    co_await connection.close();
    co_return is_master ? "master" : is_master.error().detail;
  });
  EXPECT_THAT(result, HasSubstr("not the master"));
}

TEST_F(RedisSentinelTest, SaysThatNoSentinelKnowsTheService) {
  const Server master;
  watch(master);
  start(fmt::format("redis+sentinel://127.0.0.1:{}/other", sentinel_port_));
  EXPECT_TRUE(eventually([this] { return !losses().empty(); }));
  EXPECT_THAT(losses(), ElementsAre(HasSubstr("other")));
}

}  // namespace
}  // namespace switchyard::redis
