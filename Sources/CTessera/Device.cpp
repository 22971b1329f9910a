// Devices and threads.

#include "Failure.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include <dlfcn.h>
#include <pthread.h>

#include <cstdio>
#include <mutex>

using namespace tessera;

int32_t tessera_cuda_device_count(void) {
  // The CUDA part registers itself when it is loaded; a machine set up without it has no such file.
  static std::once_flag once;
  std::call_once(once, [] { dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL); });
  int32_t count = 0;
  const TesseraCode code = guarded([&] {
    if (at::hasCUDA()) count = static_cast<int32_t>(at::detail::getCUDAHooks().deviceCount());
  });
  return code == TESSERA_OK ? count : 0;
}

void tessera_use_threads(int32_t count) {
  // LibTorch settles its own count the first time a thread asks; only then may ours replace it. at::set_num_threads
  // is not used: it also sets MKL's count for the whole process, and lanes must not disturb each other.
  (void)at::get_num_threads();
  using SetThreads = void (*)(int);
  static const auto set_threads = reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
  if (set_threads != nullptr) set_threads(count);
}

int32_t tessera_threads(void) { return at::get_num_threads(); }

void tessera_name_thread(const char *name) {
  char cut[16];
  std::snprintf(cut, sizeof cut, "%s", name);
  pthread_setname_np(pthread_self(), cut);
}

TesseraCode tessera_cpu_capability(char *text, ptrdiff_t capacity) {
  return guarded([&] { std::snprintf(text, static_cast<size_t>(capacity), "%s", at::get_cpu_capability().c_str()); });
}
