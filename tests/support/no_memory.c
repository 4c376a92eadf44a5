// For LD_PRELOAD: at SIGUSR2, the next allocation of the thread whose name is in NO_MEMORY_THREAD fails, once.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static atomic_int armed;

static void arm(int signal) {
  (void)signal;
  atomic_store(&armed, 1);
}

__attribute__((constructor)) static void listen_for_the_signal(void) {
  struct sigaction action = {.sa_handler = arm, .sa_flags = SA_RESTART};
  sigaction(SIGUSR2, &action, NULL);
}

static int is_the_thread(void) {
  char name[16] = "";
  const char* wanted = getenv("NO_MEMORY_THREAD");
  prctl(PR_GET_NAME, name);
  return wanted != NULL && strcmp(name, wanted) == 0;
}

// Of libstdc++: std::__throw_bad_alloc().
void _ZSt17__throw_bad_allocv(void);

// operator new(unsigned long): an allocator brings its own, which does not call malloc().
void* _Znwm(size_t size) {
  static void* (*next)(size_t);
  if (next == NULL) next = (void* (*)(size_t))dlsym(RTLD_NEXT, "_Znwm");
  int expected = 1;
  if (atomic_load(&armed) && is_the_thread() && atomic_compare_exchange_strong(&armed, &expected, 0)) _ZSt17__throw_bad_allocv();
  return next(size);
}
