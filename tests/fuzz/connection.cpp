// A client's connection over a socket pair: any bytes, and requests that we wrote ourselves. However the
// stream is cut, the same requests are served and the same responses leave; what is served is within the
// bounds, and a request has one end.
#include "http/connection.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/beast/core/string.hpp>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz/input.hpp"
#include "telemetry/metrics.hpp"

namespace switchyard::fuzz {
namespace {

using http::Request;
using http::Response;

// Small, so that inputs reach them.
const http::Limits limits = [] {
  http::Limits small;
  small.header_bytes_max = 1024;
  small.body_bytes_max = 2048;
  return small;
}();

// More than one connection ever needs: it is never short of memory.
constexpr std::size_t buffered_bytes_max = 32 * 1024;

struct Served {
  std::string method;
  std::string path;
  std::string body;
  // As a header field: a trailer is none.
  bool has_x_trailer = false;

  friend bool operator==(const Served&, const Served&) = default;
};

// Of the connection at work; the handlers outlive it.
std::vector<Served> served;

void check_request(const Request& request) {
  SWITCHYARD_ASSERT(request.body.size() <= limits.body_bytes_max);
  std::size_t header_bytes = 0;
  for (const auto& field : request.headers) {
    header_bytes += field.name_string().size() + field.value().size();
    for (const char c : field.value()) SWITCHYARD_ASSERT(c != '\r' && c != '\n' && c != '\0');
  }
  SWITCHYARD_ASSERT(header_bytes <= limits.header_bytes_max);
  // RFC 9112, 6.1 and 6.3: any other coding, or two lengths, would hide where the request ends.
  SWITCHYARD_ASSERT(request.headers.count("Transfer-Encoding") <= 1 && request.headers.count("Host") <= 1);
  const auto coding = request.header("Transfer-Encoding");
  SWITCHYARD_ASSERT(coding.empty() || boost::beast::iequals({coding.data(), coding.size()}, "chunked"));
  SWITCHYARD_ASSERT(coding.empty() || request.headers.count("Content-Length") == 0);
}

Task<Response> serve(const Request& request) {
  check_request(request);
  const auto method = boost::beast::http::to_string(request.method);
  served.push_back({{method.data(), method.size()},
                    std::string(request.path),
                    std::string(request.body),
                    request.headers.count("X-Trailer") > 0});
  Response response;
  response.body = std::string(request.body);
  co_return response;
}

const http::Router& router() {
  static telemetry::Metrics metrics;
  static const auto made = [] {
    http::Router router(metrics, "fuzz");
    router.add(http::Method::post, "/{name}", &serve);
    router.add(http::Method::get, "/{name}", &serve);
    return router;
  }();
  return made;
}

struct Exchange {
  std::vector<Served> served;
  std::string output;
};

// Both ends of a stream: the server's in `socket`, the client's as a descriptor.
class Pair {
 public:
  explicit Pair(asio::io_context& context) : socket(context.get_executor()) {
    int ends[2];
    SWITCHYARD_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    socket.assign(asio::ip::tcp::v4(), ends[0]);
    client_ = ends[1];
  }
  ~Pair() { ::close(client_); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  // False once the server has closed.
  bool send(std::string_view bytes) { return ::send(client_, bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0; }
  void finish() { ::shutdown(client_, SHUT_WR); }
  void receive(std::string& output) {
    char buffer[4096];
    for (ssize_t size = 0; (size = ::recv(client_, buffer, sizeof(buffer), 0)) > 0;) {
      output.append(buffer, static_cast<std::size_t>(size));
    }
  }

  http::Socket socket;

 private:
  int client_ = -1;
};

// Sends `bytes` in pieces, of which the next one has `size_of_piece()` bytes, and then no more.
Exchange run_exchange(std::string_view bytes, const std::function<std::size_t()>& size_of_piece) {
  http::Drain drain;
  const http::Observer observer{.on_exception = [](std::string_view) { SWITCHYARD_ASSERT(false); }};
  Exchange done;
  served.clear();
  static asio::io_context context(1);
  context.restart();
  Pair pair(context);
  http::BufferBudget budget(buffered_bytes_max);
  // X-Forwarded-For is read of whoever this client is taken for.
  static const auto everybody = *http::TrustedProxies::parse("::/1");
  std::optional<http::Connection> connection;
  connection.emplace(std::move(pair.socket), router(), limits, everybody, budget, drain, observer);
  bool ended = false;
  asio::co_spawn(
      context, [&]() -> Task<void> { co_await connection->serve(); },
      [&ended](const std::exception_ptr& failure) {
        SWITCHYARD_ASSERT(failure == nullptr);
        ended = true;
      });
  const auto turn = [&] {
    while (context.poll() > 0) {
    }
    pair.receive(done.output);
  };
  turn();
  while (!bytes.empty() && !ended) {
    const auto piece = bytes.substr(0, size_of_piece());
    if (!pair.send(piece)) break;
    bytes.remove_prefix(piece.size());
    turn();
  }
  pair.finish();
  turn();
  // No client that is gone is waited for.
  SWITCHYARD_ASSERT(ended);
  connection.reset();
  SWITCHYARD_ASSERT(budget.bytes_in_use() == 0);
  done.served = served;
  return done;
}

// Takes a line off the front, without its line break.
std::string_view take_line(std::string_view& text) {
  const auto end = text.find("\r\n");
  SWITCHYARD_ASSERT(end != std::string_view::npos);
  const auto line = text.substr(0, end);
  text.remove_prefix(end + 2);
  return line;
}

struct Answer {
  int status = 0;
  bool closes = false;
  std::string_view body;

  friend bool operator==(const Answer&, const Answer&) = default;
};

// All that was answered; nothing may be left over. An interim response is an answer only to a client that
// waits for it.
std::vector<Answer> answers_of(std::string_view output, const std::vector<Served>& requests) {
  std::vector<Answer> answers;
  while (!output.empty()) {
    const auto status_line = take_line(output);
    SWITCHYARD_ASSERT(status_line.starts_with("HTTP/1.1 ") && status_line.size() >= 13);
    Answer answer;
    answer.status = std::stoi(std::string(status_line.substr(9, 3)));
    std::size_t length = 0;
    while (true) {
      const auto field = take_line(output);
      if (field.empty()) break;
      if (field.starts_with("Content-Length: ")) length = std::stoul(std::string(field.substr(16)));
      if (field == "Connection: close") answer.closes = true;
    }
    if (answer.status == 100) continue;
    // Of HEAD, which is served as GET, only the header; also of one that is refused, which we do not see. A
    // problem's body begins with a brace.
    const bool refused = answer.status >= 400 && (output.empty() || output.starts_with("HTTP/1.1 "));
    const bool head =
        refused || (answers.size() < requests.size() && requests[answers.size()].method == "HEAD");
    if (head) length = 0;
    SWITCHYARD_ASSERT(length <= output.size());
    answer.body = output.substr(0, length);
    output.remove_prefix(length);
    answers.push_back(answer);
  }
  return answers;
}

void check_answers(const Exchange& done) {
  const auto answers = answers_of(done.output, done.served);
  std::size_t ok = 0;
  for (const auto& answer : answers) {
    SWITCHYARD_ASSERT(!answer.closes || &answer == &answers.back());
    SWITCHYARD_ASSERT(answer.status == 200 || (answer.status >= 400 && answer.status < 600));
    SWITCHYARD_ASSERT(answer.status != 500 && answer.status != 503);
    if (answer.status != 200) continue;
    SWITCHYARD_ASSERT(ok < done.served.size());
    const auto& request = done.served[ok++];
    SWITCHYARD_ASSERT(answer.body == (request.method == "HEAD" ? "" : request.body));
  }
  SWITCHYARD_ASSERT(ok == done.served.size());
}

bool same(const Exchange& left, const Exchange& right) {
  return left.served == right.served &&
         answers_of(left.output, left.served) == answers_of(right.output, right.served);
}

// Cuts of one and the same stream.
class Cuts {
 public:
  explicit Cuts(Input& input) : first_(1 + input.below(97)), second_(1 + input.below(13)) {}

  // The exchange of the stream in one piece.
  Exchange exchange_all(std::string_view bytes) const {
    const auto whole = run_exchange(bytes, [&bytes] { return bytes.size(); });
    check_answers(whole);
    bool odd = false;
    const auto pieces = run_exchange(bytes, [&] { return (odd = !odd) ? first_ : second_; });
    SWITCHYARD_ASSERT(same(pieces, whole));
    if (bytes.size() <= bytes_one_by_one_max) {
      const auto by_byte = run_exchange(bytes, [] { return std::size_t{1}; });
      SWITCHYARD_ASSERT(same(by_byte, whole));
    }
    return whole;
  }

 private:
  static constexpr std::size_t bytes_one_by_one_max = 256;
  std::size_t first_;
  std::size_t second_;
};

// The body as RFC 9112, 7.1 has it, with an extension and a trailer if they are asked for.
std::string chunked(std::string_view body, std::size_t chunk_bytes, bool extras) {
  std::string text;
  while (!body.empty()) {
    const auto chunk = body.substr(0, chunk_bytes);
    text += fmt::format("{:x}{}\r\n{}\r\n", chunk.size(), extras && text.empty() ? ";a=\"b\"" : "", chunk);
    body.remove_prefix(chunk.size());
  }
  return text + (extras ? "0;c\r\nX-Trailer: 1\r\n\r\n" : "0\r\n\r\n");
}

// Requests with the lines of the input as bodies, one behind the other on one connection: each is served, as
// it is.
void check_written(Input input, const Cuts& cuts) {
  constexpr std::size_t requests_max = 4;
  const auto framings = input.number<std::uint8_t>();
  const auto chunk_bytes = 1 + input.below(40);
  std::vector<Served> expected;
  std::string stream;
  for (std::size_t i = 0; i < requests_max; ++i) {
    const auto body = input.line().substr(0, limits.body_bytes_max);
    stream += fmt::format("POST /{} HTTP/1.1\r\nHost: a\r\n", i);
    if ((framings >> (2 * i) & 1) != 0) {
      stream += "Transfer-Encoding: chunked\r\n\r\n";
      stream += chunked(body, chunk_bytes, (framings >> (2 * i + 1) & 1) != 0);
    } else {
      stream += fmt::format("Content-Length: {}\r\n\r\n{}", body.size(), body);
    }
    expected.push_back({"POST", fmt::format("/{}", i), std::string(body), false});
  }
  SWITCHYARD_ASSERT(cuts.exchange_all(stream).served == expected);
}

}  // namespace

// What comes over the connection, as it is; and its lines as the bodies of requests.
void check(Input input) {
  const Cuts cuts(input);
  auto as_bodies = input;
  cuts.exchange_all(input.rest());
  check_written(as_bodies, cuts);
}

}  // namespace switchyard::fuzz
