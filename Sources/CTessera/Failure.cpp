#include "Failure.hpp"

#include <torch/csrc/api/include/torch/version.h>

#include <cctype>

namespace tessera {
namespace {

struct Failure {
  std::string message;
};
thread_local Failure last_failure;

bool contains_any(const std::string &text, std::initializer_list<const char *> words) {
  for (const char *word : words) {
    if (text.find(word) != std::string::npos) return true;
  }
  return false;
}

/// LibTorch raises nearly everything as one type, so a shape error is known by its words.
TesseraCode code_of(const c10::Error &error, const std::string &message) {
  if (dynamic_cast<const c10::OutOfMemoryError *>(&error)) return TESSERA_OUT_OF_MEMORY;
  if (dynamic_cast<const c10::IndexError *>(&error)) return TESSERA_INDEX_OUT_OF_RANGE;
  if (dynamic_cast<const c10::NotImplementedError *>(&error)) return TESSERA_UNSUPPORTED;
  if (dynamic_cast<const c10::LinAlgError *>(&error)) return TESSERA_NUMERICAL;
  if (contains_any(message, {"can't allocate memory", "not enough memory"})) return TESSERA_OUT_OF_MEMORY;
  if (contains_any(message, {"not implemented for", "not supported"})) return TESSERA_UNSUPPORTED;
  if (contains_any(message, {"is out of bounds", "out of range", "found idx to be", "takes value"})) return TESSERA_INDEX_OUT_OF_RANGE;
  if (contains_any(message, {"size", "shape", "dimension", "broadcast", "channels", "dtype", "same type", "elements", "numel"}))
    return TESSERA_SHAPE_MISMATCH;
  return TESSERA_INVALID_ARGUMENT;
}

/// Hides the number after these words: it was read from a tensor, and may be someone's data.
std::string without_values(std::string message) {
  for (const char *word : {"index ", "Target ", "idx to be ", "takes value "}) {
    const std::string key = word;
    size_t at = 0;
    while ((at = message.find(key, at)) != std::string::npos) {
      at += key.size();
      size_t end = at;
      if (end < message.size() && message[end] == '-') ++end;
      while (end < message.size() && std::isdigit(static_cast<unsigned char>(message[end]))) ++end;
      if (end > at) message.replace(at, end - at, "(hidden)");
    }
  }
  return message;
}

}  // namespace

TesseraCode failed(TesseraCode code, std::string message) noexcept {
  last_failure.message = std::move(message);
  return code;
}

TesseraCode failed(const c10::Error &error) noexcept {
  try {
    std::string message = error.what_without_backtrace();
    const TesseraCode code = code_of(error, message);
    if (code == TESSERA_INDEX_OUT_OF_RANGE) message = without_values(std::move(message));
    return failed(code, std::move(message));
  } catch (...) {
    return TESSERA_INTERNAL;
  }
}

}  // namespace tessera

const char *tessera_last_message(void) { return tessera::last_failure.message.c_str(); }

const char *tessera_libtorch_version(void) { return TORCH_VERSION; }
