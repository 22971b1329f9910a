// Processes that compute together: LibTorch's c10d over Gloo, and NCCL between GPUs.

#include "Failure.hpp"
#include "Nccl.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>

#include <unistd.h>

#include <memory>
#include <set>
#include <string>

// LibTorch is built with it, and its header asks.
#define USE_C10D_GLOO
// Read under our warnings, which are stricter than its own.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wall"
#pragma clang diagnostic ignored "-Wextra"
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#pragma clang diagnostic pop

using namespace tessera;

struct TesseraReplicas {
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group;
  int rank;
  int size;
  std::chrono::milliseconds patience;
  /// Between the GPUs of the tensors, once some have come; none if NCCL cannot be had.
  std::unique_ptr<Nccl> gpus;
  bool has_asked_for_gpus = false;

  /// Whether something holds in all processes.
  bool agree(bool holds) {
    std::vector<at::Tensor> answer{at::full({}, holds ? 1 : 0, at::kInt)};
    c10d::AllreduceOptions least;
    least.reduceOp = c10d::ReduceOp::MIN;
    group->allreduce(answer, least)->wait();
    return answer[0].item<int>() == 1;
  }

  /// Whether no two processes share a GPU.
  bool have_own(c10::Device device) {
    char name[256] = {};
    gethostname(name, sizeof name - 1);
    const auto place = std::hash<std::string>()(std::string(name) + device.str());
    std::vector<at::Tensor> own{at::full({1}, static_cast<int64_t>(place), at::kLong)};
    std::vector<std::vector<at::Tensor>> all(1);
    for (int other = 0; other < size; ++other) all[0].push_back(at::empty({1}, at::kLong));
    group->allgather(all, own)->wait();
    std::set<int64_t> places;
    for (const at::Tensor &one : all[0]) places.insert(one.item<int64_t>());
    return places.size() == static_cast<size_t>(size);
  }

  /// Has all processes meet, each with its GPU. All take the same way, whatever fails.
  std::unique_ptr<Nccl> meet(c10::Device device) {
    if (!agree(Nccl::is_there()) || !have_own(device)) return nullptr;
    Nccl::Identifier identifier{};
    if (!agree(rank != 0 || Nccl::identify(identifier))) return nullptr;
    std::vector<at::Tensor> bytes{at::from_blob(identifier.data(), {int64_t{sizeof identifier}}, at::kByte)};
    group->broadcast(bytes, {})->wait();
    std::unique_ptr<Nccl> met;
    try {
      met = std::make_unique<Nccl>(identifier, rank, size, device, patience);
    } catch (const c10::Error &) {
    }
    return agree(met != nullptr) ? std::move(met) : nullptr;
  }

  /// What passes tensors of that kind on between GPUs; null if they go through the machine's memory.
  ///
  /// All processes ask with their first tensor that lies on a GPU, and get the same answer.
  Nccl *between(const at::Tensor &x) {
    if (x.is_cpu() || !Nccl::has(x.scalar_type())) return nullptr;
    if (!has_asked_for_gpus) {
      has_asked_for_gpus = true;
      gpus = meet(x.device());
    }
    return gpus.get();
  }
};

TesseraCode tessera_replicas(const char *host, uint16_t port, int32_t rank, int32_t size, double patience, TesseraReplicas **out) {
  return guarded([&] {
    const auto timeout = std::chrono::milliseconds(static_cast<int64_t>(patience * 1000));
    c10d::TCPStoreOptions options;
    options.port = port;
    options.isServer = rank == 0;
    options.numWorkers = size;
    options.waitWorkers = true;
    options.timeout = timeout;
    const auto store = c10::make_intrusive<c10d::TCPStore>(std::string(host), options);
    const auto settings = c10d::ProcessGroupGloo::Options::create(timeout);
    settings->devices.push_back(std::string(host) == "127.0.0.1" ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                                                 : c10d::ProcessGroupGloo::createDefaultDevice());
    settings->threads = 1;
    *out = new TesseraReplicas{c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, settings), rank, size, timeout, nullptr};
  });
}

void tessera_replicas_release(TesseraReplicas *replicas) { delete replicas; }

TesseraCode tessera_replicas_sum(TesseraReplicas *replicas, const TesseraTensor *x, TesseraOut out) {
  return guarded([&] {
    at::Tensor total = borrowed(x).contiguous().clone();
    if (Nccl *gpus = replicas->between(total)) {
      gpus->sum(total);
    } else {
      std::vector<at::Tensor> tensors{total.cpu()};
      replicas->group->allreduce(tensors)->wait();
      total = tensors[0].to(total.device());
    }
    *out = released(std::move(total));
  });
}

TesseraCode tessera_replicas_gather(TesseraReplicas *replicas, const TesseraTensor *x, TesseraOut out) {
  return guarded([&] {
    const at::Tensor own = borrowed(x).contiguous();
    TORCH_CHECK_VALUE(own.dim() > 0, "what is gathered has no first dimension");
    auto shape = own.sizes().vec();
    shape[0] *= replicas->size;
    if (Nccl *gpus = replicas->between(own)) {
      at::Tensor all = at::empty(shape, own.options().requires_grad(false));
      gpus->gather(own, all);
      *out = released(std::move(all));
      return;
    }
    at::Tensor all = at::empty(shape, own.options().requires_grad(false).device(at::kCPU));
    std::vector<at::Tensor> parts{own.cpu()};
    std::vector<std::vector<at::Tensor>> places{all.chunk(replicas->size)};
    if (own.numel() > 0) replicas->group->allgather(places, parts)->wait();
    *out = released(all.to(own.device()));
  });
}

TesseraCode tessera_replicas_first(TesseraReplicas *replicas, const TesseraTensor *x, TesseraOut out) {
  return guarded([&] {
    at::Tensor copy = borrowed(x).contiguous().clone();
    if (Nccl *gpus = replicas->between(copy)) {
      gpus->first(copy);
    } else {
      std::vector<at::Tensor> tensors{copy.cpu()};
      c10d::BroadcastOptions from;
      from.rootRank = 0;
      replicas->group->broadcast(tensors, from)->wait();
      copy = tensors[0].to(copy.device());
    }
    *out = released(std::move(copy));
  });
}
