// What searches are compared with: reading of memory, LibTorch's product, and Faiss's flat index.

#ifndef SEARCH_REFERENCE_H
#define SEARCH_REFERENCE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Reads so many floats with so many threads, as fast as memory gives them. Returns something that depends on all of them.
float search_reference_read(const float *_Nonnull values, int64_t count, int32_t threads);

/// The product of `[queries, dimension]` and the transpose of `[rows, dimension]`, into memory that stays between calls.
void search_reference_product(const float *_Nonnull queries, int64_t count, const float *_Nonnull rows, int64_t row_count, int64_t dimension);

typedef struct SearchReferenceFlat SearchReferenceFlat;
/// Faiss's flat index for inner products, over a copy of the rows.
SearchReferenceFlat *_Nonnull search_reference_flat(const float *_Nonnull rows, int64_t count, int64_t dimension);
void search_reference_flat_free(SearchReferenceFlat *_Nonnull flat);
/// The best ten of each query.
void search_reference_flat_search(const SearchReferenceFlat *_Nonnull flat, const float *_Nonnull queries, int64_t count, float *_Nonnull scores, int64_t *_Nonnull labels);

#ifdef __cplusplus
}
#endif

#endif
