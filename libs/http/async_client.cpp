#include "http/async_client.hpp"

#include <algorithm>
#include <optional>

#include "base/ascii.hpp"
#include "base/event.hpp"
#include "http/curl_handle.hpp"
#include "http/curl_loop.hpp"

namespace switchyard::http {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t response_header_bytes_max = 64 * 1024;
// Below what servers keep an idle connection for, so that few requests meet one that is just being closed.
constexpr long idle_connection_s_max = 30;
// Of a call, for as long as it waits for its answer; libcurl's own is 16 KiB, more than most answers need.
constexpr long receive_buffer_bytes = 4 * 1024;

// Lives in the coroutine's frame.
class Call final : public CurlLoop::Transfer {
 public:
  Call(Executor executor, std::shared_ptr<CurlLoop> loop, ClientRequest request,
       std::size_t response_bytes_max);
  ~Call() override { loop_->remove(*this); }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Task<CallResult> carry_out();

  CURL* handle() const override { return handle_.get(); }
  void ended(CURLcode code) override;

 private:
  static int before_sending(void* call, char*, char*, int, int);
  static std::size_t on_header(char* bytes, std::size_t, std::size_t count, void* call);
  static std::size_t on_body(char* bytes, std::size_t, std::size_t count, void* call);
  CallFailure failure(std::string reason, CallTrouble trouble = CallTrouble::other) const {
    return {perhaps_sent_, std::move(reason), trouble};
  }
  std::string reason_of(CURLcode code) const;
  CallTrouble trouble_of(CURLcode code) const;

  const steady_clock::time_point deadline_;
  std::shared_ptr<CurlLoop> loop_;
  const ClientRequest request_;
  const CurlHeaders headers_;
  const std::size_t response_bytes_max_;
  CurlHandle handle_;
  Event ended_;
  std::optional<CURLcode> code_;
  ClientResponse response_;
  std::size_t header_bytes_ = 0;
  bool header_is_whole_ = false;
  bool perhaps_sent_ = false;
  bool stopped_before_resend_ = false;
  bool too_large_ = false;
  char error_text_[CURL_ERROR_SIZE] = {};
};

Call::Call(Executor executor, std::shared_ptr<CurlLoop> loop, ClientRequest request,
           std::size_t response_bytes_max)
    : deadline_(steady_clock::now() + request.timeout),
      loop_(std::move(loop)),
      request_(std::move(request)),
      headers_(make_curl_headers(request_.headers)),
      response_bytes_max_(response_bytes_max),
      handle_(make_curl_handle()),
      ended_(executor) {
  if (!handle_) return;
  auto* const curl = handle_.get();
  set_request(curl, request_, headers_.get());
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, receive_buffer_bytes);
  curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, idle_connection_s_max);
  // Without it, giving up on a name that is being resolved would block this thread until it is.
  curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error_text_);
  curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, before_sending);
  curl_easy_setopt(curl, CURLOPT_PREREQDATA, this);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
}

// libcurl calls this with the connection made, TLS and all, just before the first byte of a request.
int Call::before_sending(void* call, char*, char*, int, int) {
  auto& self = *static_cast<Call*>(call);
  self.stopped_before_resend_ = self.perhaps_sent_;
  self.perhaps_sent_ = true;
  return self.stopped_before_resend_ ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

std::size_t Call::on_header(char* bytes, std::size_t, std::size_t count, void* call) {
  auto& self = *static_cast<Call*>(call);
  self.header_bytes_ += count;
  std::string_view line(bytes, count);
  line = line.substr(0, line.find_last_not_of("\r\n") + 1);
  self.too_large_ = self.too_large_ || self.header_bytes_ > response_header_bytes_max;
  if (line.starts_with("HTTP/")) {
    // After an interim answer (100) another header follows.
    self.response_.headers.clear();
    self.header_is_whole_ = false;
  } else if (line.empty()) {
    self.header_is_whole_ = true;
  } else if (!self.header_is_whole_ && !self.too_large_) {
    // Fields behind a chunked body are no header (RFC 9110, 6.5.1).
    self.response_.headers.emplace_back(line);
  }
  return self.too_large_ ? 0 : count;
}

std::size_t Call::on_body(char* bytes, std::size_t, std::size_t count, void* call) {
  auto& self = *static_cast<Call*>(call);
  auto& body = self.response_.body;
  self.too_large_ = self.too_large_ || count > self.response_bytes_max_ - body.size();
  if (self.too_large_) return 0;
  body.append(bytes, count);
  return count;
}

void Call::ended(CURLcode code) {
  code_ = code;
  ended_.set();
}

std::string Call::reason_of(CURLcode code) const {
  if (too_large_) return "the answer is too large";
  if (stopped_before_resend_) return "the connection ended before an answer came";
  if (code == CURLE_ABORTED_BY_CALLBACK) return "the client was closed";
  return error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(code);
}

CallTrouble Call::trouble_of(CURLcode code) const {
  if (too_large_) return CallTrouble::too_large;
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return CallTrouble::name_not_found;
    case CURLE_COULDNT_CONNECT:
      return CallTrouble::not_connected;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return CallTrouble::tls;
    case CURLE_OPERATION_TIMEDOUT:
      return CallTrouble::out_of_time;
    default:
      return CallTrouble::other;
  }
}

Task<CallResult> Call::carry_out() {
  if (steady_clock::now() >= deadline_) {
    co_return std::unexpected(failure("no time was left", CallTrouble::out_of_time));
  }
  if (auto problem = problem_of(request_); !problem.empty())
    co_return std::unexpected(failure(std::move(problem)));
  if (!handle_ || !loop_->add(*this)) co_return std::unexpected(failure("the request cannot be begun"));
  co_await ended_.wait_until(deadline_);
  if (!code_) {
    loop_->remove(*this);
    const auto* const what = perhaps_sent_ ? "no answer in time" : "no connection in time";
    co_return std::unexpected(failure(what, CallTrouble::out_of_time));
  }
  if (*code_ != CURLE_OK) co_return std::unexpected(failure(reason_of(*code_), trouble_of(*code_)));
  // libcurl takes a header that is cut off for an answer.
  if (!header_is_whole_) co_return std::unexpected(failure("the answer ended in its header"));
  curl_easy_getinfo(handle(), CURLINFO_RESPONSE_CODE, &response_.status);
  co_return std::move(response_);
}

}  // namespace

AsyncClient::AsyncClient(Executor executor, Options options)
    : executor_(executor),
      options_(options),
      loop_(std::make_shared<CurlLoop>(executor, options.connections_max)) {}

AsyncClient::~AsyncClient() {
  loop_->close();
}

Task<CallResult> AsyncClient::send(ClientRequest request) {
  Call call(executor_, loop_, std::move(request), options_.response_bytes_max);
  co_return co_await call.carry_out();
}

std::string problem_of_base_url(const std::string& url) {
  struct Close {
    void operator()(CURLU* parsed) const { curl_url_cleanup(parsed); }
  };
  struct Free {
    void operator()(char* text) const { curl_free(text); }
  };
  const std::unique_ptr<CURLU, Close> parsed(curl_url());
  const auto part = [&parsed](CURLUPart which) {
    char* text = nullptr;
    if (curl_url_get(parsed.get(), which, &text, 0) != CURLUE_OK) return std::string();
    return std::string(std::unique_ptr<char, Free>(text).get());
  };
  if (!std::ranges::all_of(url, is_visible_ascii) || url.find("://") == std::string::npos ||
      curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
    return "is not a URL";
  }
  if (const auto scheme = part(CURLUPART_SCHEME); scheme != "http" && scheme != "https") {
    return "is neither an http nor an https URL";
  }
  if (part(CURLUPART_HOST).empty()) return "has no host";
  if (part(CURLUPART_PORT) == "0") return "has a port that is none";
  if (url.find_first_of("?#") != std::string::npos) return "has a query or a fragment";
  return {};
}

}  // namespace switchyard::http
