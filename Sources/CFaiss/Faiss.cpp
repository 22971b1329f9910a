#include "cfaiss.h"

#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

// Read under our warnings, which are stricter than its own.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wall"
#pragma clang diagnostic ignored "-Wextra"
#include <faiss/AutoTune.h>
#include <faiss/IndexIDMap.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/impl/FaissException.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>
#pragma clang diagnostic pop

struct CFaissIndex {
  std::unique_ptr<faiss::Index> index;
};

namespace {

thread_local std::string last_message;

CFaissCode failed(CFaissCode code, const char *message) noexcept {
  try {
    last_message = message;
  } catch (...) {
    last_message.clear();
  }
  return code;
}

template <typename Body>
CFaissCode guarded(Body &&body) noexcept {
  try {
    body();
    return CFAISS_OK;
  } catch (const faiss::FaissException &error) {
    return failed(CFAISS_INVALID_ARGUMENT, error.what());
  } catch (const std::bad_alloc &) {
    return failed(CFAISS_OUT_OF_MEMORY, "host memory is exhausted");
  } catch (const std::exception &error) {
    return failed(CFAISS_INTERNAL, error.what());
  } catch (...) {
    return failed(CFAISS_INTERNAL, "an unknown C++ exception");
  }
}

[[noreturn]] void missing() { throw std::logic_error("this kind of index needs a function of LAPACK that is not linked"); }

}  // namespace

// Faiss needs BLAS and LAPACK. Of these, products of matrices are LibTorch's own, which are faster than Debian's. What follows is not in
// LibTorch, and is called only by rotations and other transforms that no index here has. Debian's libblas and liblapack are not linked:
// LibTorch would have its own products taken from them, according to the order in which libraries are loaded.
extern "C" {
#define CFAISS_MISSING(name) __attribute__((visibility("hidden"))) void name(void) { missing(); }
CFAISS_MISSING(dgesvd_)
CFAISS_MISSING(dgetrf_)
CFAISS_MISSING(dgetri_)
CFAISS_MISSING(dsyev_)
CFAISS_MISSING(sgesvd_)
CFAISS_MISSING(sgetri_)
CFAISS_MISSING(ssyrk_)
}

const char *cfaiss_last_message(void) { return last_message.c_str(); }

CFaissCode cfaiss_make(ptrdiff_t dimension, const char *description, CFaissIndex **out) {
  return guarded([&] {
    std::unique_ptr<faiss::Index> index(faiss::index_factory(static_cast<int>(dimension), description, faiss::METRIC_INNER_PRODUCT));
    if (auto *lists = dynamic_cast<faiss::IndexIVF *>(index.get())) {
      // Few vectors are no reason for warnings on the terminal.
      lists->cp.min_points_per_centroid = 1;
      if (auto *codes = dynamic_cast<faiss::IndexIVFPQ *>(lists)) {
        codes->pq.cp.min_points_per_centroid = 1;
        // An order of codes for comparisons by Hamming distance, which takes longer to find than all else and is not used here.
        codes->do_polysemous_training = false;
      }
    } else {
      // Other indexes number their vectors themselves.
      auto labelled = std::make_unique<faiss::IndexIDMap>(index.get());
      index.release();
      labelled->own_fields = true;
      index = std::move(labelled);
    }
    *out = new CFaissIndex{std::move(index)};
  });
}

void cfaiss_release(CFaissIndex *index) { delete index; }

CFaissCode cfaiss_set(CFaissIndex *index, const char *name, double value) {
  return guarded([&] { faiss::ParameterSpace().set_index_parameter(index->index.get(), name, value); });
}

ptrdiff_t cfaiss_count(const CFaissIndex *index) { return static_cast<ptrdiff_t>(index->index->ntotal); }

ptrdiff_t cfaiss_dimension(const CFaissIndex *index) { return index->index->d; }

CFaissCode cfaiss_train(CFaissIndex *index, const float *vectors, ptrdiff_t count) {
  return guarded([&] { index->index->train(count, vectors); });
}

CFaissCode cfaiss_add(CFaissIndex *index, const float *vectors, const int64_t *labels, ptrdiff_t count) {
  return guarded([&] { index->index->add_with_ids(count, vectors, labels); });
}

CFaissCode cfaiss_search(const CFaissIndex *index, const float *queries, ptrdiff_t count, ptrdiff_t wanted, float *scores, int64_t *labels) {
  return guarded([&] { index->index->search(count, queries, wanted, scores, labels); });
}

CFaissCode cfaiss_write(const CFaissIndex *index, const char *path) {
  const CFaissCode code = guarded([&] { faiss::write_index(index->index.get(), path); });
  // What it refuses of an index that is in memory is the file.
  return code == CFAISS_INVALID_ARGUMENT ? CFAISS_CANNOT_WRITE : code;
}

CFaissCode cfaiss_read(const char *path, CFaissIndex **out) {
  return guarded([&] {
    std::unique_ptr<faiss::Index> index(faiss::read_index(path));
    *out = new CFaissIndex{std::move(index)};
  });
}
