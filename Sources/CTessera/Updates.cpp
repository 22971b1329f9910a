// What rules need that compare updates with each other: order statistics and distances. One thread and a fixed order of all
// additions, so that the bits do not depend on the machine's load.

#include "Failure.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

using namespace tessera;

// Fused multiplications would round otherwise on processors that have them.
#pragma clang fp contract(off)

namespace {

// Columns that are sorted, or compared, together: their rows stay in the cache.
constexpr ptrdiff_t columns_at_once = 256;
// Elements that are converted together: few enough for LibTorch not to share them out among threads.
constexpr ptrdiff_t block = 16384;
// Partial sums beside each other, which vector units of any width can share.
constexpr ptrdiff_t lanes = 16;

#if defined(__x86_64__)
#define TESSERA_VECTORISED __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define TESSERA_VECTORISED
#endif

/// Sorts every column ascending by Batcher's odd-even merge sort (1968): which rows are compared does not depend on the values,
/// so that a comparison is a minimum and a maximum of two whole rows.
template <typename Value>
inline void sort_block(Value *values, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t columns) {
  for (ptrdiff_t p = 1; p < rows; p *= 2) {
    for (ptrdiff_t k = p; k >= 1; k /= 2) {
      for (ptrdiff_t j = k % p; j + k < rows; j += 2 * k) {
        for (ptrdiff_t i = 0; i < std::min(k, rows - j - k); ++i) {
          if ((i + j) / (2 * p) != (i + j + k) / (2 * p)) continue;
          Value *low = values + (i + j) * stride;
          Value *high = values + (i + j + k) * stride;
          for (ptrdiff_t c = 0; c < columns; ++c) {
            const Value a = low[c], b = high[c];
            low[c] = b < a ? b : a;
            high[c] = b < a ? a : b;
          }
        }
      }
    }
  }
}

TESSERA_VECTORISED void sort_columns(float *values, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t columns) {
  sort_block(values, rows, stride, columns);
}

TESSERA_VECTORISED void sort_columns(double *values, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t columns) {
  sort_block(values, rows, stride, columns);
}

template <typename Value>
inline double squared_distance_block(const Value *a, const Value *b, ptrdiff_t count) {
  double sums[lanes] = {};
  ptrdiff_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (ptrdiff_t lane = 0; lane < lanes; ++lane) {
      const double difference = static_cast<double>(a[i + lane]) - static_cast<double>(b[i + lane]);
      sums[lane] += difference * difference;
    }
  }
  double total = 0;
  for (; i < count; ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    total += difference * difference;
  }
  for (const double sum : sums) total += sum;
  return total;
}

TESSERA_VECTORISED double squared_distance(const float *a, const float *b, ptrdiff_t count) {
  return squared_distance_block(a, b, count);
}

TESSERA_VECTORISED double squared_distance(const double *a, const double *b, ptrdiff_t count) {
  return squared_distance_block(a, b, count);
}

template <typename Value>
void add_distances(const Value *values, ptrdiff_t rows, ptrdiff_t columns, double *sums) {
  for (ptrdiff_t start = 0; start < columns; start += columns_at_once) {
    const ptrdiff_t length = std::min(columns_at_once, columns - start);
    for (ptrdiff_t i = 0; i < rows; ++i) {
      for (ptrdiff_t j = i + 1; j < rows; ++j) {
        sums[i * rows + j] += squared_distance(values + i * columns + start, values + j * columns + start, length);
      }
    }
  }
}

void check_matrix(const at::Tensor &x) {
  TORCH_CHECK_VALUE(x.dim() == 2, "a matrix is needed, not ", x.dim(), " dimensions");
  TORCH_CHECK_NOT_IMPLEMENTED(x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble, "rows of ", x.scalar_type());
}

}  // namespace

TesseraCode tessera_sorted_columns(const TesseraTensor *x, TesseraOut out) {
  return guarded([&] {
    const at::Tensor &lent = borrowed(x);
    check_matrix(lent);
    at::Tensor sorted = at::empty(lent.sizes(), lent.options().device(at::kCPU).requires_grad(false));
    sorted.copy_(lent.detach());
    const ptrdiff_t rows = sorted.size(0), columns = sorted.size(1);
    const auto sort = [&](auto *values) {
      for (ptrdiff_t start = 0; start < columns; start += columns_at_once) {
        sort_columns(values + start, rows, columns, std::min(columns_at_once, columns - start));
      }
    };
    if (sorted.scalar_type() == at::kFloat) sort(sorted.mutable_data_ptr<float>());
    else sort(sorted.mutable_data_ptr<double>());
    *out = released(std::move(sorted));
  });
}

TesseraCode tessera_add_squared_distances(const TesseraTensor *x, double *sums, ptrdiff_t rows) {
  return guarded([&] {
    const at::Tensor plain = borrowed(x).detach().to(at::kCPU).contiguous();
    check_matrix(plain);
    TORCH_CHECK_VALUE(plain.size(0) == rows, "there are ", plain.size(0), " rows where ", rows, " were expected");
    if (plain.scalar_type() == at::kFloat) add_distances(plain.const_data_ptr<float>(), rows, plain.size(1), sums);
    else add_distances(plain.const_data_ptr<double>(), rows, plain.size(1), sums);
  });
}

TesseraCode tessera_squared_distance(const TesseraTensor *a, TesseraOptional b, double *out) {
  return guarded([&] {
    const at::Tensor first = borrowed(a).detach().to(at::kCPU).contiguous().view({-1});
    const at::Tensor second =
        b == nullptr ? at::zeros({block}, first.options()) : borrowed(b).detach().to(at::kCPU).contiguous().view({-1});
    TORCH_CHECK_VALUE(b == nullptr || second.numel() == first.numel(), "the tensors have different sizes");
    TORCH_CHECK_VALUE(second.scalar_type() == first.scalar_type(), "the tensors have different types");
    double total = 0;
    for (ptrdiff_t start = 0; start < first.numel(); start += block) {
      const ptrdiff_t length = std::min(block, static_cast<ptrdiff_t>(first.numel()) - start);
      const ptrdiff_t place = b == nullptr ? 0 : start;
      if (first.scalar_type() == at::kFloat) {
        total += squared_distance(first.const_data_ptr<float>() + start, second.const_data_ptr<float>() + place, length);
        continue;
      }
      // A block at a time: no whole copy is made of types that have to be converted.
      const at::Tensor x = first.narrow(0, start, length).to(at::kDouble);
      const at::Tensor y = second.narrow(0, place, length).to(at::kDouble);
      total += squared_distance(x.const_data_ptr<double>(), y.const_data_ptr<double>(), length);
    }
    *out = total;
  });
}
