// The C door to Microsoft SEAL's CKKS: what TesseraFederation's homomorphic encryption calls, and nothing else does.
//
// Conventions, for every function here:
//  - It returns a code. On anything but CSEAL_OK, nothing was written to `out`, and cseal_last_message() says what went
//    wrong on this thread.
//  - A `const` handle is borrowed, and may be used by several threads at once. A handle written to `out` belongs to the
//    caller, who releases it.
//  - Bytes that come from outside are checked before memory is allocated for them.
//  - C++ exceptions never leave. Messages hold sizes and parameters, never values or keys.

#ifndef CSEAL_H
#define CSEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma clang assume_nonnull begin

#define CSEAL_API __attribute__((visibility("default")))

/// The checked parameters, with the tables that SEAL computes from them.
typedef struct CSEALContext CSEALContext;
typedef struct CSEALSecretKey CSEALSecretKey;
typedef struct CSEALPublicKey CSEALPublicKey;
/// Running sums of ciphertexts. Unlike the others it changes: one thread at a time.
typedef struct CSEALSums CSEALSums;

typedef enum {
  CSEAL_OK = 0,
  /// SEAL refuses the parameters, or they are not 128-bit secure.
  CSEAL_INVALID_PARAMETERS = 1,
  CSEAL_INVALID_ARGUMENT = 2,
  /// Bytes are not what they should be: cut off, altered, or of other parameters.
  CSEAL_MALFORMED = 3,
  /// A value is NaN, infinite or larger than the bound.
  CSEAL_OUT_OF_RANGE = 4,
  CSEAL_OUT_OF_MEMORY = 5,
  CSEAL_INTERNAL = 6,
} CSEALCode;

/// 512 bits that all random draws of one call derive from; null for the system's secure generator.
typedef const uint64_t *_Nullable CSEALSeed;
#define CSEAL_SEED_WORDS 8

/// The message of the last failure on this thread. Valid until the next failure.
CSEAL_API const char *cseal_last_message(void);
CSEAL_API const char *cseal_version(void);

// Parameters -------------------------------------------------------------------------------------------------

typedef struct {
  /// The degree of the polynomials, a power of two. Half of it is the number of values in a ciphertext.
  ptrdiff_t degree;
  /// The sizes of the primes in bits; the last is used for keys only.
  const int32_t *bits;
  ptrdiff_t bits_count;
  /// How many of the primes, from the first on, a ciphertext is modulo.
  ptrdiff_t primes;
  /// The base-2 logarithm of what values are multiplied by before they are rounded.
  int32_t scale_bits;
} CSEALParameters;

CSEAL_API CSEALCode cseal_context(const CSEALParameters *parameters, CSEALContext *_Nullable *_Nonnull out);
CSEAL_API void cseal_context_release(CSEALContext *context);
/// The size of every ciphertext in bytes, with its second half as a seed or in full.
CSEAL_API ptrdiff_t cseal_ciphertext_size(const CSEALContext *context, bool seeded);

// Keys -------------------------------------------------------------------------------------------------------

CSEAL_API CSEALCode cseal_generate_key(const CSEALContext *context, CSEALSeed seed, CSEALSecretKey *_Nullable *_Nonnull out);
CSEAL_API void cseal_secret_key_release(CSEALSecretKey *key);
CSEAL_API ptrdiff_t cseal_secret_key_size(const CSEALContext *context);
/// Writes exactly `cseal_secret_key_size` bytes.
CSEAL_API CSEALCode cseal_save_secret_key(const CSEALContext *context, const CSEALSecretKey *key, uint8_t *bytes, ptrdiff_t count);
CSEAL_API CSEALCode cseal_load_secret_key(const CSEALContext *context, const uint8_t *bytes, ptrdiff_t count, CSEALSecretKey *_Nullable *_Nonnull out);

CSEAL_API ptrdiff_t cseal_public_key_size(const CSEALContext *context);
/// Makes a public key and writes it as exactly `cseal_public_key_size` bytes.
CSEAL_API CSEALCode cseal_make_public_key(const CSEALContext *context, const CSEALSecretKey *key, CSEALSeed seed, uint8_t *bytes, ptrdiff_t count);
CSEAL_API CSEALCode cseal_load_public_key(const CSEALContext *context, const uint8_t *bytes, ptrdiff_t count, CSEALPublicKey *_Nullable *_Nonnull out);
CSEAL_API void cseal_public_key_release(CSEALPublicKey *key);

// Ciphertexts ------------------------------------------------------------------------------------------------

/// Encrypts `values[i] · weight` with the secret key and writes exactly `cseal_ciphertext_size(context, true)` bytes.
/// At most `degree / 2` values; every magnitude at most `bound`.
CSEAL_API CSEALCode cseal_encrypt_symmetric(const CSEALContext *context, const CSEALSecretKey *key, const double *values, ptrdiff_t count, double weight, double bound, CSEALSeed seed, uint8_t *bytes, ptrdiff_t capacity);
/// The same with the public key, as exactly `cseal_ciphertext_size(context, false)` bytes.
CSEAL_API CSEALCode cseal_encrypt_public(const CSEALContext *context, const CSEALPublicKey *key, const double *values, ptrdiff_t count, double weight, double bound, CSEALSeed seed, uint8_t *bytes, ptrdiff_t capacity);
/// Decrypts one ciphertext and writes the first `count` values, each times `factor`. CSEAL_OUT_OF_RANGE if a magnitude is
/// larger than `bound`: it was encrypted with another key, or altered.
CSEAL_API CSEALCode cseal_decrypt(const CSEALContext *context, const CSEALSecretKey *key, const uint8_t *bytes, ptrdiff_t size, double bound, double factor, double *values, ptrdiff_t count);

// Sums -------------------------------------------------------------------------------------------------------

/// `count` sums without addends.
CSEAL_API CSEALCode cseal_sums(const CSEALContext *context, ptrdiff_t count, CSEALSums *_Nullable *_Nonnull out);
CSEAL_API void cseal_sums_release(CSEALSums *sums);
/// Adds one ciphertext to the sum at `index`, or takes it back; after a failure the sum is as before.
CSEAL_API CSEALCode cseal_sums_add(const CSEALContext *context, CSEALSums *sums, ptrdiff_t index, const uint8_t *bytes, ptrdiff_t size, bool subtracting);
/// Writes the sum at `index` as exactly `cseal_ciphertext_size(context, false)` bytes.
CSEAL_API CSEALCode cseal_sums_save(const CSEALContext *context, const CSEALSums *sums, ptrdiff_t index, uint8_t *bytes, ptrdiff_t capacity);

#pragma clang assume_nonnull end

#ifdef __cplusplus
}
#endif

#endif
