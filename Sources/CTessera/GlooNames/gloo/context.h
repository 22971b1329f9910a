// LibTorch has Gloo inside, but not its headers, which ProcessGroupGloo.hpp names. What it mentions is declared here, as far as it needs it;
// none of it is made, or called, by this package.

#pragma once

#include <chrono>

namespace gloo {
class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};
}  // namespace gloo
