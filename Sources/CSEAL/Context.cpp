// Parameters, and where SEAL's random numbers come from.

#include "Failure.hpp"

#include <algorithm>
#include <cmath>

namespace cseal {
namespace {

/// The seed of the draws on this thread; all draws of one call count up from it.
thread_local const uint64_t *current_seed = nullptr;
thread_local uint64_t draw_count = 0;

class Factory : public seal::UniformRandomGeneratorFactory {
 protected:
  std::shared_ptr<seal::UniformRandomGenerator> create_impl(seal::prng_seed_type seed) override {
    if (current_seed != nullptr) {
      std::copy_n(current_seed, CSEAL_SEED_WORDS, seed.begin());
      // Generators of one call must differ: a key's two polynomials, say.
      seed[CSEAL_SEED_WORDS - 1] += draw_count++;
    }
    return std::make_shared<seal::Blake2xbPRNG>(seed);
  }
};
static_assert(seal::prng_seed_uint64_count == CSEAL_SEED_WORDS);

}  // namespace

Draws::Draws(CSEALSeed seed) noexcept {
  current_seed = seed;
  draw_count = 0;
}

Draws::~Draws() { current_seed = nullptr; }

std::shared_ptr<seal::UniformRandomGeneratorFactory> drawing() { return std::make_shared<Factory>(); }

}  // namespace cseal

using namespace cseal;

CSEALCode cseal_context(const CSEALParameters *parameters, CSEALContext **out) {
  return guarded(CSEAL_INVALID_PARAMETERS, [&] {
    const ptrdiff_t degree = parameters->degree, count = parameters->bits_count, primes = parameters->primes;
    require(count >= 2 && count <= 64, CSEAL_INVALID_PARAMETERS, "there must be 2 to 64 primes, one of them for keys");
    require(primes >= 1 && primes < count, CSEAL_INVALID_PARAMETERS, "a ciphertext has at least one prime, and not the one for keys");
    require(degree > 0, CSEAL_INVALID_PARAMETERS, "the degree is a power of two");
    seal::EncryptionParameters wanted(seal::scheme_type::ckks);
    const size_t size = static_cast<size_t>(degree);
    wanted.set_poly_modulus_degree(size);
    wanted.set_coeff_modulus(seal::CoeffModulus::Create(size, std::vector<int>(parameters->bits, parameters->bits + count)));
    wanted.set_random_generator(drawing());
    const seal::SEALContext context(wanted, /*expand_mod_chain=*/true, seal::sec_level_type::tc128);
    if (!context.parameters_set()) throw Failure(CSEAL_INVALID_PARAMETERS, context.parameter_error_message());
    auto level = context.first_context_data();
    while (level && level->parms().coeff_modulus().size() != static_cast<size_t>(primes)) level = level->next_context_data();
    require(level != nullptr, CSEAL_INVALID_PARAMETERS, "the primes do not make a chain");
    // Below it nothing is left of a value but noise; above it no value fits.
    require(parameters->scale_bits >= 20 && parameters->scale_bits <= std::min(60, level->total_coeff_modulus_bit_count() - 4),
            CSEAL_INVALID_PARAMETERS, "the scale is in 2^20 to 2^60 and leaves 4 bits of a ciphertext's primes");
    *out = new CSEALContext(context, level->parms_id(), std::ldexp(1.0, parameters->scale_bits));
  });
}

void cseal_context_release(CSEALContext *context) { delete context; }
