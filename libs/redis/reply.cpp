#include "redis/reply.hpp"

#include <hiredis/read.h>

#include "base/assert.hpp"

namespace switchyard::redis {

// hiredis calls these to build a reply: each gives the object made, or null to give up. An array's elements
// are built in place, in its vector, which does not grow any more.
struct ReplyBuilder {
  static Reply* place(const redisReadTask* task) {
    if (task->parent == nullptr) return new Reply;
    auto* parent = static_cast<Reply*>(task->parent->obj);
    return &parent->elements[static_cast<std::size_t>(task->idx)];
  }

  static void* make_text(const redisReadTask* task, char* text, std::size_t size) {
    auto* reply = place(task);
    reply->kind = task->type == REDIS_REPLY_ERROR    ? Reply::Kind::error
                  : task->type == REDIS_REPLY_STATUS ? Reply::Kind::status
                                                     : Reply::Kind::text;
    reply->text.assign(text, size);
    return reply;
  }

  // An int in hiredis 0.14, a size_t from 1.0 on.
  template <class Size>
  static void* make_array(const redisReadTask* task, Size size) {
    auto& reader = *static_cast<ReplyReader*>(task->privdata);
    const auto elements = static_cast<std::size_t>(size);
    if (elements > reader.limits_.elements_max - reader.elements_) return nullptr;
    reader.elements_ += elements;
    auto* reply = place(task);
    reply->kind = Reply::Kind::array;
    reply->elements.resize(elements);
    return reply;
  }

  static void* make_integer(const redisReadTask* task, long long value) {
    auto* reply = place(task);
    reply->kind = Reply::Kind::integer;
    reply->integer = value;
    return reply;
  }

  static void* make_nil(const redisReadTask* task) { return place(task); }

  // RESP3, which is never asked for.
  static void* make_double(const redisReadTask*, double, char*, std::size_t) { return nullptr; }
  static void* make_bool(const redisReadTask*, int) { return nullptr; }

  static void free(void* object) { delete static_cast<Reply*>(object); }

  template <class Functions>
  static Functions functions() {
    Functions functions{};
    functions.createString = &make_text;
    functions.createArray = &make_array;
    functions.createInteger = &make_integer;
    if constexpr (requires { functions.createDouble; }) functions.createDouble = &make_double;
    functions.createNil = &make_nil;
    if constexpr (requires { functions.createBool; }) functions.createBool = &make_bool;
    functions.freeObject = &free;
    return functions;
  }
};

namespace {

auto functions = ReplyBuilder::functions<redisReplyObjectFunctions>();

}  // namespace

Result<void> require_no_error(const Reply& reply) {
  if (reply.is_error()) return fail(ErrorCode::queue_unavailable, "Redis answers: " + reply.text);
  return {};
}

Result<void> require_no_error(const std::vector<Reply>& replies) {
  for (const auto& reply : replies) {
    if (auto checked = require_no_error(reply); !checked) return checked;
  }
  return {};
}

void ReplyReader::Free::operator()(redisReader* reader) const {
  redisReaderFree(reader);
}

ReplyReader::ReplyReader(ReplyLimits limits)
    : limits_(limits), reader_(redisReaderCreateWithFunctions(&functions)) {
  SWITCHYARD_ASSERT(reader_ != nullptr);
  reader_->privdata = this;
}

ReplyReader::~ReplyReader() = default;

void ReplyReader::feed(std::string_view bytes) {
  unread_bytes_ += bytes.size();
  // Its failure is told by next().
  redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
}

Result<std::optional<Reply>> ReplyReader::next() {
  void* object = nullptr;
  if (redisReaderGetReply(reader_.get(), &object) != 0) {
    return fail(ErrorCode::queue_unavailable,
                std::string("an answer that is not Redis': ") + static_cast<const char*>(reader_->errstr));
  }
  if (object == nullptr) {
    if (unread_bytes_ > limits_.bytes_max) {
      return fail(ErrorCode::queue_unavailable, "an answer that is larger than Redis' answers are");
    }
    return std::nullopt;
  }
  const std::unique_ptr<Reply> reply(static_cast<Reply*>(object));
  elements_ = 0;
  unread_bytes_ = reader_->len - reader_->pos;
  return std::move(*reply);
}

}  // namespace switchyard::redis
