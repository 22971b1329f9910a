// Element-wise operators, shapes and indexing.

#include "Failure.hpp"

#include <ATen/ops/abs.h>
#include <ATen/ops/acos.h>
#include <ATen/ops/add.h>
#include <ATen/ops/angle.h>
#include <ATen/ops/asin.h>
#include <ATen/ops/atan.h>
#include <ATen/ops/atan2.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ceil.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/cosh.h>
#include <ATen/ops/det.h>
#include <ATen/ops/div.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/erf.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/expm1.h>
#include <ATen/ops/flatten.h>
#include <ATen/ops/flip.h>
#include <ATen/ops/floor.h>
#include <ATen/ops/floor_divide.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/ge.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/imag.h>
#include <ATen/ops/index.h>
#include <ATen/ops/index_put.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/isinf.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/le.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/linalg_inv.h>
#include <ATen/ops/log.h>
#include <ATen/ops/log10.h>
#include <ATen/ops/log1p.h>
#include <ATen/ops/log2.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/logical_and.h>
#include <ATen/ops/logical_not.h>
#include <ATen/ops/logical_or.h>
#include <ATen/ops/logical_xor.h>
#include <ATen/ops/lt.h>
#include <ATen/ops/masked_fill.h>
#include <ATen/ops/masked_select.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/mish.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ne.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/nonzero.h>
#include <ATen/ops/one_hot.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/permute.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/real.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/remainder.h>
#include <ATen/ops/reshape.h>
#include <ATen/ops/round.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/rsub.h>
#include <ATen/ops/scatter.h>
#include <ATen/ops/scatter_add.h>
#include <ATen/ops/select.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/sign.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/sinh.h>
#include <ATen/ops/slice.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/square.h>
#include <ATen/ops/squeeze.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/tan.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/transpose.h>
#include <ATen/ops/trunc.h>
#include <ATen/ops/unsqueeze.h>
#include <ATen/ops/view_as_complex.h>
#include <ATen/ops/view_as_real.h>
#include <ATen/ops/where.h>

#include <cmath>
#include <limits>

using namespace tessera;

#define TESSERA_UNARY(name)                                                            \
  TesseraCode tessera_##name(const TesseraTensor *x, TesseraOut out) {                 \
    return guarded([&] { *out = released(at::name(borrowed(x))); });                   \
  }
#define TESSERA_BINARY(name)                                                                    \
  TesseraCode tessera_##name(const TesseraTensor *a, const TesseraTensor *b, TesseraOut out) {  \
    return guarded([&] { *out = released(at::name(borrowed(a), borrowed(b))); });               \
  }
#define TESSERA_SCALAR(name)                                                                     \
  TesseraCode tessera_##name##_scalar(const TesseraTensor *a, TesseraScalar b, TesseraOut out) { \
    return guarded([&] { *out = released(at::name(borrowed(a), scalar(b))); });                  \
  }
TESSERA_UNARY_OPERATORS(TESSERA_UNARY)
TESSERA_BINARY_OPERATORS(TESSERA_BINARY)
TESSERA_SCALAR_OPERATORS(TESSERA_SCALAR)

TesseraCode tessera_conj(const TesseraTensor *x, TesseraOut out) {
  return guarded([&] { *out = released(borrowed(x).conj().resolve_conj()); });
}

TesseraCode tessera_gelu(const TesseraTensor *x, bool approximate, TesseraOut out) {
  return guarded([&] { *out = released(at::gelu(borrowed(x), approximate ? "tanh" : "none")); });
}

TesseraCode tessera_leaky_relu(const TesseraTensor *x, double slope, TesseraOut out) {
  return guarded([&] { *out = released(at::leaky_relu(borrowed(x), slope)); });
}

TesseraCode tessera_elu(const TesseraTensor *x, double alpha, TesseraOut out) {
  return guarded([&] { *out = released(at::elu(borrowed(x), alpha)); });
}

TesseraCode tessera_softplus(const TesseraTensor *x, double beta, TesseraOut out) {
  return guarded([&] { *out = released(at::softplus(borrowed(x), beta)); });
}

namespace {
/// A bound for whole numbers of a type. It is whole itself, so that clamping keeps the dtype, and inside the type's
/// range, beyond which it could not be written.
at::Scalar whole(double bound, at::ScalarType type) {
  TORCH_CHECK_VALUE(!std::isnan(bound), "a bound is not a number");
  const bool is_unsigned = type == at::kByte;
  const int64_t most = is_unsigned ? 255 : std::numeric_limits<int64_t>::max() >> (64 - 8 * c10::elementSize(type));
  const int64_t least = is_unsigned ? 0 : -most - 1;
  if (bound >= static_cast<double>(most)) return most;
  if (bound <= static_cast<double>(least)) return least;
  return static_cast<int64_t>(bound);
}
}  // namespace

TesseraCode tessera_clamp(const TesseraTensor *x, const double *low, const double *high, TesseraOut out) {
  return guarded([&] {
    const at::ScalarType type = borrowed(x).scalar_type();
    const bool is_whole = at::isIntegralType(type, /*includeBool=*/true);
    std::optional<at::Scalar> least, most;
    // No whole number below 0.5 is above 0: a lower bound rounds up, an upper one down.
    if (low != nullptr) least = is_whole ? whole(std::ceil(*low), type) : at::Scalar(*low);
    if (high != nullptr) most = is_whole ? whole(std::floor(*high), type) : at::Scalar(*high);
    *out = released(at::clamp(borrowed(x), least, most));
  });
}

TesseraCode tessera_where(const TesseraTensor *condition, const TesseraTensor *a, const TesseraTensor *b, TesseraOut out) {
  return guarded([&] { *out = released(at::where(borrowed(condition), borrowed(a), borrowed(b))); });
}

TesseraCode tessera_masked_fill(const TesseraTensor *x, const TesseraTensor *mask, double value, TesseraOut out) {
  return guarded([&] { *out = released(at::masked_fill(borrowed(x), borrowed(mask), value)); });
}

TesseraCode tessera_reshape(const TesseraTensor *x, const ptrdiff_t *shape, ptrdiff_t rank, TesseraOut out) {
  return guarded([&] { *out = released(at::reshape(borrowed(x), ints(shape, rank))); });
}

TesseraCode tessera_permute(const TesseraTensor *x, const ptrdiff_t *order, ptrdiff_t rank, TesseraOut out) {
  return guarded([&] { *out = released(at::permute(borrowed(x), ints(order, rank))); });
}

TesseraCode tessera_transpose(const TesseraTensor *x, ptrdiff_t a, ptrdiff_t b, TesseraOut out) {
  return guarded([&] { *out = released(at::transpose(borrowed(x), a, b)); });
}

TesseraCode tessera_expand(const TesseraTensor *x, const ptrdiff_t *shape, ptrdiff_t rank, TesseraOut out) {
  return guarded([&] { *out = released(borrowed(x).expand(ints(shape, rank))); });
}

TesseraCode tessera_squeeze(const TesseraTensor *x, ptrdiff_t dimension, TesseraOut out) {
  return guarded([&] { *out = released(at::squeeze(borrowed(x), dimension)); });
}

TesseraCode tessera_unsqueeze(const TesseraTensor *x, ptrdiff_t dimension, TesseraOut out) {
  return guarded([&] { *out = released(at::unsqueeze(borrowed(x), dimension)); });
}

TesseraCode tessera_flatten(const TesseraTensor *x, ptrdiff_t start, ptrdiff_t end, TesseraOut out) {
  return guarded([&] { *out = released(at::flatten(borrowed(x), start, end)); });
}

TesseraCode tessera_select(const TesseraTensor *x, ptrdiff_t dimension, ptrdiff_t index, TesseraOut out) {
  return guarded([&] { *out = released(at::select(borrowed(x), dimension, index)); });
}

TesseraCode tessera_slice(const TesseraTensor *x, ptrdiff_t dimension, ptrdiff_t start, ptrdiff_t end, ptrdiff_t step, TesseraOut out) {
  return guarded([&] { *out = released(at::slice(borrowed(x), dimension, start, end, step)); });
}

TesseraCode tessera_cat(TesseraList tensors, ptrdiff_t count, ptrdiff_t dimension, TesseraOut out) {
  return guarded([&] { *out = released(at::cat(borrowed(tensors, count), dimension)); });
}

TesseraCode tessera_stack(TesseraList tensors, ptrdiff_t count, ptrdiff_t dimension, TesseraOut out) {
  return guarded([&] { *out = released(at::stack(borrowed(tensors, count), dimension)); });
}

TesseraCode tessera_flip(const TesseraTensor *x, const ptrdiff_t *dimensions, ptrdiff_t count, TesseraOut out) {
  return guarded([&] { *out = released(at::flip(borrowed(x), ints(dimensions, count))); });
}

TesseraCode tessera_index_select(const TesseraTensor *x, ptrdiff_t dimension, const TesseraTensor *index, TesseraOut out) {
  return guarded([&] { *out = released(at::index_select(borrowed(x), dimension, borrowed(index))); });
}

TesseraCode tessera_gather(const TesseraTensor *x, ptrdiff_t dimension, const TesseraTensor *index, TesseraOut out) {
  return guarded([&] { *out = released(at::gather(borrowed(x), dimension, borrowed(index))); });
}

TesseraCode tessera_scatter(const TesseraTensor *x, ptrdiff_t dimension, const TesseraTensor *index, const TesseraTensor *source, bool adding, TesseraOut out) {
  return guarded([&] {
    *out = released(
        adding ? at::scatter_add(borrowed(x), dimension, borrowed(index), borrowed(source))
               : at::scatter(borrowed(x), dimension, borrowed(index), borrowed(source)));
  });
}

namespace {
c10::List<std::optional<at::Tensor>> optional_list(TesseraList tensors, ptrdiff_t count) {
  c10::List<std::optional<at::Tensor>> list;
  for (ptrdiff_t i = 0; i < count; ++i) list.push_back(optional(tensors[i]));
  return list;
}
}  // namespace

TesseraCode tessera_index(const TesseraTensor *x, TesseraList indices, ptrdiff_t count, TesseraOut out) {
  return guarded([&] { *out = released(at::index(borrowed(x), optional_list(indices, count))); });
}

TesseraCode tessera_index_put(const TesseraTensor *x, TesseraList indices, ptrdiff_t count, const TesseraTensor *values, bool adding, TesseraOut out) {
  return guarded([&] { *out = released(at::index_put(borrowed(x), optional_list(indices, count), borrowed(values), adding)); });
}

TesseraCode tessera_one_hot(const TesseraTensor *x, ptrdiff_t classes, TesseraOut out) {
  return guarded([&] { *out = released(at::one_hot(borrowed(x), classes)); });
}
