// Exact sums: fixed-point integers, so that the order of the addends cannot matter.

#include "Failure.hpp"

#include <ATen/ops/empty.h>

#include <cmath>
#include <cstring>
#include <limits>

using namespace tessera;

namespace {

// One core keeps a chunk in its cache between the check and the sum.
constexpr ptrdiff_t chunk = 4096;

#if defined(__x86_64__)
#define TESSERA_VECTORISED __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define TESSERA_VECTORISED
#endif

/// Whether every magnitude is at most `bound`. As integers, magnitudes order as the floats do, with infinity and NaN
/// above every number.
TESSERA_VECTORISED bool is_within(const float *values, ptrdiff_t count, float bound) {
  uint32_t limit;
  std::memcpy(&limit, &bound, sizeof limit);
  uint32_t largest = 0;
  for (ptrdiff_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    bits &= 0x7fffffffu;
    largest = bits > largest ? bits : largest;
  }
  return largest <= limit;
}

TESSERA_VECTORISED bool is_within(const double *values, ptrdiff_t count, double bound) {
  uint64_t limit;
  std::memcpy(&limit, &bound, sizeof limit);
  uint64_t largest = 0;
  for (ptrdiff_t i = 0; i < count; ++i) {
    uint64_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    bits &= 0x7fffffffffffffffu;
    largest = bits > largest ? bits : largest;
  }
  return largest <= limit;
}

// |value · scale| stays under 2^51, so adding 1.5 · 2^52 leaves the rounded integer in the low bits of the sum: the
// same result as llrint (ties to even), in a form that vectorises on every processor. Beyond 2^51 llrint itself serves.
constexpr double magic = 6755399441055744.0;  // 1.5 · 2^52
constexpr int64_t magic_bits = 0x4338000000000000;
constexpr double small = 2251799813685248.0;  // 2^51

template <typename Value, bool subtracting>
inline void fold_small(const Value *values, ptrdiff_t count, double scale, int64_t *sums) {
  for (ptrdiff_t i = 0; i < count; ++i) {
    const double shifted = static_cast<double>(values[i]) * scale + magic;
    int64_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    const int64_t rounded = bits - magic_bits;
    sums[i] = subtracting ? sums[i] - rounded : sums[i] + rounded;
  }
}

TESSERA_VECTORISED void fold_small(const float *values, ptrdiff_t count, double scale, bool subtracting, int64_t *sums) {
  subtracting ? fold_small<float, true>(values, count, scale, sums) : fold_small<float, false>(values, count, scale, sums);
}

TESSERA_VECTORISED void fold_small(const double *values, ptrdiff_t count, double scale, bool subtracting, int64_t *sums) {
  subtracting ? fold_small<double, true>(values, count, scale, sums) : fold_small<double, false>(values, count, scale, sums);
}

template <typename Value>
void fold_chunk(const Value *values, ptrdiff_t count, double scale, double bound, bool subtracting, int64_t *sums) {
  if (bound * std::abs(scale) < small) return fold_small(values, count, scale, subtracting, sums);
  for (ptrdiff_t i = 0; i < count; ++i) {
    const int64_t rounded = std::llrint(static_cast<double>(values[i]) * scale);
    sums[i] = subtracting ? sums[i] - rounded : sums[i] + rounded;
  }
}

/// The largest value that `bound` allows: beyond the type's own range that is its largest number, not infinity.
template <typename Value>
Value limit(double bound) {
  constexpr Value largest = std::numeric_limits<Value>::max();
  return bound < static_cast<double>(largest) ? static_cast<Value>(bound) : largest;
}

template <typename Value>
bool fold(const Value *values, ptrdiff_t count, double scale, double bound, bool subtracting, int64_t *sums) {
  for (ptrdiff_t start = 0; start < count; start += chunk) {
    const ptrdiff_t length = std::min(chunk, count - start);
    if (!is_within(values + start, length, limit<Value>(bound))) {
      // Take back what this call added: nothing of a refused update stays.
      for (ptrdiff_t done = 0; done < start; done += chunk) {
        fold_chunk(values + done, std::min(chunk, start - done), scale, bound, !subtracting, sums + done);
      }
      return false;
    }
    fold_chunk(values + start, length, scale, bound, subtracting, sums + start);
  }
  return true;
}

}  // namespace

TesseraCode tessera_fold(const TesseraTensor *x, double scale, double bound, bool subtracting, int64_t *sums, ptrdiff_t count) {
  bool accepted = false;
  const TesseraCode code = guarded([&] {
    const at::Tensor &lent = borrowed(x);
    TORCH_CHECK(lent.numel() == count, "an update of ", lent.numel(), " elements does not fit a sum of ", count);
    TORCH_CHECK(bound * std::abs(scale) < 4611686018427387904.0, "the scale leaves no room for the bound");
    at::Tensor plain = lent.detach().to(at::kCPU).contiguous();
    if (plain.scalar_type() != at::kFloat && plain.scalar_type() != at::kDouble) plain = plain.to(at::kDouble);
    accepted = plain.scalar_type() == at::kFloat
                   ? fold(plain.const_data_ptr<float>(), count, scale, bound, subtracting, sums)
                   : fold(plain.const_data_ptr<double>(), count, scale, bound, subtracting, sums);
  });
  if (code != TESSERA_OK) return code;
  return accepted ? TESSERA_OK : failed(TESSERA_NUMERICAL, "a value is not a number, infinite or too large");
}

TesseraCode tessera_unfold_sums(const int64_t *sums, double scale, const ptrdiff_t *shape, ptrdiff_t rank, TesseraDType type, TesseraOut out) {
  return guarded([&] {
    at::Tensor values = at::empty(ints(shape, rank), at::TensorOptions().dtype(at::kDouble));
    double *target = values.mutable_data_ptr<double>();
    const ptrdiff_t count = values.numel();
    for (ptrdiff_t i = 0; i < count; ++i) target[i] = static_cast<double>(sums[i]) / scale;
    const at::ScalarType wanted = dtype(type);
    // Counters round to the nearest whole number, where a plain conversion would cut.
    if (at::isIntegralType(wanted, /*includeBool=*/false)) values.round_();
    *out = released(values.to(wanted));
  });
}
