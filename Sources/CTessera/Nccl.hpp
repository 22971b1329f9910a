// NCCL, which sums and passes on what lies on GPUs without a way through the machine's memory.

#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <functional>

namespace tessera {

/// Processes that each have a GPU of their own.
///
/// Its library comes with LibTorch's CUDA part. Its functions are looked up when they are first needed: no program has to link it.
class Nccl {
 public:
  /// Whether the library is on this machine.
  static bool is_there();

  /// What the first process names a group by.
  using Identifier = std::array<char, 128>;

  /// Meets the other processes, each with the GPU of its tensors. Throws if there is none for each.
  ///
  /// `share` gives all processes the first one's identifier.
  Nccl(int rank, int size, c10::Device device, const std::function<void(Identifier &)> &share);
  ~Nccl();
  Nccl(const Nccl &) = delete;
  Nccl &operator=(const Nccl &) = delete;

  /// The sum of all processes' tensors, in its place.
  void sum(at::Tensor &x) const;
  /// All processes' tensors, one after the other along the first dimension.
  void gather(const at::Tensor &x, at::Tensor &all) const;
  /// The first process's tensor, in its place.
  void first(at::Tensor &x) const;

 private:
  void *communicator_ = nullptr;
  c10::Device device_;
};

}  // namespace tessera
