// Devices, threads and memory.

#include "Failure.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cstdio>
#include <mutex>

using namespace tessera;

namespace {

// A training step allocates and frees the same few megabytes each time. By default the C library gives blocks of that size
// back to the system at once, and every step pays for the page faults that bring them back: a third of a small network's time.
[[maybe_unused]] const bool keeps_memory = [] {
  // Who has set the allocator from outside knows better.
  if (getenv("MALLOC_MMAP_THRESHOLD_") != nullptr || getenv("MALLOC_TRIM_THRESHOLD_") != nullptr) return false;
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  // LibTorch then asks for large pages for tensors of 2 MB and more: new ones cost a fraction of the faults.
  setenv("THP_MEM_ALLOC_ENABLE", "1", /*replacing=*/0);
  return true;
}();

}  // namespace

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

namespace {
constexpr uintptr_t page = 4096;
constexpr uintptr_t large_page = 2 << 20;
uintptr_t rounded_up(uintptr_t size, uintptr_t unit) { return (size + unit - 1) & ~(unit - 1); }
}  // namespace

void *tessera_map(ptrdiff_t count) {
  const uintptr_t wanted = rounded_up(static_cast<uintptr_t>(count), page);
  // A large page lies at a multiple of its size: as much more is asked for, and given back.
  const uintptr_t asked = wanted + large_page;
  void *const memory = mmap(nullptr, asked, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  const uintptr_t start = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t first = rounded_up(start, large_page);
  if (first > start) munmap(memory, first - start);
  if (first + wanted < start + asked) munmap(reinterpret_cast<void *>(first + wanted), start + asked - first - wanted);
  // A system that knows no such pages refuses, and nothing is lost.
  madvise(reinterpret_cast<void *>(first), wanted, MADV_HUGEPAGE);
  return reinterpret_cast<void *>(first);
}

void tessera_unmap(void *bytes, ptrdiff_t kept, ptrdiff_t count) {
  const uintptr_t start = rounded_up(static_cast<uintptr_t>(kept), page);
  const uintptr_t end = rounded_up(static_cast<uintptr_t>(count), page);
  if (start < end) munmap(static_cast<char *>(bytes) + start, end - start);
}

void tessera_name_thread(const char *name) {
  char cut[16];
  std::snprintf(cut, sizeof cut, "%s", name);
  pthread_setname_np(pthread_self(), cut);
}

TesseraCode tessera_cpu_capability(char *text, ptrdiff_t capacity) {
  return guarded([&] { std::snprintf(text, static_cast<size_t>(capacity), "%s", at::get_cpu_capability().c_str()); });
}
