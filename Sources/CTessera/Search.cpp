// Inner products of many rows with a few queries, of which only the greatest matter: no product is kept that is not above a floor.

#include "Failure.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>

using namespace tessera;

// A sum of products is not compared bit by bit with anything: processors that multiply and add at once may.
#pragma clang fp contract(fast)

namespace {

#define TESSERA_INLINE __attribute__((always_inline)) inline

template <int width>
struct Lanes {
  typedef float Values __attribute__((vector_size(width * sizeof(float))));
  typedef int32_t Flags __attribute__((vector_size(width * sizeof(float))));
  Values values = {};

  TESSERA_INLINE static Lanes at(const float *from) {
    Lanes lanes;
    std::memcpy(&lanes.values, from, sizeof lanes.values);
    return lanes;
  }

  TESSERA_INLINE void add(const Lanes &a, const Lanes &b) { values += a.values * b.values; }
  TESSERA_INLINE void add(float a, const Lanes &b) { values += a * b.values; }

  TESSERA_INLINE float sum() const {
#pragma clang fp reassociate(on)
    float sum = 0;
    for (int lane = 0; lane < width; ++lane) sum += values[lane];
    return sum;
  }
};

/// What the products of some rows are kept in.
struct Hits {
  TesseraHit *next;
  const float *floors;

  TESSERA_INLINE void show(ptrdiff_t row, ptrdiff_t query, float score) {
    // False for NaN.
    if (score > floors[query]) *next++ = TesseraHit{row, static_cast<int32_t>(query), score};
  }
};

/// One row after the other, each once, as fast as memory gives them: several sums of each query run beside each other.
template <int width, int queries, int sums>
TESSERA_INLINE void along(const float *rows, ptrdiff_t first, ptrdiff_t count, ptrdiff_t dimension, const float *query, Hits &hits) {
  constexpr ptrdiff_t step = static_cast<ptrdiff_t>(width) * sums;
  for (ptrdiff_t row = first; row < first + count; ++row) {
    const float *values = rows + row * dimension;
    Lanes<width> parts[sums][queries];
    ptrdiff_t index = 0;
    for (; index + step <= dimension; index += step) {
      for (int part = 0; part < sums; ++part) {
        const auto some = Lanes<width>::at(values + index + part * width);
        for (int q = 0; q < queries; ++q) parts[part][q].add(some, Lanes<width>::at(query + q * dimension + index + part * width));
      }
    }
    for (int q = 0; q < queries; ++q) {
      for (int part = 1; part < sums; ++part) parts[0][q].values += parts[part][q].values;
      float sum = parts[0][q].sum();
      for (ptrdiff_t rest = index; rest < dimension; ++rest) sum += values[rest] * query[q * dimension + rest];
      hits.show(row, q, sum);
    }
  }
}

/// Some rows with a panel of queries, whose numbers of one index lie beside each other: all sums stay in registers.
template <int width, int vectors, int rows_at_once>
TESSERA_INLINE void across(
  const float *rows, ptrdiff_t first, ptrdiff_t dimension, const float *panel, ptrdiff_t query, ptrdiff_t queries, Hits &hits
) {
  Lanes<width> sums[rows_at_once][vectors];
  const float *values = rows + first * dimension;
  for (ptrdiff_t index = 0; index < dimension; ++index) {
    Lanes<width> some[vectors];
    for (int vector = 0; vector < vectors; ++vector) some[vector] = Lanes<width>::at(panel + (index * vectors + vector) * width);
    for (int row = 0; row < rows_at_once; ++row) {
      for (int vector = 0; vector < vectors; ++vector) sums[row][vector].add(values[row * dimension + index], some[vector]);
    }
  }
  for (int row = 0; row < rows_at_once; ++row) {
    for (int vector = 0; vector < vectors; ++vector) {
      const ptrdiff_t start = query + vector * width;
      const auto isAbove = sums[row][vector].values > Lanes<width>::at(hits.floors + start).values;
      int32_t any = 0;
      for (int lane = 0; lane < width; ++lane) any |= isAbove[lane];
      if (any == 0) continue;
      for (ptrdiff_t lane = 0; lane < std::min<ptrdiff_t>(width, queries - start); ++lane) {
        hits.show(first + row, start + lane, sums[row][vector].values[lane]);
      }
    }
  }
}

constexpr int rows_at_once = 6;
/// So many queries are taken along the rows; more go across them, in panels.
constexpr ptrdiff_t most_along = 4;

/// What all threads read.
struct Work {
  const float *rows;
  ptrdiff_t dimension;
  const float *queries;
  ptrdiff_t count;
  /// The queries' numbers in panels; empty if there are few queries.
  std::unique_ptr<float[]> panels;
  /// How many lanes lie beside each other in a panel.
  ptrdiff_t panel_width;
};

template <int width, int vectors>
TESSERA_INLINE void across_all(const Work &work, ptrdiff_t first, ptrdiff_t end, Hits &hits) {
  constexpr ptrdiff_t panel_width = static_cast<ptrdiff_t>(width) * vectors;
  // Rows that stay in the cache while all panels pass.
  constexpr ptrdiff_t some = 8 * rows_at_once;
  for (; first < end; first += some) {
    const ptrdiff_t last = std::min(end, first + some);
    for (ptrdiff_t query = 0; query < work.count; query += panel_width) {
      const float *panel = work.panels.get() + query * work.dimension;
      ptrdiff_t row = first;
      for (; row + rows_at_once <= last; row += rows_at_once) {
        across<width, vectors, rows_at_once>(work.rows, row, work.dimension, panel, query, work.count, hits);
      }
      for (; row < last; ++row) across<width, vectors, 1>(work.rows, row, work.dimension, panel, query, work.count, hits);
    }
  }
}

/// How many vectors of a panel the registers have room for, beside what is multiplied with them.
template <int width, int most_vectors>
TESSERA_INLINE void visit(const Work &work, ptrdiff_t first, ptrdiff_t end, Hits &hits) {
  if (work.panels == nullptr) {
    const ptrdiff_t count = end - first;
    switch (work.count) {
      case 1: return along<width, 1, 8>(work.rows, first, count, work.dimension, work.queries, hits);
      case 2: return along<width, 2, 4>(work.rows, first, count, work.dimension, work.queries, hits);
      case 3: return along<width, 3, 2>(work.rows, first, count, work.dimension, work.queries, hits);
      default: return along<width, 4, 2>(work.rows, first, count, work.dimension, work.queries, hits);
    }
  }
  const ptrdiff_t vectors = work.panel_width / width;
  if (vectors == 1) return across_all<width, 1>(work, first, end, hits);
  if (most_vectors == 2 || vectors == 2) return across_all<width, 2>(work, first, end, hits);
  if (vectors == 3) return across_all<width, most_vectors == 2 ? 2 : 3>(work, first, end, hits);
  return across_all<width, most_vectors == 2 ? 2 : 4>(work, first, end, hits);
}

/// The same for each kind of processor: how wide its vectors are, how many a panel has at most, and the code for it.
struct Kernel {
  ptrdiff_t width;
  ptrdiff_t most_vectors;
  void (*visit)(const Work &, ptrdiff_t first, ptrdiff_t end, Hits &);
};

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))) void visit_512(const Work &work, ptrdiff_t first, ptrdiff_t end, Hits &hits) {
  visit<16, 4>(work, first, end, hits);
}

__attribute__((target("avx2,fma"))) void visit_256(const Work &work, ptrdiff_t first, ptrdiff_t end, Hits &hits) {
  visit<8, 2>(work, first, end, hits);
}

void visit_128(const Work &work, ptrdiff_t first, ptrdiff_t end, Hits &hits) { visit<4, 2>(work, first, end, hits); }

const Kernel &kernel() {
  static const Kernel chosen = [] {
    __builtin_cpu_init();
    const bool fuses = __builtin_cpu_supports("fma");
    if (fuses && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
      return Kernel{16, 4, visit_512};
    }
    return fuses && __builtin_cpu_supports("avx2") ? Kernel{8, 2, visit_256} : Kernel{4, 2, visit_128};
  }();
  return chosen;
}
#else
void visit_128(const Work &work, ptrdiff_t first, ptrdiff_t end, Hits &hits) { visit<4, 4>(work, first, end, hits); }

const Kernel &kernel() {
  static const Kernel chosen{4, 4, visit_128};
  return chosen;
}
#endif

ptrdiff_t multiple(ptrdiff_t count, ptrdiff_t unit) { return (count + unit - 1) / unit * unit; }

/// The queries in panels, padded with zeros.
void pack(Work &work, const Kernel &kernel) {
  if (work.count <= most_along) return;
  work.panel_width = std::min(multiple(work.count, kernel.width), kernel.most_vectors * kernel.width);
  const ptrdiff_t padded = multiple(work.count, work.panel_width);
  work.panels = std::make_unique<float[]>(static_cast<size_t>(padded * work.dimension));
  for (ptrdiff_t query = 0; query < work.count; ++query) {
    float *panel = work.panels.get() + query / work.panel_width * work.panel_width * work.dimension + query % work.panel_width;
    for (ptrdiff_t index = 0; index < work.dimension; ++index) panel[index * work.panel_width] = work.queries[query * work.dimension + index];
  }
}

/// Runs `body` on each of the threads that LibTorch's own products use, this one among them.
///
/// LibTorch's parallel loops need a compiler with OpenMP; their library has a door without. Further threads of our own would compete with
/// those that wait, awake, for LibTorch's next operation.
template <typename Body>
void on_threads(int count, Body &body) {
  using Parallel = void (*)(void (*)(void *), void *, unsigned, unsigned);
  static const auto parallel = reinterpret_cast<Parallel>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
  if (count <= 1 || parallel == nullptr) return body();
  parallel([](void *body) { (*static_cast<Body *>(body))(); }, &body, static_cast<unsigned>(count), 0);
}

/// Rows that a thread takes at a time.
constexpr ptrdiff_t chunk = 768;

struct Chunk {
  TesseraHit *first;
  TesseraHit *end;
};

}  // namespace

TesseraCode tessera_visit_products(
  const float *rows, ptrdiff_t row_count, ptrdiff_t dimension, const float *queries, ptrdiff_t query_count, const float *floors,
  TesseraVisit visit, void *context
) {
  return guarded([&] {
    if (row_count <= 0 || query_count <= 0 || dimension <= 0) return;
    const Kernel &kernel = ::kernel();
    Work work{rows, dimension, queries, query_count, nullptr, 0};
    pack(work, kernel);
    // Lanes beyond the last query are compared, too, and their floors are above all.
    const ptrdiff_t padded = work.panels == nullptr ? query_count : multiple(query_count, work.panel_width);
    std::vector<float> bounds(static_cast<size_t>(padded), std::numeric_limits<float>::infinity());
    // The first blocks are small: floors rise quickly, and what is above them is few then.
    const ptrdiff_t most = std::max(chunk, std::min<ptrdiff_t>(1 << 17, (1 << 20) / query_count) / chunk * chunk);
    const ptrdiff_t capacity = std::min(most, multiple(row_count, chunk));
    const std::unique_ptr<TesseraHit[]> hits(new TesseraHit[static_cast<size_t>(capacity * query_count)]);
    std::vector<Chunk> chunks(static_cast<size_t>(capacity / chunk));
    ptrdiff_t block = std::min(chunk, capacity);
    for (ptrdiff_t start = 0; start < row_count; start += block, block = std::min(2 * block, capacity)) {
      const ptrdiff_t end = std::min(row_count, start + block);
      const ptrdiff_t count = (end - start + chunk - 1) / chunk;
      std::copy(floors, floors + query_count, bounds.begin());
      std::atomic<ptrdiff_t> next{0};
      auto body = [&] {
        for (ptrdiff_t index = next++; index < count; index = next++) {
          const ptrdiff_t first = start + index * chunk;
          Chunk &own = chunks[static_cast<size_t>(index)];
          own.first = hits.get() + index * chunk * query_count;
          Hits found{own.first, bounds.data()};
          kernel.visit(work, first, std::min(end, first + chunk), found);
          own.end = found.next;
        }
      };
      on_threads(static_cast<int>(std::min<ptrdiff_t>(tessera_threads(), count)), body);
      for (ptrdiff_t index = 0; index < count; ++index) {
        const Chunk &own = chunks[static_cast<size_t>(index)];
        if (own.end != own.first) visit(context, own.first, own.end - own.first);
      }
    }
  });
}
