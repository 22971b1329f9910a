#include "search_reference.h"

#include <faiss/IndexFlat.h>

#include <thread>
#include <vector>

#include <ATen/ATen.h>

namespace {

typedef float Lanes __attribute__((vector_size(64), aligned(4)));

float sum(const float *values, int64_t count) {
  Lanes a = {}, b = {}, c = {}, d = {};
  for (int64_t index = 0; index + 64 <= count; index += 64) {
    const auto *from = reinterpret_cast<const Lanes *>(values + index);
    a += from[0];
    b += from[1];
    c += from[2];
    d += from[3];
  }
  a += b + c + d;
  float total = 0;
  for (int lane = 0; lane < 16; ++lane) total += a[lane];
  return total;
}

at::Tensor over(const float *values, int64_t rows, int64_t columns) {
  return at::from_blob(const_cast<float *>(values), {rows, columns}, at::kFloat);
}

}  // namespace

// What Faiss's transforms need and a flat index does not; Debian's BLAS is not linked, so that its products are LibTorch's.
extern "C" {
#define MISSING(name) __attribute__((visibility("hidden"))) void name(void) { abort(); }
MISSING(dgesvd_)
MISSING(dgetrf_)
MISSING(dgetri_)
MISSING(dsyev_)
MISSING(sgesvd_)
MISSING(sgetri_)
MISSING(ssyrk_)
}

float search_reference_read(const float *values, int64_t count, int32_t threads) {
  std::vector<float> sums(static_cast<size_t>(threads));
  std::vector<std::thread> team;
  const int64_t part = count / threads;
  for (int32_t index = 0; index < threads; ++index) {
    team.emplace_back([&, index] { sums[static_cast<size_t>(index)] = sum(values + index * part, part); });
  }
  float total = 0;
  for (auto &member : team) member.join();
  for (float value : sums) total += value;
  return total;
}

void search_reference_product(const float *queries, int64_t count, const float *rows, int64_t row_count, int64_t dimension) {
  static at::Tensor out;
  if (!out.defined() || out.size(0) != count || out.size(1) != row_count) out = at::empty({count, row_count}, at::kFloat);
  at::mm_out(out, over(queries, count, dimension), over(rows, row_count, dimension).t());
}

struct SearchReferenceFlat {
  faiss::IndexFlatIP index;
};

SearchReferenceFlat *search_reference_flat(const float *rows, int64_t count, int64_t dimension) {
  auto *flat = new SearchReferenceFlat{faiss::IndexFlatIP(dimension)};
  flat->index.add(count, rows);
  return flat;
}

void search_reference_flat_free(SearchReferenceFlat *flat) { delete flat; }

void search_reference_flat_search(const SearchReferenceFlat *flat, const float *queries, int64_t count, float *scores, int64_t *labels) {
  flat->index.search(count, queries, 10, scores, labels);
}
