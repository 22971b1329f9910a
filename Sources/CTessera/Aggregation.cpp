// Exact sums: fixed-point integers, so that the order of the addends cannot matter.

#include "Failure.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

using namespace tessera;

// Fused multiplications would round otherwise on processors that have them: the same bits everywhere.
#pragma clang fp contract(off)

namespace {

// One core keeps a chunk in its cache between the check and the sum.
constexpr ptrdiff_t chunk = 4096;
// How many elements of other types are converted at a time: few enough for LibTorch not to share them out among threads.
constexpr ptrdiff_t converted = 4 * chunk;

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

// Adding 1.5 · 2^52 to a number under 2^51 leaves the rounded integer in the low bits of the sum: the same result as llrint (ties
// to even), in a form that vectorises on every processor.
constexpr double magic = 6755399441055744.0;  // 1.5 · 2^52
constexpr int64_t magic_bits = 0x4338000000000000;
constexpr double small = 2251799813685248.0;  // 2^51
constexpr double step = 4294967296.0;  // 2^32

inline int64_t rounded_small(double value) {
  const double shifted = value + magic;
  int64_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  return bits - magic_bits;
}

/// The nearest integer to a number up to 2^62: its multiples of 2^32, which leave an exact rest, and the rest for themselves.
inline int64_t rounded_large(double value) {
  const double shifted = value * (1 / step) + magic;
  const double high = shifted - magic;
  return rounded_small(value - high * step) + static_cast<int64_t>(static_cast<uint64_t>(rounded_small(high)) << 32);
}

template <typename Value, bool is_small, bool subtracting>
inline void fold_block(const Value *values, ptrdiff_t count, double scale, int64_t *sums) {
  for (ptrdiff_t i = 0; i < count; ++i) {
    const double value = static_cast<double>(values[i]) * scale;
    const int64_t rounded = is_small ? rounded_small(value) : rounded_large(value);
    sums[i] = subtracting ? sums[i] - rounded : sums[i] + rounded;
  }
}

template <typename Value, bool is_small>
inline void fold_block(const Value *values, ptrdiff_t count, double scale, bool subtracting, int64_t *sums) {
  subtracting ? fold_block<Value, is_small, true>(values, count, scale, sums)
              : fold_block<Value, is_small, false>(values, count, scale, sums);
}

TESSERA_VECTORISED void fold_small(const float *values, ptrdiff_t count, double scale, bool subtracting, int64_t *sums) {
  fold_block<float, true>(values, count, scale, subtracting, sums);
}

TESSERA_VECTORISED void fold_small(const double *values, ptrdiff_t count, double scale, bool subtracting, int64_t *sums) {
  fold_block<double, true>(values, count, scale, subtracting, sums);
}

TESSERA_VECTORISED void fold_large(const float *values, ptrdiff_t count, double scale, bool subtracting, int64_t *sums) {
  fold_block<float, false>(values, count, scale, subtracting, sums);
}

TESSERA_VECTORISED void fold_large(const double *values, ptrdiff_t count, double scale, bool subtracting, int64_t *sums) {
  fold_block<double, false>(values, count, scale, subtracting, sums);
}

template <typename Value>
void fold_chunk(const Value *values, ptrdiff_t count, double scale, double bound, bool subtracting, int64_t *sums) {
  bound * std::abs(scale) < small ? fold_small(values, count, scale, subtracting, sums)
                                  : fold_large(values, count, scale, subtracting, sums);
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

/// Folds values of any type: those that are neither float nor double a block at a time, so that no whole copy is made of them.
bool fold_any(const at::Tensor &plain, double scale, double bound, bool subtracting, int64_t *sums) {
  const ptrdiff_t count = plain.numel();
  if (plain.scalar_type() == at::kFloat) return fold(plain.const_data_ptr<float>(), count, scale, bound, subtracting, sums);
  if (plain.scalar_type() == at::kDouble) return fold(plain.const_data_ptr<double>(), count, scale, bound, subtracting, sums);
  const at::Tensor flat = plain.view({-1});
  const auto block = [&](ptrdiff_t start) { return flat.narrow(0, start, std::min(converted, count - start)).to(at::kDouble); };
  for (ptrdiff_t start = 0; start < count; start += converted) {
    const at::Tensor values = block(start);
    if (fold(values.const_data_ptr<double>(), values.numel(), scale, bound, subtracting, sums + start)) continue;
    for (ptrdiff_t done = 0; done < start; done += converted) {
      const at::Tensor added = block(done);
      fold(added.const_data_ptr<double>(), added.numel(), scale, bound, !subtracting, sums + done);
    }
    return false;
  }
  return true;
}

template <typename Value>
Value rounded_to(double value) {
  if constexpr (std::is_same_v<Value, bool>) {
    return value != 0;
  } else if constexpr (std::is_integral_v<Value>) {
    // Counters round to the nearest whole number, where a plain conversion would cut.
    return static_cast<Value>(std::nearbyint(value));
  } else {
    return static_cast<Value>(value);
  }
}

TESSERA_VECTORISED void divide(const int64_t *sums, ptrdiff_t count, double scale, double *quotients) {
  for (ptrdiff_t i = 0; i < count; ++i) quotients[i] = static_cast<double>(sums[i]) / scale;
}

/// Writes the quotients over the sums, front to back. A value is never larger than its sum, so what is written lies behind
/// what is still to be read; each block has left the memory before anything is written to its place.
template <typename Value>
void unfold(int64_t *sums, double scale, const Value *reference, double share, ptrdiff_t count) {
  static_assert(sizeof(Value) <= sizeof(int64_t));
  constexpr ptrdiff_t block = 512;
  auto *target = reinterpret_cast<char *>(sums);
  double quotients[block];
  Value values[block];
  for (ptrdiff_t start = 0; start < count; start += block) {
    const ptrdiff_t length = std::min(block, count - start);
    divide(sums + start, length, scale, quotients);
    if (reference != nullptr) {
      for (ptrdiff_t i = 0; i < length; ++i) quotients[i] += share * static_cast<double>(reference[start + i]);
    }
    for (ptrdiff_t i = 0; i < length; ++i) values[i] = rounded_to<Value>(quotients[i]);
    std::memcpy(target + start * static_cast<ptrdiff_t>(sizeof(Value)), values, static_cast<size_t>(length) * sizeof(Value));
  }
}

template <typename Value, typename Bits>
inline double largest_magnitude(const Value *values, ptrdiff_t count) {
  // As in is_within: the largest magnitude as an integer, which NaN exceeds.
  Bits most = 0;
  for (ptrdiff_t i = 0; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, values + i, sizeof bits);
    bits &= std::numeric_limits<Bits>::max() >> 1;
    most = bits > most ? bits : most;
  }
  Value value;
  std::memcpy(&value, &most, sizeof value);
  return static_cast<double>(value);
}

TESSERA_VECTORISED double largest(const float *values, ptrdiff_t count) { return largest_magnitude<float, uint32_t>(values, count); }

TESSERA_VECTORISED double largest(const double *values, ptrdiff_t count) { return largest_magnitude<double, uint64_t>(values, count); }

}  // namespace

TesseraCode tessera_fold(const TesseraTensor *x, double scale, double bound, bool subtracting, int64_t *sums, ptrdiff_t count) {
  bool accepted = false;
  const TesseraCode code = guarded([&] {
    const at::Tensor &lent = borrowed(x);
    TORCH_CHECK(lent.numel() == count, "an update of ", lent.numel(), " elements does not fit a sum of ", count);
    TORCH_CHECK(bound * std::abs(scale) < 4611686018427387904.0, "the scale leaves no room for the bound");
    accepted = fold_any(lent.detach().to(at::kCPU).contiguous(), scale, bound, subtracting, sums);
  });
  if (code != TESSERA_OK) return code;
  return accepted ? TESSERA_OK : failed(TESSERA_NUMERICAL, "a value is not a number, infinite or too large");
}

TesseraCode tessera_unfold_sums(int64_t *sums, double scale, TesseraOptional reference, double share, ptrdiff_t count, TesseraDType type) {
  return guarded([&] {
    at::Tensor base;
    if (reference != nullptr) {
      base = borrowed(reference).detach().to(at::kCPU).contiguous();
      TORCH_CHECK(base.numel() == count && base.scalar_type() == dtype(type), "the reference does not fit the sums");
    }
    const auto write = [&](auto zero) {
      using Value = decltype(zero);
      unfold<Value>(sums, scale, base.defined() ? base.const_data_ptr<Value>() : nullptr, share, count);
    };
    switch (dtype(type)) {
      case at::kFloat: return write(float());
      case at::kDouble: return write(double());
      case at::kHalf: return write(at::Half());
      case at::kBFloat16: return write(at::BFloat16());
      case at::kLong: return write(int64_t());
      case at::kInt: return write(int32_t());
      case at::kShort: return write(int16_t());
      case at::kChar: return write(int8_t());
      case at::kByte: return write(uint8_t());
      case at::kBool: return write(bool());
      default: TORCH_CHECK_NOT_IMPLEMENTED(false, "sums of ", dtype(type));
    }
  });
}

TesseraCode tessera_largest_magnitude(const TesseraTensor *x, double *out) {
  return guarded([&] {
    const at::Tensor plain = borrowed(x).detach().to(at::kCPU).contiguous();
    TORCH_CHECK_NOT_IMPLEMENTED(!plain.is_complex(), "magnitudes of ", plain.scalar_type());
    const ptrdiff_t count = plain.numel();
    if (plain.scalar_type() == at::kFloat) {
      *out = largest(plain.const_data_ptr<float>(), count);
      return;
    }
    const at::Tensor flat = plain.view({-1});
    double most = 0;
    for (ptrdiff_t start = 0; start < count; start += converted) {
      const at::Tensor block = flat.narrow(0, start, std::min(converted, count - start)).to(at::kDouble);
      const double here = largest(block.const_data_ptr<double>(), block.numel());
      // NaN stays.
      if (!(here <= most)) most = here;
      if (std::isnan(most)) break;
    }
    *out = most;
  });
}
