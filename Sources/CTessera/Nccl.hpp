// NCCL, which sums and passes on what lies on GPUs without a way through the machine's memory.

#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <chrono>

namespace tessera {

/// Processes that each have a GPU of their own.
///
/// Its library comes with LibTorch's CUDA part. Its functions are looked up when they are first needed: no program has to link it.
class Nccl {
 public:
  /// What the first process names a group by.
  using Identifier = std::array<char, 128>;

  /// Whether the library is on this machine.
  static bool is_there();
  /// A new group's name. Returns false if NCCL has no network.
  static bool identify(Identifier &identifier);

  /// Meets the other processes, each with the GPU of its tensors. Throws if there is none for each.
  Nccl(const Identifier &identifier, int rank, int size, c10::Device device, std::chrono::milliseconds patience);
  ~Nccl();
  Nccl(const Nccl &) = delete;
  Nccl &operator=(const Nccl &) = delete;

  /// Whether tensors of that dtype can be passed on.
  static bool has(c10::ScalarType type);
  /// The sum of all processes' tensors, in its place.
  void sum(at::Tensor &x);
  /// All processes' tensors, one after the other along the first dimension.
  void gather(const at::Tensor &x, at::Tensor &all);
  /// The first process's tensor, in its place.
  void first(at::Tensor &x);

 private:
  void finish(int code);

  void *communicator_ = nullptr;
  c10::Device device_;
  std::chrono::milliseconds patience_;
};

}  // namespace tessera
