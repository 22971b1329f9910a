// How C++ meets C: the only try/catch of the package, and the passing of ownership.

#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <c10/core/DeviceType.h>
#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>

#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "tessera.h"

namespace tessera {

/// Keeps `code` and `message` for tessera_last_message() and returns the code.
TesseraCode failed(TesseraCode code, std::string message) noexcept;

/// Sorts a LibTorch error into our codes and keeps its message, without values that came from data.
TesseraCode failed(const c10::Error &error) noexcept;

/// Runs `body`; no exception leaves.
template <typename Body>
inline TesseraCode guarded(Body &&body) noexcept {
  try {
    body();
    return TESSERA_OK;
  } catch (const c10::Error &error) {
    return failed(error);
  } catch (const std::bad_alloc &) {
    return failed(TESSERA_OUT_OF_MEMORY, "host memory is exhausted");
  } catch (const std::exception &error) {
    return failed(TESSERA_INTERNAL, error.what());
  } catch (...) {
    return failed(TESSERA_INTERNAL, "an unknown C++ exception");
  }
}

// A TesseraTensor * is a TensorImpl *, and at::Tensor is one pointer to it, so lending costs nothing.
static_assert(sizeof(at::Tensor) == sizeof(void *));

/// The lent tensor behind a pointer. The argument is taken by reference: its address is the tensor.
inline const at::Tensor &borrowed(const TesseraTensor *const &tensor) {
  return reinterpret_cast<const at::Tensor &>(tensor);
}

inline std::optional<at::Tensor> optional(const TesseraTensor *const &tensor) {
  return tensor == nullptr ? std::nullopt : std::optional<at::Tensor>(borrowed(tensor));
}

/// Hands ownership to the caller.
inline TesseraTensor *released(at::Tensor &&tensor) {
  return reinterpret_cast<TesseraTensor *>(tensor.unsafeReleaseTensorImpl());
}

/// A list of lent tensors, without touching their counts.
inline at::TensorList borrowed(TesseraList tensors, ptrdiff_t count) {
  return at::TensorList(reinterpret_cast<const at::Tensor *>(tensors), static_cast<size_t>(count));
}

inline at::IntArrayRef ints(const ptrdiff_t *values, ptrdiff_t count) {
  return at::IntArrayRef(reinterpret_cast<const int64_t *>(values), static_cast<size_t>(count));
}

inline c10::Scalar scalar(TesseraScalar value) {
  return value.is_integer ? c10::Scalar(static_cast<int64_t>(value.integer)) : c10::Scalar(value.real);
}

inline c10::Device device(TesseraDevice device) {
  if (device == -1) return c10::Device(c10::kCPU);
  // LibTorch keeps the index in 8 bits; 256 must not become 0.
  TORCH_CHECK_VALUE(device >= 0 && device <= std::numeric_limits<c10::DeviceIndex>::max(), "there is no such GPU");
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(device));
}

inline at::ScalarType dtype(TesseraDType type) { return static_cast<at::ScalarType>(type); }

inline at::TensorOptions options(TesseraDType type, TesseraDevice where) {
  return at::TensorOptions().dtype(dtype(type)).device(device(where));
}

inline at::Generator &generator(const TesseraGenerator *const &generator) {
  return const_cast<at::Generator &>(reinterpret_cast<const at::Generator &>(generator));
}
static_assert(sizeof(at::Generator) == sizeof(void *));
static_assert(sizeof(ptrdiff_t) == sizeof(int64_t));

#define TESSERA_SAME(ours, theirs) static_assert(static_cast<int>(ours) == static_cast<int>(at::ScalarType::theirs))
TESSERA_SAME(TESSERA_UINT8, Byte);
TESSERA_SAME(TESSERA_INT8, Char);
TESSERA_SAME(TESSERA_INT16, Short);
TESSERA_SAME(TESSERA_INT32, Int);
TESSERA_SAME(TESSERA_INT64, Long);
TESSERA_SAME(TESSERA_FLOAT16, Half);
TESSERA_SAME(TESSERA_FLOAT32, Float);
TESSERA_SAME(TESSERA_FLOAT64, Double);
TESSERA_SAME(TESSERA_COMPLEX64, ComplexFloat);
TESSERA_SAME(TESSERA_COMPLEX128, ComplexDouble);
TESSERA_SAME(TESSERA_BOOL, Bool);
TESSERA_SAME(TESSERA_BFLOAT16, BFloat16);
#undef TESSERA_SAME

}  // namespace tessera
