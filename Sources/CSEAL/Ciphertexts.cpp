// Encryption, decryption and sums.

#include "Failure.hpp"

#include <cmath>

using namespace cseal;
using seal::compr_mode_type;

seal::Ciphertext CSEALContext::load(const uint8_t *bytes, ptrdiff_t size, seal::MemoryPoolHandle pool) const {
  const bool seeded = size == cseal_ciphertext_size(this, true);
  require(seeded || size == cseal_ciphertext_size(this, false), CSEAL_MALFORMED, "the size is not that of a ciphertext of these parameters");
  seal::Ciphertext loaded(std::move(pool));
  // With sizes checked, SEAL checks the parameters' digest before it allocates, and every coefficient afterwards.
  const auto read = loaded.load(context, sealed(bytes), static_cast<size_t>(size));
  require(read == size, CSEAL_MALFORMED, "a ciphertext ends before its bytes do");
  require(loaded.parms_id() == level && loaded.size() == 2 && loaded.is_ntt_form() && loaded.scale() == scale, CSEAL_MALFORMED,
          "a ciphertext is of another level or scale");
  return loaded;
}

namespace {

/// Multiplies by the weight and encodes, after a look at every value.
seal::Plaintext encoded(const CSEALContext &context, const double *values, ptrdiff_t count, double weight, double bound) {
  require(count >= 0 && static_cast<size_t>(count) <= context.encoder.slot_count(), CSEAL_INVALID_ARGUMENT, "too many values for one ciphertext");
  bool fits = true;
  for (ptrdiff_t i = 0; i < count; ++i) fits &= std::abs(values[i]) <= bound;  // false for NaN
  require(fits, CSEAL_OUT_OF_RANGE, "a value is not a number, infinite or too large");
  std::vector<double> weighted(static_cast<size_t>(count));
  for (ptrdiff_t i = 0; i < count; ++i) weighted[static_cast<size_t>(i)] = values[i] * weight;
  seal::Plaintext plain(scratch());
  context.encoder.encode(weighted, context.level, context.scale, plain, scratch());
  return plain;
}

}  // namespace

ptrdiff_t cseal_ciphertext_size(const CSEALContext *context, bool seeded) {
  const auto &parameters = context->context.get_context_data(context->level)->parms();
  const size_t polynomial = parameters.poly_modulus_degree() * parameters.coeff_modulus().size() * sizeof(uint64_t);
  const size_t header = sizeof(seal::Serialization::SEALHeader);
  const size_t members = sizeof(seal::parms_id_type) + 1 + 3 * sizeof(uint64_t) + sizeof(double) + sizeof(uint64_t);
  const size_t second = seeded ? static_cast<size_t>(seal::UniformRandomGeneratorInfo::SaveSize(compr_mode_type::none)) : polynomial;
  return static_cast<ptrdiff_t>(header + members + header + sizeof(uint64_t) + polynomial + second);
}

CSEALCode cseal_encrypt_symmetric(const CSEALContext *context, const CSEALSecretKey *key, const double *values, ptrdiff_t count, double weight,
                                  double bound, CSEALSeed seed, uint8_t *bytes, ptrdiff_t capacity) {
  return guarded(CSEAL_INTERNAL, [&] {
    const Draws draws(seed);
    const auto plain = encoded(*context, values, count, weight, bound);
    const auto made = key->encryptor.encrypt_symmetric(plain, scratch());
    const auto written = made.save(sealed(bytes), static_cast<size_t>(capacity), compr_mode_type::none);
    require(written == cseal_ciphertext_size(context, true), CSEAL_INTERNAL, "a ciphertext has another size than expected");
  });
}

CSEALCode cseal_encrypt_public(const CSEALContext *context, const CSEALPublicKey *key, const double *values, ptrdiff_t count, double weight,
                               double bound, CSEALSeed seed, uint8_t *bytes, ptrdiff_t capacity) {
  return guarded(CSEAL_INTERNAL, [&] {
    const Draws draws(seed);
    const auto plain = encoded(*context, values, count, weight, bound);
    seal::Ciphertext made(scratch());
    key->encryptor.encrypt(plain, made, scratch());
    const auto written = made.save(sealed(bytes), static_cast<size_t>(capacity), compr_mode_type::none);
    require(written == cseal_ciphertext_size(context, false), CSEAL_INTERNAL, "a ciphertext has another size than expected");
  });
}

CSEALCode cseal_decrypt(const CSEALContext *context, const CSEALSecretKey *key, const uint8_t *bytes, ptrdiff_t size, double bound,
                        double factor, double *values, ptrdiff_t count) {
  return guarded(CSEAL_MALFORMED, [&] {
    require(count >= 0 && static_cast<size_t>(count) <= context->encoder.slot_count(), CSEAL_INVALID_ARGUMENT, "too many values for one ciphertext");
    const auto ciphertext = context->load(bytes, size, scratch());
    seal::Plaintext plain(scratch());
    key->decryptor.decrypt(ciphertext, plain);
    std::vector<double> decoded;
    context->encoder.decode(plain, decoded, scratch());
    // Every slot counts, used or not: with another key all of them are noise as large as the primes.
    bool fits = true;
    for (const double value : decoded) fits &= std::abs(value) <= bound;
    require(fits, CSEAL_OUT_OF_RANGE, "the values are larger than any sum of what may be encrypted");
    for (ptrdiff_t i = 0; i < count; ++i) values[i] = decoded[static_cast<size_t>(i)] * factor;
  });
}

struct CSEALSums {
  // Of its own, so that the memory goes with the sums.
  seal::MemoryPoolHandle pool = seal::MemoryPoolHandle::New();
  std::vector<seal::Ciphertext> sums;
};

CSEALCode cseal_sums(const CSEALContext *, ptrdiff_t count, CSEALSums **out) {
  return guarded(CSEAL_INTERNAL, [&] {
    require(count >= 0, CSEAL_INVALID_ARGUMENT, "a number of sums is not negative");
    auto made = std::make_unique<CSEALSums>();
    made->sums.reserve(static_cast<size_t>(count));
    for (ptrdiff_t i = 0; i < count; ++i) made->sums.emplace_back(made->pool);
    *out = made.release();
  });
}

void cseal_sums_release(CSEALSums *sums) { delete sums; }

CSEALCode cseal_sums_add(const CSEALContext *context, CSEALSums *sums, ptrdiff_t index, const uint8_t *bytes, ptrdiff_t size, bool subtracting) {
  return guarded(CSEAL_MALFORMED, [&] {
    require(index >= 0 && static_cast<size_t>(index) < sums->sums.size(), CSEAL_INVALID_ARGUMENT, "there is no such sum");
    seal::Ciphertext &sum = sums->sums[static_cast<size_t>(index)];
    const auto addend = context->load(bytes, size, scratch());
    if (subtracting) {
      require(sum.size() != 0, CSEAL_INVALID_ARGUMENT, "a sum without addends has none to take back");
      context->evaluator.sub_inplace(sum, addend);
    } else if (sum.size() == 0) {
      sum = addend;
    } else {
      context->evaluator.add_inplace(sum, addend);
    }
  });
}

CSEALCode cseal_sums_save(const CSEALContext *context, const CSEALSums *sums, ptrdiff_t index, uint8_t *bytes, ptrdiff_t capacity) {
  return guarded(CSEAL_INTERNAL, [&] {
    require(index >= 0 && static_cast<size_t>(index) < sums->sums.size(), CSEAL_INVALID_ARGUMENT, "there is no such sum");
    const seal::Ciphertext &sum = sums->sums[static_cast<size_t>(index)];
    require(sum.size() != 0, CSEAL_INVALID_ARGUMENT, "a sum without addends is nothing yet");
    const auto written = sum.save(sealed(bytes), static_cast<size_t>(capacity), compr_mode_type::none);
    require(written == cseal_ciphertext_size(context, false), CSEAL_INTERNAL, "a ciphertext has another size than expected");
  });
}
