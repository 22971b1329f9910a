// How SEAL's C++ meets C: the only try/catch of the door, and what its handles hold.

#pragma once

#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <vector>

// SEAL's headers are read under our warnings, which are stricter than its own.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wall"
#pragma clang diagnostic ignored "-Wextra"
#include <seal/seal.h>
#pragma clang diagnostic pop

#include "cseal.h"

namespace cseal {

/// Keeps `message` for cseal_last_message() and returns the code.
CSEALCode failed(CSEALCode code, std::string message) noexcept;

/// A failure with a code of its own, from inside a guarded body.
struct Failure : std::exception {
  CSEALCode code;
  std::string message;
  Failure(CSEALCode code, std::string message) : code(code), message(std::move(message)) {}
  const char *what() const noexcept override { return message.c_str(); }
};

/// Runs `body`; no exception leaves. What SEAL throws is reported as `otherwise`: it has no kinds of its own.
template <typename Body>
inline CSEALCode guarded(CSEALCode otherwise, Body &&body) noexcept {
  try {
    body();
    return CSEAL_OK;
  } catch (const Failure &failure) {
    return failed(failure.code, failure.message);
  } catch (const std::bad_alloc &) {
    return failed(CSEAL_OUT_OF_MEMORY, "host memory is exhausted");
  } catch (const std::exception &error) {
    return failed(otherwise, error.what());
  } catch (...) {
    return failed(CSEAL_INTERNAL, "an unknown C++ exception");
  }
}

inline void require(bool holds, CSEALCode code, const char *message) {
  if (!holds) throw Failure(code, message);
}

inline const seal::seal_byte *sealed(const uint8_t *bytes) { return reinterpret_cast<const seal::seal_byte *>(bytes); }
inline seal::seal_byte *sealed(uint8_t *bytes) { return reinterpret_cast<seal::seal_byte *>(bytes); }

/// While it lives, what SEAL draws on this thread derives from the seed, if there is one.
class Draws {
 public:
  explicit Draws(CSEALSeed seed) noexcept;
  ~Draws();
  Draws(const Draws &) = delete;
  Draws &operator=(const Draws &) = delete;
};

/// SEAL's own secure generators, unless Draws says otherwise.
std::shared_ptr<seal::UniformRandomGeneratorFactory> drawing();

/// What is needed for one ciphertext only. A pool of the thread's own needs no locks.
inline seal::MemoryPoolHandle scratch() { return seal::MemoryManager::GetPool(seal::mm_prof_opt::mm_force_thread_local); }

}  // namespace cseal

struct CSEALContext {
  seal::SEALContext context;
  seal::CKKSEncoder encoder;
  seal::Evaluator evaluator;
  /// Which primes ciphertexts are modulo.
  seal::parms_id_type level;
  double scale;

  CSEALContext(const seal::SEALContext &made, seal::parms_id_type level, double scale)
      : context(made), encoder(made), evaluator(made), level(level), scale(scale) {}

  /// A ciphertext of exactly these bytes, or a Failure: of this level and scale, every coefficient below its prime.
  seal::Ciphertext load(const uint8_t *bytes, ptrdiff_t size, seal::MemoryPoolHandle pool) const;
};

struct CSEALSecretKey {
  seal::SecretKey key;
  seal::Encryptor encryptor;
  // Its functions are not const, but lock what they change.
  mutable seal::Decryptor decryptor;

  CSEALSecretKey(const CSEALContext &context, const seal::SecretKey &key)
      : key(key), encryptor(context.context, key), decryptor(context.context, key) {}
};

struct CSEALPublicKey {
  seal::Encryptor encryptor;

  CSEALPublicKey(const CSEALContext &context, const seal::PublicKey &key) : encryptor(context.context, key) {}
};
