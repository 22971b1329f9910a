// Optimiser steps, in place on lists of tensors, with LibTorch's fused or foreach kernels.

#include "Failure.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_addcdiv.h>
#include <ATen/ops/_foreach_addcmul.h>
#include <ATen/ops/_foreach_div.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_foreach_sqrt.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <c10/core/GradMode.h>

#include <cmath>

using namespace tessera;

namespace {

/// The gradients in the layout of their parameters. Fused kernels walk memory without a look at the strides, and autograd
/// also gives gradients whose elements share memory (that of a sum) or lie in another order.
std::vector<at::Tensor> aligned(at::TensorList gradients, at::TensorList parameters) {
  std::vector<at::Tensor> result;
  result.reserve(gradients.size());
  for (size_t i = 0; i < gradients.size(); ++i) {
    const at::Tensor &gradient = gradients[i], &parameter = parameters[i];
    const bool fits = gradient.strides() == parameter.strides() && gradient.scalar_type() == parameter.scalar_type();
    result.push_back(fits ? gradient : at::empty_like(parameter).copy_(gradient));
  }
  return result;
}

/// Refuses moments that were made before the parameter moved, changed its dtype or its layout.
void check_moments(at::TensorList moments, at::TensorList parameters) {
  for (size_t i = 0; i < moments.size(); ++i) {
    TORCH_CHECK(
        moments[i].strides() == parameters[i].strides() && moments[i].options().type_equal(parameters[i].options()),
        "a parameter's layout, dtype or device is no longer what it was when the optimiser was made: make a new one");
  }
}

}  // namespace

TesseraCode tessera_sgd_step(TesseraList parameters, TesseraList gradients, TesseraList momenta, ptrdiff_t count, double rate, double momentum, double dampening, double decay, bool nesterov, bool first) {
  return guarded([&] {
    if (count == 0) return;
    const c10::NoGradGuard silent;
    const at::TensorList values = borrowed(parameters, count);
    const at::TensorList buffers = momentum == 0 ? at::TensorList() : borrowed(momenta, count);
    check_moments(buffers, values);
    at::_fused_sgd_(values, aligned(borrowed(gradients, count), values), buffers, decay, momentum, rate, dampening, nesterov, /*maximize=*/false, first);
  });
}

TesseraCode tessera_adam_step(TesseraList parameters, TesseraList gradients, TesseraList means, TesseraList squares, ptrdiff_t count, ptrdiff_t step, double rate, double beta1, double beta2, double decay, double epsilon, bool decoupled) {
  return guarded([&] {
    if (count == 0) return;
    const c10::NoGradGuard silent;
    const at::TensorList values = borrowed(parameters, count);
    const std::vector<at::Tensor> steps(
        static_cast<size_t>(count), at::full({}, static_cast<double>(step), values[0].options().dtype(at::kFloat)));
    auto *kernel = decoupled ? static_cast<void (*)(at::TensorList, at::TensorList, at::TensorList, at::TensorList, at::TensorList, at::TensorList, double, double, double, double, double, bool, bool, const std::optional<at::Tensor> &, const std::optional<at::Tensor> &)>(at::_fused_adamw_)
                             : static_cast<void (*)(at::TensorList, at::TensorList, at::TensorList, at::TensorList, at::TensorList, at::TensorList, double, double, double, double, double, bool, bool, const std::optional<at::Tensor> &, const std::optional<at::Tensor> &)>(at::_fused_adam_);
    check_moments(borrowed(means, count), values);
    check_moments(borrowed(squares, count), values);
    kernel(values, aligned(borrowed(gradients, count), values), borrowed(means, count), borrowed(squares, count), {}, steps, rate, beta1, beta2, decay, epsilon, false, false, std::nullopt, std::nullopt);
  });
}

TesseraCode tessera_lamb_step(TesseraList parameters, TesseraList gradients, TesseraList means, TesseraList squares, ptrdiff_t count, ptrdiff_t step, double rate, double beta1, double beta2, double decay, double epsilon) {
  return guarded([&] {
    if (count == 0) return;
    const c10::NoGradGuard silent;
    const at::TensorList values = borrowed(parameters, count), grads = borrowed(gradients, count);
    const at::TensorList m = borrowed(means, count), v = borrowed(squares, count);
    at::_foreach_lerp_(m, grads, 1 - beta1);
    at::_foreach_mul_(v, beta2);
    at::_foreach_addcmul_(v, grads, grads, 1 - beta2);
    std::vector<at::Tensor> direction = at::_foreach_div(m, 1 - std::pow(beta1, static_cast<double>(step)));
    std::vector<at::Tensor> deviation = at::_foreach_div(v, 1 - std::pow(beta2, static_cast<double>(step)));
    at::_foreach_sqrt_(deviation);
    at::_foreach_add_(deviation, epsilon);
    at::_foreach_div_(direction, deviation);
    if (decay != 0) at::_foreach_add_(direction, values, decay);
    const std::vector<at::Tensor> lengths = at::_foreach_norm(values), strides = at::_foreach_norm(direction);
    for (size_t i = 0; i < direction.size(); ++i) {
      const at::Tensor ratio = lengths[i] / strides[i];
      const at::Tensor usable = (lengths[i] > 0).logical_and(strides[i] > 0);
      direction[i].mul_(at::where(usable, ratio, at::ones_like(ratio)));
    }
    at::_foreach_add_(values, direction, -rate);
  });
}

TesseraCode tessera_novograd_step(TesseraList parameters, TesseraList gradients, TesseraList means, TesseraList squares, ptrdiff_t count, bool first, double rate, double beta1, double beta2, double decay, double epsilon) {
  return guarded([&] {
    if (count == 0) return;
    const c10::NoGradGuard silent;
    const at::TensorList values = borrowed(parameters, count), grads = borrowed(gradients, count);
    const at::TensorList m = borrowed(means, count), v = borrowed(squares, count);
    std::vector<at::Tensor> norms = at::_foreach_norm(grads);
    at::_foreach_mul_(norms, norms);
    at::_foreach_lerp_(v, norms, first ? 1 : 1 - beta2);
    std::vector<at::Tensor> deviation = at::_foreach_sqrt(v);
    at::_foreach_add_(deviation, epsilon);
    at::_foreach_mul_(m, beta1);
    for (size_t i = 0; i < deviation.size(); ++i) m[i].add_(grads[i] / deviation[i]);
    if (decay != 0) at::_foreach_add_(m, values, decay);
    at::_foreach_add_(values, m, -rate);
  });
}

TesseraCode tessera_total_norm(TesseraList tensors, ptrdiff_t count, double *out) {
  return guarded([&] {
    *out = 0;
    if (count == 0) return;
    *out = at::linalg_vector_norm(at::stack(at::_foreach_norm(borrowed(tensors, count)))).item().toDouble();
  });
}

TesseraCode tessera_scaled(TesseraList tensors, ptrdiff_t count, double factor, TesseraOut out) {
  return guarded([&] {
    if (count == 0) return;
    std::vector<at::Tensor> scaled = at::_foreach_mul(borrowed(tensors, count), factor);
    for (size_t i = 0; i < scaled.size(); ++i) out[i] = released(std::move(scaled[i]));
  });
}
