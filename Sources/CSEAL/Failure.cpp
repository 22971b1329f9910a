#include "Failure.hpp"

namespace cseal {
namespace {
thread_local std::string last_message;
}  // namespace

CSEALCode failed(CSEALCode code, std::string message) noexcept {
  last_message = std::move(message);
  return code;
}

}  // namespace cseal

const char *cseal_last_message(void) { return cseal::last_message.c_str(); }

#define CSEAL_TEXT(number) CSEAL_TEXT_OF(number)
#define CSEAL_TEXT_OF(number) #number
const char *cseal_version(void) {
  return CSEAL_TEXT(SEAL_VERSION_MAJOR) "." CSEAL_TEXT(SEAL_VERSION_MINOR) "." CSEAL_TEXT(SEAL_VERSION_PATCH);
}
