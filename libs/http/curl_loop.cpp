#include "http/curl_loop.hpp"

#include <utility>

#include "base/assert.hpp"

namespace switchyard::http {

static_assert(CURL_POLL_IN == CURL_CSELECT_IN && CURL_POLL_OUT == CURL_CSELECT_OUT &&
              CURL_POLL_INOUT == (CURL_CSELECT_IN | CURL_CSELECT_OUT));

CurlLoop::CurlLoop(Executor executor, std::size_t connections_max)
    : executor_(executor), multi_(curl_multi_init()), timer_(executor) {
  SWITCHYARD_ASSERT(multi_ != nullptr);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
  const auto connections = static_cast<long>(connections_max);
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
  // Kept when idle.
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, connections);
}

bool CurlLoop::add(Transfer& transfer) {
  if (multi_ == nullptr) return false;
  curl_easy_setopt(transfer.handle(), CURLOPT_PRIVATE, &transfer);
  if (curl_multi_add_handle(multi_, transfer.handle()) != CURLM_OK) return false;
  transfers_.insert(&transfer);
  return true;
}

void CurlLoop::remove(Transfer& transfer) {
  if (transfers_.erase(&transfer) == 1) curl_multi_remove_handle(multi_, transfer.handle());
}

void CurlLoop::close() {
  if (multi_ == nullptr) return;
  for (auto* transfer : std::exchange(transfers_, {})) {
    curl_multi_remove_handle(multi_, transfer->handle());
    transfer->ended(CURLE_ABORTED_BY_CALLBACK);
  }
  curl_multi_cleanup(std::exchange(multi_, nullptr));
  for (auto& [socket, watch] : watches_) watch.descriptor.release();
  watches_.clear();
  timer_.cancel();
}

int CurlLoop::on_socket(CURL*, curl_socket_t socket, int what, void* loop, void*) {
  auto& self = *static_cast<CurlLoop*>(loop);
  if (what != CURL_POLL_REMOVE) return self.watch(socket, what) ? 0 : -1;
  self.unwatch(socket);
  return 0;
}

int CurlLoop::on_timer(CURLM*, long timeout_ms, void* loop) {
  static_cast<CurlLoop*>(loop)->set_timer(timeout_ms);
  return 0;
}

bool CurlLoop::watch(curl_socket_t socket, int directions) {
  const auto [found, added] = watches_.try_emplace(socket, executor_, ++watches_made_);
  auto& watch = found->second;
  if (added) {
    boost::system::error_code error;
    watch.descriptor.assign(socket, error);
    if (error) {
      watches_.erase(found);
      return false;
    }
  }
  watch.wanted = directions;
  wait_for(socket, watch);
  return true;
}

void CurlLoop::unwatch(curl_socket_t socket) {
  const auto found = watches_.find(socket);
  if (found == watches_.end()) return;
  // The socket is libcurl's: it closes it, or keeps it for the next request.
  found->second.descriptor.release();
  watches_.erase(found);
}

void CurlLoop::wait_for(curl_socket_t socket, Watch& watch) {
  using Descriptor = asio::posix::descriptor_base;
  for (const int direction : {CURL_CSELECT_IN, CURL_CSELECT_OUT}) {
    if ((watch.wanted & ~watch.waited_for & direction) == 0) continue;
    watch.waited_for |= direction;
    watch.descriptor.async_wait(
        direction == CURL_CSELECT_IN ? Descriptor::wait_read : Descriptor::wait_write,
        [loop = shared_from_this(), socket, id = watch.id, direction](boost::system::error_code error) {
          loop->ready(socket, id, direction, static_cast<bool>(error));
        });
  }
}

void CurlLoop::ready(curl_socket_t socket, std::uint64_t id, int direction, bool failed) {
  auto found = watches_.find(socket);
  if (found == watches_.end() || found->second.id != id) return;
  found->second.waited_for &= ~direction;
  if ((found->second.wanted & direction) == 0) return;
  act(socket, failed ? CURL_CSELECT_ERR : direction);
  found = watches_.find(socket);
  if (found != watches_.end() && found->second.id == id) wait_for(socket, found->second);
}

void CurlLoop::set_timer(long timeout_ms) {
  timer_.cancel();
  if (timeout_ms < 0) return;
  timer_.expires_after(std::chrono::milliseconds(timeout_ms));
  timer_.async_wait([loop = shared_from_this()](boost::system::error_code error) {
    if (!error) loop->act(CURL_SOCKET_TIMEOUT, 0);
  });
}

void CurlLoop::act(curl_socket_t socket, int events) {
  if (multi_ == nullptr) return;
  int running = 0;
  curl_multi_socket_action(multi_, socket, events, &running);
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    // The message is gone with the handle.
    const CURLcode code = message->data.result;
    void* ended = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &ended);
    auto* transfer = static_cast<Transfer*>(ended);
    remove(*transfer);
    transfer->ended(code);
  }
}

}  // namespace switchyard::http
