// Secret and public keys.

#include "Failure.hpp"

using namespace cseal;
using seal::compr_mode_type;

namespace {

/// Every key has all primes.
size_t polynomial_bytes(const CSEALContext &context) {
  const auto &parameters = context.context.key_context_data()->parms();
  return parameters.poly_modulus_degree() * parameters.coeff_modulus().size() * sizeof(uint64_t);
}

void require_size(ptrdiff_t size, ptrdiff_t expected) {
  require(size == expected, CSEAL_MALFORMED, "the size is not that of a key of these parameters");
}

constexpr size_t header = sizeof(seal::Serialization::SEALHeader);

}  // namespace

CSEALCode cseal_generate_key(const CSEALContext *context, CSEALSeed seed, CSEALSecretKey **out) {
  return guarded(CSEAL_INTERNAL, [&] {
    const Draws draws(seed);
    const seal::KeyGenerator generator(context->context);
    *out = new CSEALSecretKey(*context, generator.secret_key());
  });
}

void cseal_secret_key_release(CSEALSecretKey *key) { delete key; }

ptrdiff_t cseal_secret_key_size(const CSEALContext *context) {
  // A plaintext: its parameters' digest, its size and scale, and a list of coefficients.
  const size_t members = sizeof(seal::parms_id_type) + sizeof(uint64_t) + sizeof(double);
  return static_cast<ptrdiff_t>(header + members + header + sizeof(uint64_t) + polynomial_bytes(*context));
}

CSEALCode cseal_save_secret_key(const CSEALContext *context, const CSEALSecretKey *key, uint8_t *bytes, ptrdiff_t count) {
  return guarded(CSEAL_INTERNAL, [&] {
    const auto written = key->key.save(sealed(bytes), static_cast<size_t>(count), compr_mode_type::none);
    require(written == cseal_secret_key_size(context) && written == count, CSEAL_INTERNAL, "a key has another size than expected");
  });
}

CSEALCode cseal_load_secret_key(const CSEALContext *context, const uint8_t *bytes, ptrdiff_t count, CSEALSecretKey **out) {
  return guarded(CSEAL_MALFORMED, [&] {
    require_size(count, cseal_secret_key_size(context));
    seal::SecretKey key;
    const auto read = key.load(context->context, sealed(bytes), static_cast<size_t>(count));
    require_size(read, count);
    *out = new CSEALSecretKey(*context, key);
  });
}

ptrdiff_t cseal_public_key_size(const CSEALContext *context) {
  // A ciphertext whose second polynomial is a seed.
  const size_t members = sizeof(seal::parms_id_type) + 1 + 3 * sizeof(uint64_t) + sizeof(double) + sizeof(uint64_t);
  const size_t seed = static_cast<size_t>(seal::UniformRandomGeneratorInfo::SaveSize(compr_mode_type::none));
  return static_cast<ptrdiff_t>(header + members + header + sizeof(uint64_t) + polynomial_bytes(*context) + seed);
}

CSEALCode cseal_make_public_key(const CSEALContext *context, const CSEALSecretKey *key, CSEALSeed seed, uint8_t *bytes, ptrdiff_t count) {
  return guarded(CSEAL_INTERNAL, [&] {
    const Draws draws(seed);
    const seal::KeyGenerator generator(context->context, key->key);
    const auto made = generator.create_public_key();
    const auto written = made.save(sealed(bytes), static_cast<size_t>(count), compr_mode_type::none);
    require(written == cseal_public_key_size(context) && written == count, CSEAL_INTERNAL, "a key has another size than expected");
  });
}

CSEALCode cseal_load_public_key(const CSEALContext *context, const uint8_t *bytes, ptrdiff_t count, CSEALPublicKey **out) {
  return guarded(CSEAL_MALFORMED, [&] {
    require_size(count, cseal_public_key_size(context));
    seal::PublicKey key;
    const auto read = key.load(context->context, sealed(bytes), static_cast<size_t>(count));
    require_size(read, count);
    *out = new CSEALPublicKey(*context, key);
  });
}

void cseal_public_key_release(CSEALPublicKey *key) { delete key; }
