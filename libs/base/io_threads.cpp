#include "base/io_threads.hpp"

#include <pthread.h>

namespace switchyard {

IoThreads::IoThreads(std::size_t count, const char* name) {
  for (std::size_t i = 0; i < count; ++i) {
    auto& loop = *loops_.emplace_back(std::make_unique<Loop>());
    loop.thread = std::thread([&loop, name] {
      pthread_setname_np(pthread_self(), name);
      loop.context.run();
    });
  }
}

IoThreads::~IoThreads() {
  for (auto& loop : loops_) loop->work.reset();
  for (auto& loop : loops_) loop->thread.join();
}

}  // namespace switchyard
