// Gradients and the thread-local modes.

#include "Failure.hpp"

#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

using namespace tessera;

TesseraCode tessera_gradients(const TesseraTensor *output, TesseraOptional seed, TesseraList inputs, ptrdiff_t count, bool differentiable, TesseraOut gradients) {
  return guarded([&] {
    const at::TensorList list = borrowed(inputs, count);
    torch::autograd::variable_list seeds;
    if (seed != nullptr) seeds.push_back(borrowed(seed));
    auto found = torch::autograd::grad(
        {borrowed(output)}, list.vec(), seeds, /*retain_graph=*/differentiable, /*create_graph=*/differentiable, /*allow_unused=*/true);
    for (ptrdiff_t i = 0; i < count; ++i) {
      at::Tensor &gradient = found[static_cast<size_t>(i)];
      gradients[i] = gradient.defined() ? released(std::move(gradient)) : nullptr;
    }
  });
}

bool tessera_exchange_gradient_mode(bool recording) {
  const bool before = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(recording);
  return before;
}

int32_t tessera_exchange_autocast(TesseraDevice where, int32_t type) {
  const c10::DeviceType kind = where == -1 ? c10::kCPU : c10::kCUDA;
  const int32_t before = at::autocast::is_autocast_enabled(kind) ? static_cast<int32_t>(at::autocast::get_autocast_dtype(kind)) : -1;
  at::autocast::set_autocast_enabled(kind, type >= 0);
  if (type >= 0) at::autocast::set_autocast_dtype(kind, static_cast<at::ScalarType>(type));
  at::autocast::clear_cache();
  return before;
}
