// NCCL, by the functions that its library has had since version 2.

#include "Nccl.hpp"

#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/Exception.h>

#include <dlfcn.h>

#include <memory>
#include <thread>
#include <type_traits>

namespace tessera {
namespace {

struct Functions {
  int (*identifier)(Nccl::Identifier *);
  int (*meet)(void **communicator, int size, Nccl::Identifier identifier, int rank);
  int (*leave)(void *communicator);
  int (*abandon)(void *communicator);
  int (*state)(void *communicator, int *code);
  const char *(*message)(int code);
  int (*sum)(const void *from, void *to, size_t count, int type, int operation, void *communicator, void *stream);
  int (*gather)(const void *from, void *to, size_t count, int type, void *communicator, void *stream);
  int (*first)(const void *from, void *to, size_t count, int type, int root, void *communicator, void *stream);
};

const Functions *functions() {
  static const auto found = []() -> std::unique_ptr<Functions> {
    void *library = dlopen("libnccl.so.2", RTLD_NOW);
    if (library == nullptr) return nullptr;
    auto all = std::make_unique<Functions>();
    bool is_whole = true;
    const auto look_up = [&](auto &function, const char *name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
      is_whole = is_whole && function != nullptr;
    };
    look_up(all->identifier, "ncclGetUniqueId");
    look_up(all->meet, "ncclCommInitRank");
    look_up(all->leave, "ncclCommDestroy");
    look_up(all->abandon, "ncclCommAbort");
    look_up(all->state, "ncclCommGetAsyncError");
    look_up(all->message, "ncclGetErrorString");
    look_up(all->sum, "ncclAllReduce");
    look_up(all->gather, "ncclAllGather");
    look_up(all->first, "ncclBroadcast");
    return is_whole ? std::move(all) : nullptr;
  }();
  return found.get();
}

void check(int code) { TORCH_CHECK(code == 0, "NCCL: ", functions()->message(code)); }

/// Its number of a dtype; -1 if it has none.
int type(c10::ScalarType type) {
  switch (type) {
    case c10::ScalarType::Char: return 0;
    case c10::ScalarType::Byte:
    case c10::ScalarType::Bool: return 1;
    case c10::ScalarType::Int: return 2;
    case c10::ScalarType::Long: return 4;
    case c10::ScalarType::Half: return 6;
    case c10::ScalarType::Float: return 7;
    case c10::ScalarType::Double: return 8;
    case c10::ScalarType::BFloat16: return 9;
    default: return -1;
  }
}

/// The queue of a GPU's work, in whose order everything happens.
void *stream(c10::Device device) {
  const c10::impl::VirtualGuardImpl gpu(device.type());
  return gpu.getStreamNativeHandle(gpu.getStream(device));
}

}  // namespace

bool Nccl::is_there() { return functions() != nullptr; }

bool Nccl::identify(Identifier &identifier) { return functions()->identifier(&identifier) == 0; }

bool Nccl::has(c10::ScalarType type) { return tessera::type(type) >= 0; }

Nccl::Nccl(const Identifier &identifier, int rank, int size, c10::Device device, std::chrono::milliseconds patience)
    : device_(device), patience_(patience) {
  const c10::DeviceGuard guard(device);
  check(functions()->meet(&communicator_, size, identifier, rank));
}

Nccl::~Nccl() {
  const c10::DeviceGuard guard(device_);
  if (communicator_ != nullptr) functions()->leave(communicator_);
}

/// Waits until what was begun is done: a process that has ended would keep the others' GPUs waiting for ever.
void Nccl::finish(int code) {
  check(code);
  const c10::impl::VirtualGuardImpl gpu(device_.type());
  const c10::Stream queue = gpu.getStream(device_);
  const auto end = std::chrono::steady_clock::now() + patience_;
  for (int looks = 0; !gpu.queryStream(queue); ++looks) {
    int state = 0;
    const bool failed = functions()->state(communicator_, &state) != 0 || state != 0;
    if (failed || std::chrono::steady_clock::now() > end) {
      functions()->abandon(communicator_);
      communicator_ = nullptr;
      TORCH_CHECK(false, "one of the processes that train together has ended, or does not answer");
    }
    // What is quick is not slept over.
    if (looks > 1000) std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

void Nccl::sum(at::Tensor &x) {
  const c10::DeviceGuard guard(device_);
  TORCH_CHECK(communicator_ != nullptr, "the processes have parted");
  void *place = x.mutable_data_ptr();
  // The sum of truths is whether there is one: their greatest.
  const int operation = x.scalar_type() == c10::ScalarType::Bool ? 2 : 0;
  finish(functions()->sum(
    place, place, static_cast<size_t>(x.numel()), type(x.scalar_type()), operation, communicator_, stream(device_)));
}

void Nccl::gather(const at::Tensor &x, at::Tensor &all) {
  const c10::DeviceGuard guard(device_);
  TORCH_CHECK(communicator_ != nullptr, "the processes have parted");
  finish(functions()->gather(
    x.const_data_ptr(), all.mutable_data_ptr(), static_cast<size_t>(x.numel()), type(x.scalar_type()), communicator_, stream(device_)));
}

void Nccl::first(at::Tensor &x) {
  const c10::DeviceGuard guard(device_);
  TORCH_CHECK(communicator_ != nullptr, "the processes have parted");
  void *place = x.mutable_data_ptr();
  finish(functions()->first(place, place, static_cast<size_t>(x.numel()), type(x.scalar_type()), 0, communicator_, stream(device_)));
}

}  // namespace tessera
