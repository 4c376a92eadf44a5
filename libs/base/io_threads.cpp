#include "base/io_threads.hpp"

#include <pthread.h>

namespace switchyard {

IoThreads::IoThreads(std::size_t count, const char* name) {
  for (std::size_t i = 0; i < count; ++i) {
    auto& loop = *loops_.emplace_back(std::make_unique<Loop>());
    loop.thread = std::thread([&loop] { loop.context.run(); });
    pthread_setname_np(loop.thread.native_handle(), name);
  }
}

IoThreads::~IoThreads() {
  for (auto& loop : loops_) loop->work.reset();
  for (auto& loop : loops_) loop->thread.join();
}

}  // namespace switchyard
