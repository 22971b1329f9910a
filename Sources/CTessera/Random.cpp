// Random numbers, always from an explicit generator.

#include "Failure.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/bernoulli.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/multinomial.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randperm.h>

using namespace tessera;

namespace {
at::TensorOptions like(TesseraGenerator *source, TesseraDType type) {
  return at::TensorOptions().dtype(dtype(type)).device(generator(source).device());
}

/// LibTorch seeds the Mersenne twister with 32 bits, so keys that share them would share a stream. SplitMix64 (Steele,
/// Lea and Flood, 2014) spreads all 64 over the twister's state.
at::mt19937 twister(uint64_t seed) {
  at::mt19937 engine(seed);
  at::mt19937_data_pod data = engine.data();
  uint64_t state = seed;
  for (size_t i = 0; i < data.state_.size(); i += 2) {
    uint64_t mixed = state += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    mixed ^= mixed >> 31;
    data.state_[i] = static_cast<uint32_t>(mixed);
    data.state_[i + 1] = static_cast<uint32_t>(mixed >> 32);
  }
  engine.set_data(data);
  return engine;
}
}  // namespace

TesseraCode tessera_generator(uint64_t seed, TesseraDevice where, TesseraGenerator **out) {
  return guarded([&] {
    const c10::Device place = device(where);
    at::Generator made;
    if (place.is_cpu()) {
      made = at::make_generator<at::CPUGeneratorImpl>(seed);
      made.get<at::CPUGeneratorImpl>()->set_engine(twister(seed));
    } else {
      made = at::globalContext().defaultGenerator(place).clone();
      made.set_current_seed(seed);
    }
    *out = reinterpret_cast<TesseraGenerator *>(made.unsafeReleaseGeneratorImpl());
  });
}

void tessera_generator_release(TesseraGenerator *source) {
  c10::raw::intrusive_ptr::decref(reinterpret_cast<c10::GeneratorImpl *>(source));
}

TesseraCode tessera_generator_state(const TesseraGenerator *source, TesseraOut out) {
  return guarded([&] { *out = released(generator(source).get_state()); });
}

TesseraCode tessera_generator_restore(TesseraGenerator *source, const TesseraTensor *state) {
  return guarded([&] { generator(source).set_state(borrowed(state)); });
}

TesseraCode tessera_uniform(const ptrdiff_t *shape, ptrdiff_t rank, double low, double high, TesseraDType type, TesseraGenerator *source, TesseraOut out) {
  return guarded([&] {
    at::Tensor values = at::empty(ints(shape, rank), like(source, type));
    values.uniform_(low, high, generator(source));
    *out = released(std::move(values));
  });
}

TesseraCode tessera_normal(const ptrdiff_t *shape, ptrdiff_t rank, double mean, double deviation, TesseraDType type, TesseraGenerator *source, TesseraOut out) {
  return guarded([&] {
    at::Tensor values = at::empty(ints(shape, rank), like(source, type));
    values.normal_(mean, deviation, generator(source));
    *out = released(std::move(values));
  });
}

TesseraCode tessera_random_integers(const ptrdiff_t *shape, ptrdiff_t rank, ptrdiff_t low, ptrdiff_t high, TesseraGenerator *source, TesseraOut out) {
  return guarded([&] { *out = released(at::randint(low, high, ints(shape, rank), generator(source), like(source, TESSERA_INT64))); });
}

TesseraCode tessera_permutation(ptrdiff_t count, TesseraGenerator *source, TesseraOut out) {
  return guarded([&] { *out = released(at::randperm(count, generator(source), like(source, TESSERA_INT64))); });
}

TesseraCode tessera_dropout(const TesseraTensor *x, double probability, TesseraGenerator *source, TesseraOut out) {
  return guarded([&] {
    const at::Tensor &input = borrowed(x);
    at::Tensor mask = at::empty_like(input, at::TensorOptions().requires_grad(false)).bernoulli_(1 - probability, generator(source));
    if (probability < 1) mask.div_(1 - probability);
    *out = released(at::mul(input, mask));
  });
}

TesseraCode tessera_multinomial(const TesseraTensor *weights, ptrdiff_t count, bool replacement, TesseraGenerator *source, TesseraOut out) {
  return guarded([&] { *out = released(at::multinomial(borrowed(weights), count, replacement, generator(source))); });
}
