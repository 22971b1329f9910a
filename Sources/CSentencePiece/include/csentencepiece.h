// The C door to SentencePiece: what TesseraRetrieval's tokenizer calls, and nothing else does.
//
// Conventions, for every function here:
//  - It returns a code. On anything but CSENTENCEPIECE_OK, nothing was written to `out`, and csentencepiece_last_message() says what went
//    wrong on this thread.
//  - A `const` handle is borrowed, and may be used by several threads at once. A handle written to `out` belongs to the caller, who
//    releases it.
//  - C++ exceptions never leave.

#ifndef CSENTENCEPIECE_H
#define CSENTENCEPIECE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma clang assume_nonnull begin

#define CSENTENCEPIECE_API __attribute__((visibility("default")))

typedef struct CSentencePieceModel CSentencePieceModel;

typedef enum {
  CSENTENCEPIECE_OK = 0,
  /// Bytes are no model.
  CSENTENCEPIECE_MALFORMED = 1,
  /// Training refuses its settings or its texts.
  CSENTENCEPIECE_INVALID_ARGUMENT = 2,
  CSENTENCEPIECE_OUT_OF_MEMORY = 3,
  CSENTENCEPIECE_INTERNAL = 4,
} CSentencePieceCode;

/// The message of the last failure on this thread. Valid until the next failure.
CSENTENCEPIECE_API const char *csentencepiece_last_message(void);

/// Reads a model.
CSENTENCEPIECE_API CSentencePieceCode csentencepiece_load(const uint8_t *bytes, ptrdiff_t count, CSentencePieceModel *_Nullable *_Nonnull out);
CSENTENCEPIECE_API void csentencepiece_release(CSentencePieceModel *model);
/// How many pieces it has.
CSENTENCEPIECE_API int32_t csentencepiece_count(const CSentencePieceModel *model);
/// The numbers of what fills up, of what is unknown, of the beginning and of the end; -1 for those that it does not have.
CSENTENCEPIECE_API void csentencepiece_special(const CSentencePieceModel *model, int32_t numbers[_Nonnull 4]);
/// Cuts a text into pieces. Writes the numbers of the first `capacity`, and to `count` how many there are.
CSENTENCEPIECE_API CSentencePieceCode csentencepiece_encode(const CSentencePieceModel *model, const uint8_t *text, ptrdiff_t size, int32_t *numbers, ptrdiff_t capacity, ptrdiff_t *count);

/// The next text to train on: writes where it lies, valid until the next call, and returns its size; -1 at the end.
typedef ptrdiff_t (*CSentencePieceTexts)(void *context, const uint8_t *_Nullable *_Nonnull text);
/// Trains a unigram model of `pieces` pieces, and gives its bytes to `receive`.
CSENTENCEPIECE_API CSentencePieceCode csentencepiece_train(CSentencePieceTexts texts, void *context, int32_t pieces, double coverage, void (*receive)(void *context, const uint8_t *bytes, ptrdiff_t count));

#pragma clang assume_nonnull end

#ifdef __cplusplus
}
#endif

#endif
