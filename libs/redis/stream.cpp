#include "redis/stream.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <fmt/format.h>

namespace switchyard::redis {
namespace {

namespace beast = boost::beast;
using asio::ip::tcp;
using asio::local::stream_protocol;
using boost::system::error_code;

// Beast's stream ends an operation at a time, which is what connecting needs.
using TcpStream = beast::basic_stream<tcp, Executor>;
using LocalStream = beast::basic_stream<stream_protocol, Executor>;
using TlsStream = beast::ssl_stream<TcpStream>;
using Resolver = asio::ip::basic_resolver<tcp, Executor>;

Error broken(std::string_view what, const error_code& code) {
  return {ErrorCode::queue_unavailable, fmt::format("{}: {}", what, code.message())};
}

template <class Layers>
class LayeredStream final : public Stream {
 public:
  template <class... Arguments>
  explicit LayeredStream(Arguments&&... arguments) : layers_(std::forward<Arguments>(arguments)...) {}

  Task<Result<std::size_t>> read_some(asio::mutable_buffer buffer) override {
    const auto [code, size] = co_await layers_.async_read_some(buffer, use_tuple);
    if (code) co_return std::unexpected(broken("the connection to Redis was lost", code));
    co_return size;
  }

  Task<Result<void>> write(asio::const_buffer bytes) override {
    const auto [code, size] = co_await asio::async_write(layers_, bytes, use_tuple);
    if (code) co_return std::unexpected(broken("the connection to Redis was lost", code));
    co_return Result<void>();
  }

  void close() override {
    error_code ignored;
    lowest().socket().close(ignored);
  }

  std::string local_address() const override {
    if constexpr (std::is_same_v<Layers, LocalStream>) {
      return {};
    } else {
      error_code code;
      const auto endpoint = beast::get_lowest_layer(layers_).socket().local_endpoint(code);
      return code ? std::string() : fmt::format("{}:{}", endpoint.address().to_string(), endpoint.port());
    }
  }

  Layers& layers() { return layers_; }
  auto& lowest() { return beast::get_lowest_layer(layers_); }

 private:
  Layers layers_;
};

Task<Result<tcp::resolver::results_type>> resolve(Executor executor, Endpoint endpoint) {
  Resolver resolver(executor);
  const auto port = std::to_string(endpoint.port);
  auto [code, results] = co_await resolver.async_resolve(endpoint.host, port, use_tuple);
  if (code) co_return std::unexpected(broken(fmt::format("the name {} is not found", endpoint.host), code));
  co_return std::move(results);
}

Task<Result<void>> connect_tcp(TcpStream& stream, Executor executor, Endpoint endpoint, Deadline deadline) {
  const auto results = co_await resolve(executor, endpoint);
  if (!results) co_return std::unexpected(results.error());
  stream.expires_at(deadline);
  const auto [code, reached] = co_await stream.async_connect(*results, use_tuple);
  if (code) {
    co_return std::unexpected(
        broken(fmt::format("{}:{} cannot be reached", endpoint.host, endpoint.port), code));
  }
  error_code ignored;
  stream.socket().set_option(tcp::no_delay(true), ignored);
  stream.socket().set_option(asio::socket_base::keep_alive(true), ignored);
  co_return Result<void>();
}

Task<Result<void>> shake_hands(TlsStream& stream, Endpoint endpoint) {
  stream.set_verify_mode(asio::ssl::verify_peer);
  stream.set_verify_callback(asio::ssl::host_name_verification(endpoint.host));
  error_code not_an_address;
  asio::ip::make_address(endpoint.host, not_an_address);
  // A server name is a name, never an address (RFC 6066, 3).
  if (not_an_address) SSL_set_tlsext_host_name(stream.native_handle(), endpoint.host.c_str());
  const auto [code] = co_await stream.async_handshake(asio::ssl::stream_base::client, use_tuple);
  if (code) co_return std::unexpected(broken(fmt::format("TLS with {} failed", endpoint.host), code));
  co_return Result<void>();
}

// Kept by the stream, whose layers use it to the end.
struct TlsConnection {
  TlsConnection() : context(asio::ssl::context::tls_client) { context.set_default_verify_paths(); }
  asio::ssl::context context;
};

class TlsLayers final : private TlsConnection, public Stream {
 public:
  explicit TlsLayers(Executor executor) : stream_(executor, context) {}

  Task<Result<std::size_t>> read_some(asio::mutable_buffer buffer) override {
    return stream_.read_some(buffer);
  }
  Task<Result<void>> write(asio::const_buffer bytes) override { return stream_.write(bytes); }
  void close() override { stream_.close(); }
  std::string local_address() const override { return stream_.local_address(); }

  LayeredStream<TlsStream>& stream() { return stream_; }

 private:
  LayeredStream<TlsStream> stream_;
};

using Connected = Result<std::unique_ptr<Stream>>;

Task<Connected> connect_socket(Executor executor, std::string path, Deadline deadline) {
  auto stream = std::make_unique<LayeredStream<LocalStream>>(executor);
  stream->layers().expires_at(deadline);
  const stream_protocol::endpoint endpoint(path);
  const auto [code] = co_await stream->layers().async_connect(endpoint, use_tuple);
  if (code) co_return std::unexpected(broken(fmt::format("{} cannot be reached", path), code));
  stream->layers().expires_never();
  co_return Connected(std::move(stream));
}

Task<Connected> connect_plain(Executor executor, Endpoint endpoint, Deadline deadline) {
  auto stream = std::make_unique<LayeredStream<TcpStream>>(executor);
  const auto connected = co_await connect_tcp(stream->layers(), executor, endpoint, deadline);
  if (!connected) co_return std::unexpected(connected.error());
  stream->layers().expires_never();
  co_return Connected(std::move(stream));
}

Task<Connected> connect_tls(Executor executor, Endpoint endpoint, Deadline deadline) {
  auto stream = std::make_unique<TlsLayers>(executor);
  auto& lowest = stream->stream().lowest();
  const auto connected = co_await connect_tcp(lowest, executor, endpoint, deadline);
  if (!connected) co_return std::unexpected(connected.error());
  const auto shaken = co_await shake_hands(stream->stream().layers(), endpoint);
  if (!shaken) co_return std::unexpected(shaken.error());
  lowest.expires_never();
  co_return Connected(std::move(stream));
}

}  // namespace

Task<Connected> connect(Executor executor, Url url, Endpoint endpoint, Deadline deadline) {
  if (!url.socket_path.empty()) {
    co_return co_await connect_socket(executor, std::move(url.socket_path), deadline);
  }
  if (url.tls) co_return co_await connect_tls(executor, std::move(endpoint), deadline);
  co_return co_await connect_plain(executor, std::move(endpoint), deadline);
}

}  // namespace switchyard::redis
