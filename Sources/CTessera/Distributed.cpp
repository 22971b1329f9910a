// Processes that compute together: LibTorch's c10d over Gloo.

#include "Failure.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>

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
  int size;
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
    *out = new TesseraReplicas{c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, settings), size};
  });
}

void tessera_replicas_release(TesseraReplicas *replicas) { delete replicas; }

TesseraCode tessera_replicas_sum(const TesseraReplicas *replicas, const TesseraTensor *x, TesseraOut out) {
  return guarded([&] {
    std::vector<at::Tensor> tensors{borrowed(x).contiguous().clone()};
    replicas->group->allreduce(tensors)->wait();
    *out = released(std::move(tensors[0]));
  });
}

TesseraCode tessera_replicas_gather(const TesseraReplicas *replicas, const TesseraTensor *x, TesseraOut out) {
  return guarded([&] {
    std::vector<at::Tensor> own{borrowed(x).contiguous()};
    std::vector<std::vector<at::Tensor>> all(1);
    for (int rank = 0; rank < replicas->size; ++rank) all[0].push_back(at::empty_like(own[0]));
    replicas->group->allgather(all, own)->wait();
    *out = released(at::cat(all[0]));
  });
}

TesseraCode tessera_replicas_first(const TesseraReplicas *replicas, const TesseraTensor *x, TesseraOut out) {
  return guarded([&] {
    std::vector<at::Tensor> tensors{borrowed(x).contiguous().clone()};
    c10d::BroadcastOptions from;
    from.rootRank = 0;
    replicas->group->broadcast(tensors, from)->wait();
    *out = released(std::move(tensors[0]));
  });
}
