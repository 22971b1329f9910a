// What layers and losses are made of.

#include "Failure.hpp"

#include <ATen/ops/adaptive_avg_pool1d.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/adaptive_avg_pool3d.h>
#include <ATen/ops/adaptive_max_pool1d.h>
#include <ATen/ops/adaptive_max_pool2d.h>
#include <ATen/ops/adaptive_max_pool3d.h>
#include <ATen/ops/avg_pool1d.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/avg_pool3d.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/einsum.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/embedding_bag.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/huber_loss.h>
#include <ATen/ops/instance_norm.h>
#include <ATen/ops/l1_loss.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool1d.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/max_pool3d.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/scaled_dot_product_attention.h>

using namespace tessera;

TesseraCode tessera_linear(const TesseraTensor *x, const TesseraTensor *weight, TesseraOptional bias, TesseraOut out) {
  return guarded([&] { *out = released(at::linear(borrowed(x), borrowed(weight), optional(bias))); });
}

TesseraCode tessera_convolution(const TesseraTensor *x, const TesseraTensor *weight, TesseraOptional bias, ptrdiff_t spatial, const ptrdiff_t *stride, const ptrdiff_t *padding, const ptrdiff_t *dilation, bool transposed, const ptrdiff_t *output_padding, ptrdiff_t groups, TesseraOut out) {
  return guarded([&] {
    const at::Tensor &input = borrowed(x);
    TORCH_CHECK(input.dim() == spatial + 2, "a convolution over ", spatial, " dimensions needs an input of ", spatial + 2, " dimensions, got shape ", input.sizes());
    *out = released(at::convolution(
        input, borrowed(weight), optional(bias), ints(stride, spatial), ints(padding, spatial), ints(dilation, spatial), transposed,
        ints(output_padding, spatial), groups));
  });
}

TesseraCode tessera_max_pool(const TesseraTensor *x, ptrdiff_t spatial, const ptrdiff_t *kernel, const ptrdiff_t *stride, const ptrdiff_t *padding, TesseraOut out) {
  return guarded([&] {
    const auto k = ints(kernel, spatial), s = ints(stride, spatial), p = ints(padding, spatial);
    const at::Tensor &input = borrowed(x);
    *out = released(spatial == 1 ? at::max_pool1d(input, k, s, p) : spatial == 2 ? at::max_pool2d(input, k, s, p) : at::max_pool3d(input, k, s, p));
  });
}

TesseraCode tessera_average_pool(const TesseraTensor *x, ptrdiff_t spatial, const ptrdiff_t *kernel, const ptrdiff_t *stride, const ptrdiff_t *padding, bool counts_padding, TesseraOut out) {
  return guarded([&] {
    const auto k = ints(kernel, spatial), s = ints(stride, spatial), p = ints(padding, spatial);
    const at::Tensor &input = borrowed(x);
    *out = released(
        spatial == 1   ? at::avg_pool1d(input, k, s, p, false, counts_padding)
        : spatial == 2 ? at::avg_pool2d(input, k, s, p, false, counts_padding)
                       : at::avg_pool3d(input, k, s, p, false, counts_padding));
  });
}

TesseraCode tessera_adaptive_pool(const TesseraTensor *x, ptrdiff_t spatial, const ptrdiff_t *size, bool maximum, TesseraOut out) {
  return guarded([&] {
    const auto s = ints(size, spatial);
    const at::Tensor &input = borrowed(x);
    if (maximum) {
      *out = released(
          spatial == 1   ? std::get<0>(at::adaptive_max_pool1d(input, s))
          : spatial == 2 ? std::get<0>(at::adaptive_max_pool2d(input, s))
                         : std::get<0>(at::adaptive_max_pool3d(input, s)));
    } else {
      *out = released(
          spatial == 1   ? at::adaptive_avg_pool1d(input, s)
          : spatial == 2 ? at::adaptive_avg_pool2d(input, s)
                         : at::adaptive_avg_pool3d(input, s));
    }
  });
}

TesseraCode tessera_batch_norm(const TesseraTensor *x, TesseraOptional weight, TesseraOptional bias, TesseraOptional mean, TesseraOptional variance, bool training, double momentum, double epsilon, TesseraOut out) {
  return guarded([&] {
    const at::Tensor &input = borrowed(x);
    TORCH_CHECK(!training || input.dim() < 2 || input.numel() > input.size(1), "batch normalisation in training needs more than one value per channel, got input size ", input.sizes());
    *out = released(at::batch_norm(
        input, optional(weight), optional(bias), optional(mean), optional(variance), training, momentum, epsilon, /*cudnn_enabled=*/true));
  });
}

TesseraCode tessera_instance_norm(const TesseraTensor *x, TesseraOptional weight, TesseraOptional bias, double epsilon, TesseraOut out) {
  return guarded([&] {
    *out = released(at::instance_norm(
        borrowed(x), optional(weight), optional(bias), {}, {}, /*use_input_stats=*/true, /*momentum=*/0.1, epsilon, /*cudnn_enabled=*/true));
  });
}

TesseraCode tessera_group_norm(const TesseraTensor *x, ptrdiff_t groups, TesseraOptional weight, TesseraOptional bias, double epsilon, TesseraOut out) {
  return guarded([&] { *out = released(at::group_norm(borrowed(x), groups, optional(weight), optional(bias), epsilon)); });
}

TesseraCode tessera_layer_norm(const TesseraTensor *x, const ptrdiff_t *shape, ptrdiff_t rank, TesseraOptional weight, TesseraOptional bias, double epsilon, TesseraOut out) {
  return guarded([&] { *out = released(at::layer_norm(borrowed(x), ints(shape, rank), optional(weight), optional(bias), epsilon)); });
}

TesseraCode tessera_embedding(const TesseraTensor *weight, const TesseraTensor *indices, ptrdiff_t padding_index, TesseraOut out) {
  return guarded([&] { *out = released(at::embedding(borrowed(weight), borrowed(indices), padding_index)); });
}

TesseraCode tessera_embedding_bag(const TesseraTensor *weight, const TesseraTensor *indices, const TesseraTensor *offsets, ptrdiff_t mode, TesseraOptional weights, TesseraOut out) {
  return guarded([&] {
    *out = released(std::get<0>(at::embedding_bag(borrowed(weight), borrowed(indices), borrowed(offsets), false, mode, false, optional(weights))));
  });
}

TesseraCode tessera_attention(const TesseraTensor *query, const TesseraTensor *key, const TesseraTensor *value, TesseraOptional mask, bool causal, const double *scale, TesseraOut out) {
  return guarded([&] {
    *out = released(at::scaled_dot_product_attention(
        borrowed(query), borrowed(key), borrowed(value), optional(mask), /*dropout_p=*/0, causal,
        scale == nullptr ? std::nullopt : std::optional<double>(*scale)));
  });
}

TesseraCode tessera_cross_entropy(const TesseraTensor *logits, const TesseraTensor *labels, TesseraOptional weight, ptrdiff_t reduction, ptrdiff_t ignored, double smoothing, TesseraOut out) {
  return guarded([&] {
    *out = released(at::cross_entropy_loss(borrowed(logits), borrowed(labels), optional(weight), reduction, ignored, smoothing));
  });
}

TesseraCode tessera_bce_with_logits(const TesseraTensor *logits, const TesseraTensor *target, TesseraOptional weight, TesseraOptional positive_weight, ptrdiff_t reduction, TesseraOut out) {
  return guarded([&] {
    *out = released(at::binary_cross_entropy_with_logits(borrowed(logits), borrowed(target), optional(weight), optional(positive_weight), reduction));
  });
}

TesseraCode tessera_mse(const TesseraTensor *x, const TesseraTensor *target, ptrdiff_t reduction, TesseraOut out) {
  return guarded([&] { *out = released(at::mse_loss(borrowed(x), borrowed(target), reduction)); });
}

TesseraCode tessera_l1(const TesseraTensor *x, const TesseraTensor *target, ptrdiff_t reduction, TesseraOut out) {
  return guarded([&] { *out = released(at::l1_loss(borrowed(x), borrowed(target), reduction)); });
}

TesseraCode tessera_huber(const TesseraTensor *x, const TesseraTensor *target, ptrdiff_t reduction, double delta, TesseraOut out) {
  return guarded([&] { *out = released(at::huber_loss(borrowed(x), borrowed(target), reduction, delta)); });
}

TesseraCode tessera_einsum(const char *equation, TesseraList tensors, ptrdiff_t count, TesseraOut out) {
  return guarded([&] { *out = released(at::einsum(equation, borrowed(tensors, count))); });
}
