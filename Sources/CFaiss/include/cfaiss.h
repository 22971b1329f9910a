// The C door to Faiss: what TesseraRetrievalFaiss calls, and nothing else does.
//
// Conventions, for every function here:
//  - It returns a code. On anything but CFAISS_OK, nothing was written to `out`, and cfaiss_last_message() says what went wrong on this
//    thread.
//  - A handle written to `out` belongs to the caller, who releases it. It is used by one thread at a time.
//  - C++ exceptions never leave.

#ifndef CFAISS_H
#define CFAISS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma clang assume_nonnull begin

#define CFAISS_API __attribute__((visibility("default")))

typedef struct CFaissIndex CFaissIndex;

typedef enum {
  CFAISS_OK = 0,
  /// Faiss refuses what it was given, or a file.
  CFAISS_INVALID_ARGUMENT = 1,
  CFAISS_OUT_OF_MEMORY = 2,
  CFAISS_INTERNAL = 3,
  /// A file cannot be written.
  CFAISS_CANNOT_WRITE = 4,
} CFaissCode;

/// The message of the last failure on this thread. Valid until the next failure.
CFAISS_API const char *cfaiss_last_message(void);

/// An index for inner products, made as Faiss's factory reads `description`: "HNSW32", "IVF1024,PQ80", "Flat".
CFAISS_API CFaissCode cfaiss_make(ptrdiff_t dimension, const char *description, CFaissIndex *_Nullable *_Nonnull out);
CFAISS_API void cfaiss_release(CFaissIndex *index);
/// Sets a number that Faiss knows by a name: "efConstruction", "efSearch", "nprobe".
CFAISS_API CFaissCode cfaiss_set(CFaissIndex *index, const char *name, double value);
/// How many vectors it has.
CFAISS_API ptrdiff_t cfaiss_count(const CFaissIndex *index);
CFAISS_API ptrdiff_t cfaiss_dimension(const CFaissIndex *index);
/// Learns lists and codes from `count` vectors.
CFAISS_API CFaissCode cfaiss_train(CFaissIndex *index, const float *vectors, ptrdiff_t count);
/// Adds vectors under labels.
CFAISS_API CFaissCode cfaiss_add(CFaissIndex *index, const float *vectors, const int64_t *labels, ptrdiff_t count);
/// The labels and scores of the `wanted` vectors most like each query, in `count` rows; -1 where there are no more.
CFAISS_API CFaissCode cfaiss_search(const CFaissIndex *index, const float *queries, ptrdiff_t count, ptrdiff_t wanted, float *scores, int64_t *labels);
CFAISS_API CFaissCode cfaiss_write(const CFaissIndex *index, const char *path);
/// Reads a file that `cfaiss_write` has written and nobody has changed: Faiss checks little of what it reads.
CFAISS_API CFaissCode cfaiss_read(const char *path, CFaissIndex *_Nullable *_Nonnull out);

#pragma clang assume_nonnull end

#ifdef __cplusplus
}
#endif

#endif
