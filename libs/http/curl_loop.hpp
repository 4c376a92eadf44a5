// libcurl's multi interface driven by the event loop of one io thread, where all of it belongs.
//
// Shared by its owner, its transfers and the handlers that wait for its sockets, because a handler that was
// cancelled may still be queued when the owner goes. From close() on it does nothing any more.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <unordered_map>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <curl/curl.h>

#include "base/event.hpp"

namespace switchyard::http {

class CurlLoop : public std::enable_shared_from_this<CurlLoop> {
 public:
  // One easy handle in the loop. Stays where it is until it has ended or was removed.
  class Transfer {
   public:
    virtual ~Transfer() = default;
    virtual CURL* handle() const = 0;
    // The handle is out of the loop. Must not call the loop.
    virtual void ended(CURLcode code) = 0;
  };

  // `connections_max`: what is beyond waits for a connection to become free.
  CurlLoop(Executor executor, std::size_t connections_max);
  ~CurlLoop() { close(); }
  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;

  // False if it cannot be begun.
  bool add(Transfer& transfer);
  // Stops it, and closes its connection if it was using one; nothing happens if it has ended.
  void remove(Transfer& transfer);
  // Ends all transfers, closes all connections.
  void close();

 private:
  // A socket of libcurl's, lent to the event loop. Directions are libcurl's CURL_CSELECT_IN and _OUT.
  struct Watch {
    Watch(Executor executor, std::uint64_t id) : descriptor(executor), id(id) {}

    asio::posix::basic_stream_descriptor<Executor> descriptor;
    // Tells it from an earlier watch of the same file descriptor.
    std::uint64_t id;
    int wanted = 0;
    int waited_for = 0;
  };

  static int on_socket(CURL* handle, curl_socket_t socket, int what, void* loop, void* unused);
  static int on_timer(CURLM* multi, long timeout_ms, void* loop);

  bool watch(curl_socket_t socket, int directions);
  void unwatch(curl_socket_t socket);
  void wait_for(curl_socket_t socket, Watch& watch);
  void ready(curl_socket_t socket, std::uint64_t id, int direction, bool failed);
  void set_timer(long timeout_ms);
  void act(curl_socket_t socket, int events);

  const Executor executor_;
  CURLM* multi_;
  SteadyTimer timer_;
  std::unordered_map<curl_socket_t, Watch> watches_;
  std::uint64_t watches_made_ = 0;
  std::set<Transfer*> transfers_;
};

}  // namespace switchyard::http
