// Reductions, softmax, sorting.

#include "Failure.hpp"

#include <ATen/ops/all.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/any.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/argmin.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/var.h>

#include <numeric>

using namespace tessera;

namespace {

at::Tensor reduced(const at::Tensor &x, TesseraReduction kind, at::IntArrayRef dims, bool keep) {
  // These kernels read an empty list as "no dimension at all"; everywhere in Tessera it means "all of them".
  std::vector<int64_t> all;
  if (dims.empty() && (kind == TESSERA_LOGSUMEXP || kind == TESSERA_ANY || kind == TESSERA_ALL)) {
    all.resize(static_cast<size_t>(x.dim()));
    std::iota(all.begin(), all.end(), 0);
    dims = all;
  }
  switch (kind) {
    case TESSERA_SUM: return at::sum(x, at::OptionalIntArrayRef(dims), keep);
    case TESSERA_MEAN: return at::mean(x, at::OptionalIntArrayRef(dims), keep);
    case TESSERA_AMAX: return at::amax(x, dims, keep);
    case TESSERA_AMIN: return at::amin(x, dims, keep);
    case TESSERA_LOGSUMEXP: return at::logsumexp(x, dims, keep);
    case TESSERA_ANY: return at::any(x, at::OptionalIntArrayRef(dims), keep);
    case TESSERA_ALL: return at::all(x, at::OptionalIntArrayRef(dims), keep);
  }
  TORCH_CHECK(false, "unknown reduction");
}

/// Where LibTorch wants "all of them" as nothing at all.
std::optional<at::IntArrayRef> chosen(const ptrdiff_t *dimensions, ptrdiff_t count) {
  if (count == 0) return std::nullopt;
  return ints(dimensions, count);
}

}  // namespace

TesseraCode tessera_reduce(const TesseraTensor *x, TesseraReduction kind, const ptrdiff_t *dimensions, ptrdiff_t count, bool keep, TesseraOut out) {
  return guarded([&] { *out = released(reduced(borrowed(x), kind, ints(dimensions, count), keep)); });
}

TesseraCode tessera_norm(const TesseraTensor *x, double order, const ptrdiff_t *dimensions, ptrdiff_t count, bool keep, TesseraOut out) {
  return guarded([&] { *out = released(at::linalg_vector_norm(borrowed(x), order, chosen(dimensions, count), keep)); });
}

TesseraCode tessera_variance(const TesseraTensor *x, const ptrdiff_t *dimensions, ptrdiff_t count, ptrdiff_t correction, bool keep, TesseraOut out) {
  return guarded([&] {
    *out = released(at::var(borrowed(x), chosen(dimensions, count), at::Scalar(static_cast<int64_t>(correction)), keep));
  });
}

TesseraCode tessera_argmax(const TesseraTensor *x, ptrdiff_t dimension, bool smallest, bool keep, TesseraOut out) {
  return guarded([&] {
    *out = released(smallest ? at::argmin(borrowed(x), dimension, keep) : at::argmax(borrowed(x), dimension, keep));
  });
}

TesseraCode tessera_cumsum(const TesseraTensor *x, ptrdiff_t dimension, TesseraOut out) {
  return guarded([&] { *out = released(at::cumsum(borrowed(x), dimension)); });
}

TesseraCode tessera_softmax(const TesseraTensor *x, ptrdiff_t dimension, bool logarithmic, TesseraOut out) {
  return guarded([&] {
    *out = released(logarithmic ? at::log_softmax(borrowed(x), dimension) : at::softmax(borrowed(x), dimension));
  });
}

TesseraCode tessera_topk(const TesseraTensor *x, ptrdiff_t k, ptrdiff_t dimension, bool largest, TesseraOut values, TesseraOut indices) {
  return guarded([&] {
    auto [best, where] = at::topk(borrowed(x), k, dimension, largest);
    *values = released(std::move(best));
    *indices = released(std::move(where));
  });
}

TesseraCode tessera_sort(const TesseraTensor *x, ptrdiff_t dimension, bool descending, TesseraOut values, TesseraOut indices) {
  return guarded([&] {
    auto [sorted, where] = at::sort(borrowed(x), /*stable=*/true, dimension, descending);
    *values = released(std::move(sorted));
    *indices = released(std::move(where));
  });
}
