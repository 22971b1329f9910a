// The C door to LibTorch: what TesseraCore calls, and nothing else does.
//
// Conventions, for every function here:
//  - It returns a code. On anything but TESSERA_OK, nothing was written to `out`, and tessera_last_message()
//    says what went wrong on this thread.
//  - A `const TesseraTensor *` is borrowed. A tensor written to `out` belongs to the caller, who releases it.
//  - Shapes and other lists are a pointer and a count. Optional tensors are null.
//  - C++ exceptions never leave.

#ifndef TESSERA_H
#define TESSERA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma clang assume_nonnull begin

#define TESSERA_API __attribute__((visibility("default")))

/// A tensor: LibTorch's TensorImpl itself, without a box around it.
typedef struct TesseraTensor TesseraTensor;
/// A random number generator.
typedef struct TesseraGenerator TesseraGenerator;

typedef TesseraTensor *_Nullable *_Nonnull TesseraOut;
typedef const TesseraTensor *_Nullable TesseraOptional;
typedef const TesseraTensor *_Nullable const *_Nonnull TesseraList;

typedef enum {
  TESSERA_OK = 0,
  TESSERA_INVALID_ARGUMENT = 1,
  TESSERA_SHAPE_MISMATCH = 2,
  TESSERA_INDEX_OUT_OF_RANGE = 3,
  TESSERA_UNSUPPORTED = 4,
  TESSERA_OUT_OF_MEMORY = 5,
  TESSERA_NUMERICAL = 6,
  TESSERA_INTERNAL = 7,
} TesseraCode;

/// The numbers are c10::ScalarType's; Failure.hpp asserts it.
typedef enum {
  TESSERA_UINT8 = 0,
  TESSERA_INT8 = 1,
  TESSERA_INT16 = 2,
  TESSERA_INT32 = 3,
  TESSERA_INT64 = 4,
  TESSERA_FLOAT16 = 5,
  TESSERA_FLOAT32 = 6,
  TESSERA_FLOAT64 = 7,
  TESSERA_COMPLEX64 = 9,
  TESSERA_COMPLEX128 = 10,
  TESSERA_BOOL = 11,
  TESSERA_BFLOAT16 = 15,
} TesseraDType;

/// A device: -1 for the CPU, otherwise the CUDA device's index.
typedef int32_t TesseraDevice;

typedef enum { TESSERA_CONTIGUOUS = 0, TESSERA_CHANNELS_LAST = 2, TESSERA_CHANNELS_LAST_3D = 3 } TesseraLayout;

/// A number that keeps whether it is integral, so that `counts + 1` stays integral.
typedef struct {
  double real;
  ptrdiff_t integer;
  bool is_integer;
} TesseraScalar;

/// The message of the last failure on this thread. Valid until the next failure.
TESSERA_API const char *tessera_last_message(void);
TESSERA_API const char *tessera_libtorch_version(void);

// Tensors: creation ------------------------------------------------------------------------------------------

TESSERA_API void tessera_release(TesseraTensor *tensor);
TESSERA_API TesseraCode tessera_from_bytes(const void *bytes, const ptrdiff_t *shape, ptrdiff_t rank, TesseraDType dtype, TesseraOut out);
/// What memory is that a tensor does not own.
typedef enum {
  TESSERA_MEMORY_PLAIN,
  /// A file's, and shared with it: pages that are given back are read from it again, with all that was written to them.
  TESSERA_MEMORY_SHARED_FILE,
  /// A file's, but private: what was written to a page is in no file, and such pages are kept.
  TESSERA_MEMORY_PRIVATE_FILE,
} TesseraMemory;

/// A tensor over memory it does not own; `release(context)` runs when its last view goes. The memory is only read.
TESSERA_API TesseraCode tessera_from_memory(const void *bytes, const ptrdiff_t *shape, ptrdiff_t rank, TesseraDType dtype, TesseraMemory memory, void (*release)(void *), void *context, TesseraOut out);
/// Whether a tensor's memory is the mapping of a file.
TESSERA_API bool tessera_lies_in_file(const TesseraTensor *tensor);
/// Gives the pages of some of a tensor's bytes back to the system, if they lie in a file.
TESSERA_API void tessera_give_back_pages(const TesseraTensor *tensor, ptrdiff_t offset, ptrdiff_t count);
TESSERA_API TesseraCode tessera_full(const ptrdiff_t *shape, ptrdiff_t rank, TesseraScalar value, TesseraDType dtype, TesseraDevice device, TesseraOut out);
TESSERA_API TesseraCode tessera_arange(TesseraScalar start, TesseraScalar end, TesseraScalar step, TesseraDType dtype, TesseraDevice device, TesseraOut out);

// Tensors: properties ----------------------------------------------------------------------------------------

TESSERA_API ptrdiff_t tessera_rank(const TesseraTensor *tensor);
TESSERA_API ptrdiff_t tessera_size(const TesseraTensor *tensor, ptrdiff_t dimension);
TESSERA_API ptrdiff_t tessera_stride(const TesseraTensor *tensor, ptrdiff_t dimension);
TESSERA_API ptrdiff_t tessera_count(const TesseraTensor *tensor);
TESSERA_API int32_t tessera_dtype(const TesseraTensor *tensor);
TESSERA_API TesseraDevice tessera_device(const TesseraTensor *tensor);
TESSERA_API bool tessera_requires_grad(const TesseraTensor *tensor);
TESSERA_API bool tessera_is_contiguous(const TesseraTensor *tensor, TesseraLayout layout);
/// The first element of a contiguous CPU tensor, for reading.
TESSERA_API const void *_Nullable tessera_data(const TesseraTensor *tensor);
TESSERA_API TesseraCode tessera_copy_to_bytes(const TesseraTensor *tensor, void *bytes, ptrdiff_t count);
TESSERA_API TesseraCode tessera_item(const TesseraTensor *tensor, double *out);
TESSERA_API TesseraCode tessera_item_integer(const TesseraTensor *tensor, ptrdiff_t *out);
TESSERA_API TesseraCode tessera_equal(const TesseraTensor *a, const TesseraTensor *b, bool *out);

// Tensors: copies and in-place writes, for Parameter and Buffer only ------------------------------------------

TESSERA_API TesseraCode tessera_clone(const TesseraTensor *tensor, TesseraOut out);
TESSERA_API TesseraCode tessera_detach(const TesseraTensor *tensor, TesseraOut out);
TESSERA_API TesseraCode tessera_leaf(const TesseraTensor *tensor, bool requires_grad, TesseraOut out);
TESSERA_API TesseraCode tessera_to_dtype(const TesseraTensor *tensor, TesseraDType dtype, TesseraOut out);
TESSERA_API TesseraCode tessera_to_device(const TesseraTensor *tensor, TesseraDevice device, TesseraOut out);
TESSERA_API TesseraCode tessera_to_layout(const TesseraTensor *tensor, TesseraLayout layout, TesseraOut out);
TESSERA_API TesseraCode tessera_write(const TesseraTensor *target, const TesseraTensor *source);

// Element-wise -----------------------------------------------------------------------------------------------

#define TESSERA_UNARY_OPERATORS(X)                                                                                      \
  X(abs) X(neg) X(exp) X(log) X(log2) X(log10) X(log1p) X(expm1) X(sqrt) X(rsqrt) X(square) X(sin) X(cos) X(tan)       \
  X(asin) X(acos) X(atan) X(sinh) X(cosh) X(tanh) X(sigmoid) X(relu) X(silu) X(mish) X(hardswish) X(log_sigmoid)       \
  X(erf) X(floor) X(ceil) X(round) X(trunc) X(sign) X(reciprocal) X(isnan) X(isinf) X(isfinite) X(logical_not)         \
  X(real) X(imag) X(angle) X(nonzero) X(det) X(linalg_inv) X(view_as_real) X(view_as_complex)

#define TESSERA_BINARY_OPERATORS(X)                                                                                     \
  X(add) X(sub) X(mul) X(div) X(floor_divide) X(remainder) X(pow) X(maximum) X(minimum) X(atan2) X(eq) X(ne) X(lt)     \
  X(le) X(gt) X(ge) X(logical_and) X(logical_or) X(logical_xor) X(matmul) X(bmm) X(outer) X(masked_select)

#define TESSERA_SCALAR_OPERATORS(X)                                                                                     \
  X(add) X(sub) X(rsub) X(mul) X(div) X(floor_divide) X(remainder) X(pow) X(eq) X(ne) X(lt) X(le) X(gt) X(ge)

#define TESSERA_UNARY(name) TESSERA_API TesseraCode tessera_##name(const TesseraTensor *x, TesseraOut out);
#define TESSERA_BINARY(name) TESSERA_API TesseraCode tessera_##name(const TesseraTensor *a, const TesseraTensor *b, TesseraOut out);
#define TESSERA_SCALAR(name) TESSERA_API TesseraCode tessera_##name##_scalar(const TesseraTensor *a, TesseraScalar b, TesseraOut out);
TESSERA_UNARY_OPERATORS(TESSERA_UNARY)
TESSERA_BINARY_OPERATORS(TESSERA_BINARY)
TESSERA_SCALAR_OPERATORS(TESSERA_SCALAR)
#undef TESSERA_UNARY
#undef TESSERA_BINARY
#undef TESSERA_SCALAR

TESSERA_API TesseraCode tessera_conj(const TesseraTensor *x, TesseraOut out);
TESSERA_API TesseraCode tessera_gelu(const TesseraTensor *x, bool approximate, TesseraOut out);
TESSERA_API TesseraCode tessera_leaky_relu(const TesseraTensor *x, double slope, TesseraOut out);
TESSERA_API TesseraCode tessera_elu(const TesseraTensor *x, double alpha, TesseraOut out);
TESSERA_API TesseraCode tessera_softplus(const TesseraTensor *x, double beta, TesseraOut out);
TESSERA_API TesseraCode tessera_clamp(const TesseraTensor *x, const double *_Nullable low, const double *_Nullable high, TesseraOut out);
TESSERA_API TesseraCode tessera_where(const TesseraTensor *condition, const TesseraTensor *a, const TesseraTensor *b, TesseraOut out);
TESSERA_API TesseraCode tessera_masked_fill(const TesseraTensor *x, const TesseraTensor *mask, double value, TesseraOut out);

// Shape and indexing -----------------------------------------------------------------------------------------

TESSERA_API TesseraCode tessera_reshape(const TesseraTensor *x, const ptrdiff_t *shape, ptrdiff_t rank, TesseraOut out);
TESSERA_API TesseraCode tessera_permute(const TesseraTensor *x, const ptrdiff_t *order, ptrdiff_t rank, TesseraOut out);
TESSERA_API TesseraCode tessera_transpose(const TesseraTensor *x, ptrdiff_t a, ptrdiff_t b, TesseraOut out);
TESSERA_API TesseraCode tessera_expand(const TesseraTensor *x, const ptrdiff_t *shape, ptrdiff_t rank, TesseraOut out);
TESSERA_API TesseraCode tessera_squeeze(const TesseraTensor *x, ptrdiff_t dimension, TesseraOut out);
TESSERA_API TesseraCode tessera_unsqueeze(const TesseraTensor *x, ptrdiff_t dimension, TesseraOut out);
TESSERA_API TesseraCode tessera_flatten(const TesseraTensor *x, ptrdiff_t start, ptrdiff_t end, TesseraOut out);
TESSERA_API TesseraCode tessera_select(const TesseraTensor *x, ptrdiff_t dimension, ptrdiff_t index, TesseraOut out);
TESSERA_API TesseraCode tessera_slice(const TesseraTensor *x, ptrdiff_t dimension, ptrdiff_t start, ptrdiff_t end, ptrdiff_t step, TesseraOut out);
TESSERA_API TesseraCode tessera_cat(TesseraList tensors, ptrdiff_t count, ptrdiff_t dimension, TesseraOut out);
TESSERA_API TesseraCode tessera_stack(TesseraList tensors, ptrdiff_t count, ptrdiff_t dimension, TesseraOut out);
TESSERA_API TesseraCode tessera_flip(const TesseraTensor *x, const ptrdiff_t *dimensions, ptrdiff_t count, TesseraOut out);
TESSERA_API TesseraCode tessera_index_select(const TesseraTensor *x, ptrdiff_t dimension, const TesseraTensor *index, TesseraOut out);
TESSERA_API TesseraCode tessera_gather(const TesseraTensor *x, ptrdiff_t dimension, const TesseraTensor *index, TesseraOut out);
TESSERA_API TesseraCode tessera_scatter(const TesseraTensor *x, ptrdiff_t dimension, const TesseraTensor *index, const TesseraTensor *source, bool adding, TesseraOut out);
TESSERA_API TesseraCode tessera_index_put(const TesseraTensor *x, TesseraList indices, ptrdiff_t count, const TesseraTensor *values, bool adding, TesseraOut out);
TESSERA_API TesseraCode tessera_index(const TesseraTensor *x, TesseraList indices, ptrdiff_t count, TesseraOut out);
TESSERA_API TesseraCode tessera_one_hot(const TesseraTensor *x, ptrdiff_t classes, TesseraOut out);

// Reductions -------------------------------------------------------------------------------------------------

typedef enum {
  TESSERA_SUM, TESSERA_MEAN, TESSERA_AMAX, TESSERA_AMIN, TESSERA_LOGSUMEXP, TESSERA_ANY, TESSERA_ALL,
} TesseraReduction;

/// Over `dimensions`, or over all of them if `count` is 0.
TESSERA_API TesseraCode tessera_reduce(const TesseraTensor *x, TesseraReduction kind, const ptrdiff_t *dimensions, ptrdiff_t count, bool keep, TesseraOut out);
TESSERA_API TesseraCode tessera_norm(const TesseraTensor *x, double order, const ptrdiff_t *dimensions, ptrdiff_t count, bool keep, TesseraOut out);
TESSERA_API TesseraCode tessera_variance(const TesseraTensor *x, const ptrdiff_t *dimensions, ptrdiff_t count, ptrdiff_t correction, bool keep, TesseraOut out);
TESSERA_API TesseraCode tessera_argmax(const TesseraTensor *x, ptrdiff_t dimension, bool smallest, bool keep, TesseraOut out);
TESSERA_API TesseraCode tessera_cumsum(const TesseraTensor *x, ptrdiff_t dimension, TesseraOut out);
TESSERA_API TesseraCode tessera_softmax(const TesseraTensor *x, ptrdiff_t dimension, bool logarithmic, TesseraOut out);
TESSERA_API TesseraCode tessera_topk(const TesseraTensor *x, ptrdiff_t k, ptrdiff_t dimension, bool largest, TesseraOut values, TesseraOut indices);
TESSERA_API TesseraCode tessera_sort(const TesseraTensor *x, ptrdiff_t dimension, bool descending, TesseraOut values, TesseraOut indices);

// Networks ---------------------------------------------------------------------------------------------------

TESSERA_API TesseraCode tessera_linear(const TesseraTensor *x, const TesseraTensor *weight, TesseraOptional bias, TesseraOut out);
/// `stride`, `padding`, `output_padding` and `dilation` hold `spatial` values each.
TESSERA_API TesseraCode tessera_convolution(const TesseraTensor *x, const TesseraTensor *weight, TesseraOptional bias, ptrdiff_t spatial, const ptrdiff_t *stride, const ptrdiff_t *padding, const ptrdiff_t *dilation, bool transposed, const ptrdiff_t *output_padding, ptrdiff_t groups, TesseraOut out);
TESSERA_API TesseraCode tessera_max_pool(const TesseraTensor *x, ptrdiff_t spatial, const ptrdiff_t *kernel, const ptrdiff_t *stride, const ptrdiff_t *padding, TesseraOut out);
TESSERA_API TesseraCode tessera_average_pool(const TesseraTensor *x, ptrdiff_t spatial, const ptrdiff_t *kernel, const ptrdiff_t *stride, const ptrdiff_t *padding, bool counts_padding, TesseraOut out);
TESSERA_API TesseraCode tessera_adaptive_pool(const TesseraTensor *x, ptrdiff_t spatial, const ptrdiff_t *size, bool maximum, TesseraOut out);
TESSERA_API TesseraCode tessera_batch_norm(const TesseraTensor *x, TesseraOptional weight, TesseraOptional bias, TesseraOptional mean, TesseraOptional variance, bool training, double momentum, double epsilon, TesseraOut out);
TESSERA_API TesseraCode tessera_instance_norm(const TesseraTensor *x, TesseraOptional weight, TesseraOptional bias, double epsilon, TesseraOut out);
TESSERA_API TesseraCode tessera_group_norm(const TesseraTensor *x, ptrdiff_t groups, TesseraOptional weight, TesseraOptional bias, double epsilon, TesseraOut out);
TESSERA_API TesseraCode tessera_layer_norm(const TesseraTensor *x, const ptrdiff_t *shape, ptrdiff_t rank, TesseraOptional weight, TesseraOptional bias, double epsilon, TesseraOut out);
TESSERA_API TesseraCode tessera_embedding(const TesseraTensor *weight, const TesseraTensor *indices, ptrdiff_t padding_index, TesseraOut out);
TESSERA_API TesseraCode tessera_embedding_bag(const TesseraTensor *weight, const TesseraTensor *indices, const TesseraTensor *offsets, ptrdiff_t mode, TesseraOptional weights, TesseraOut out);
TESSERA_API TesseraCode tessera_attention(const TesseraTensor *query, const TesseraTensor *key, const TesseraTensor *value, TesseraOptional mask, bool causal, const double *_Nullable scale, TesseraOut out);
TESSERA_API TesseraCode tessera_cross_entropy(const TesseraTensor *logits, const TesseraTensor *labels, TesseraOptional weight, ptrdiff_t reduction, ptrdiff_t ignored, double smoothing, TesseraOut out);
TESSERA_API TesseraCode tessera_bce_with_logits(const TesseraTensor *logits, const TesseraTensor *target, TesseraOptional weight, TesseraOptional positive_weight, ptrdiff_t reduction, TesseraOut out);
TESSERA_API TesseraCode tessera_mse(const TesseraTensor *x, const TesseraTensor *target, ptrdiff_t reduction, TesseraOut out);
TESSERA_API TesseraCode tessera_l1(const TesseraTensor *x, const TesseraTensor *target, ptrdiff_t reduction, TesseraOut out);
TESSERA_API TesseraCode tessera_huber(const TesseraTensor *x, const TesseraTensor *target, ptrdiff_t reduction, double delta, TesseraOut out);

// Linear algebra ---------------------------------------------------------------------------------------------

TESSERA_API TesseraCode tessera_einsum(const char *equation, TesseraList tensors, ptrdiff_t count, TesseraOut out);

// Gradients, modes -------------------------------------------------------------------------------------------

/// Derivatives of the one-element `output` by each of `inputs`; null where `output` does not depend on one.
TESSERA_API TesseraCode tessera_gradients(const TesseraTensor *output, TesseraOptional seed, TesseraList inputs, ptrdiff_t count, bool differentiable, TesseraOut gradients);
TESSERA_API bool tessera_exchange_gradient_mode(bool recording);
/// Sets the CPU (`device` -1) or CUDA autocast dtype, or switches it off for -1. Returns the earlier one, or -1.
TESSERA_API int32_t tessera_exchange_autocast(TesseraDevice device, int32_t dtype);

// Randomness -------------------------------------------------------------------------------------------------

TESSERA_API TesseraCode tessera_generator(uint64_t seed, TesseraDevice device, TesseraGenerator *_Nullable *_Nonnull out);
TESSERA_API void tessera_generator_release(TesseraGenerator *generator);
TESSERA_API TesseraCode tessera_generator_state(const TesseraGenerator *generator, TesseraOut out);
TESSERA_API TesseraCode tessera_generator_restore(TesseraGenerator *generator, const TesseraTensor *state);
TESSERA_API TesseraCode tessera_uniform(const ptrdiff_t *shape, ptrdiff_t rank, double low, double high, TesseraDType dtype, TesseraGenerator *generator, TesseraOut out);
TESSERA_API TesseraCode tessera_normal(const ptrdiff_t *shape, ptrdiff_t rank, double mean, double deviation, TesseraDType dtype, TesseraGenerator *generator, TesseraOut out);
TESSERA_API TesseraCode tessera_random_integers(const ptrdiff_t *shape, ptrdiff_t rank, ptrdiff_t low, ptrdiff_t high, TesseraGenerator *generator, TesseraOut out);
TESSERA_API TesseraCode tessera_permutation(ptrdiff_t count, TesseraGenerator *generator, TesseraOut out);
/// Zeroes each element with `probability` and scales the others by 1/(1 - probability).
TESSERA_API TesseraCode tessera_dropout(const TesseraTensor *x, double probability, TesseraGenerator *generator, TesseraOut out);
TESSERA_API TesseraCode tessera_multinomial(const TesseraTensor *weights, ptrdiff_t count, bool replacement, TesseraGenerator *generator, TesseraOut out);

// Devices and threads ----------------------------------------------------------------------------------------

TESSERA_API int32_t tessera_cuda_device_count(void);
/// How many threads operations started from the calling thread use inside.
TESSERA_API void tessera_use_threads(int32_t count);
TESSERA_API int32_t tessera_threads(void);
/// Names the calling thread for `top -H` and debuggers; longer names are cut to 15 bytes.
TESSERA_API void tessera_name_thread(const char *name);
/// The vector instructions that LibTorch's kernels use here, such as "AVX2".
TESSERA_API TesseraCode tessera_cpu_capability(char *text, ptrdiff_t capacity);

// The dispatcher ---------------------------------------------------------------------------------------------

typedef enum {
  TESSERA_VALUE_NONE, TESSERA_VALUE_TENSOR, TESSERA_VALUE_TENSORS, TESSERA_VALUE_INTEGER, TESSERA_VALUE_REAL,
  TESSERA_VALUE_BOOL, TESSERA_VALUE_STRING, TESSERA_VALUE_INTEGERS, TESSERA_VALUE_REALS, TESSERA_VALUE_BOOLS,
  TESSERA_VALUE_DEVICE, TESSERA_VALUE_GENERATOR,
} TesseraValueKind;

/// An argument of a dispatched call. `name` is null for a positional one.
typedef struct {
  TesseraValueKind kind;
  const char *_Nullable name;
  ptrdiff_t integer;
  double real;
  const void *_Nullable pointer;
  ptrdiff_t count;
} TesseraValue;

/// Calls the operator `name` ("aten::roll" or "aten::sum.dim_IntList") with boxed arguments. Each result goes to
/// `receive`, which owns it; numbers come as tensors of rank 0. After a failure nothing was received.
TESSERA_API TesseraCode tessera_call(const char *name, const TesseraValue *_Nullable arguments, ptrdiff_t count, void (*receive)(TesseraTensor *result, void *context), void *context);
/// Writes the operator's schema as text, at most `capacity` bytes with the closing zero.
TESSERA_API TesseraCode tessera_schema(const char *name, char *text, ptrdiff_t capacity);

// Optimisers: in place on parameters and state, which are all lists of `count` tensors --------------------------

TESSERA_API TesseraCode tessera_sgd_step(TesseraList parameters, TesseraList gradients, TesseraList momenta, ptrdiff_t count, double rate, double momentum, double dampening, double decay, bool nesterov, bool first);
TESSERA_API TesseraCode tessera_adam_step(TesseraList parameters, TesseraList gradients, TesseraList means, TesseraList squares, ptrdiff_t count, ptrdiff_t step, double rate, double beta1, double beta2, double decay, double epsilon, bool decoupled);
TESSERA_API TesseraCode tessera_lamb_step(TesseraList parameters, TesseraList gradients, TesseraList means, TesseraList squares, ptrdiff_t count, ptrdiff_t step, double rate, double beta1, double beta2, double decay, double epsilon);
TESSERA_API TesseraCode tessera_novograd_step(TesseraList parameters, TesseraList gradients, TesseraList means, TesseraList squares, ptrdiff_t count, bool first, double rate, double beta1, double beta2, double decay, double epsilon);
/// The Euclidean norm over all tensors together.
TESSERA_API TesseraCode tessera_total_norm(TesseraList tensors, ptrdiff_t count, double *out);
/// Each tensor times `factor`, as new tensors.
TESSERA_API TesseraCode tessera_scaled(TesseraList tensors, ptrdiff_t count, double factor, TesseraOut out);

// Exact sums -------------------------------------------------------------------------------------------------

/// Zeroed memory from the system itself, in large pages where it has them: they are mapped with far fewer faults. Null if there is
/// none.
TESSERA_API void *_Nullable tessera_map(ptrdiff_t count);
/// Gives back what was mapped, but for its first `kept` bytes; `count` is how much there is.
TESSERA_API void tessera_unmap(void *bytes, ptrdiff_t kept, ptrdiff_t count);
/// Has the C library give back at once what it would keep for later, and gives back the code that only the start has used.
TESSERA_API void tessera_keep_little(void);
/// Gives the pages that lie wholly in some mapped bytes back: they are zeros from now on.
TESSERA_API void tessera_empty_pages(void *bytes, ptrdiff_t count);
/// Adds `llrint(x · scale)` of every element of a contiguous CPU tensor to `sums`, or subtracts it. Nothing is added,
/// and TESSERA_NUMERICAL returned, if an element is NaN, infinite or larger than `bound` in magnitude.
TESSERA_API TesseraCode tessera_fold(const TesseraTensor *x, double scale, double bound, bool subtracting, int64_t *sums, ptrdiff_t count);
/// Writes `sums / scale`, plus `share · reference` if there is one, over the memory of the sums themselves, from its start,
/// as `count` elements of `dtype`. On failure the sums are as before. Complex numbers are refused.
TESSERA_API TesseraCode tessera_unfold_sums(int64_t *sums, double scale, TesseraOptional reference, double share, ptrdiff_t count, TesseraDType dtype);
/// The largest magnitude among the elements; NaN if one is NaN, 0 if there are none.
TESSERA_API TesseraCode tessera_largest_magnitude(const TesseraTensor *x, double *out);

// Updates beside each other ----------------------------------------------------------------------------------

/// Each column of a `[rows, columns]` tensor of float32 or float64, without NaN, in ascending order.
TESSERA_API TesseraCode tessera_sorted_columns(const TesseraTensor *x, TesseraOut out);
/// Adds `‖row i − row j‖²` to `sums[i · rows + j]` for all i < j.
TESSERA_API TesseraCode tessera_add_squared_distances(const TesseraTensor *x, double *sums, ptrdiff_t rows);
/// `‖a − b‖²` over all elements, or `‖a‖²` without b.
TESSERA_API TesseraCode tessera_squared_distance(const TesseraTensor *a, TesseraOptional b, double *out);

// Search -----------------------------------------------------------------------------------------------------

/// The inner product of a row and a query.
typedef struct {
  int64_t row;
  int32_t query;
  float score;
} TesseraHit;

/// Is shown products, in ascending order of the rows.
typedef void (*TesseraVisit)(void *_Nullable context, const TesseraHit *hits, ptrdiff_t count);

/// Shows `visit`, on the calling thread, those products of `[row_count, dimension]` rows with `[query_count, dimension]` queries that are above
/// the queries' floors, which it may raise meanwhile: rows of one block may still be shown by the floors of before. NaN is above nothing.
TESSERA_API TesseraCode tessera_visit_products(const float *rows, ptrdiff_t row_count, ptrdiff_t dimension, const float *queries, ptrdiff_t query_count, const float *floors, TesseraVisit visit, void *_Nullable context);

// Processes that compute together -----------------------------------------------------------------------------

/// One of several processes that give one another tensors. All make the same calls in the same order.
typedef struct TesseraReplicas TesseraReplicas;

/// Waits for all `size` processes, at most `patience` seconds; the first, of rank 0, listens at `host` and `port`.
TESSERA_API TesseraCode tessera_replicas(const char *host, uint16_t port, int32_t rank, int32_t size, double patience, TesseraReplicas *_Nullable *_Nonnull out);
TESSERA_API void tessera_replicas_release(TesseraReplicas *replicas);
/// The sum of all processes' tensors, which are of one shape.
TESSERA_API TesseraCode tessera_replicas_sum(TesseraReplicas *replicas, const TesseraTensor *x, TesseraOut out);
/// All processes' tensors, which are of one shape, one after the other along the first dimension.
TESSERA_API TesseraCode tessera_replicas_gather(TesseraReplicas *replicas, const TesseraTensor *x, TesseraOut out);
/// The first process's tensor; that of the others is of its shape.
TESSERA_API TesseraCode tessera_replicas_first(TesseraReplicas *replicas, const TesseraTensor *x, TesseraOut out);

#pragma clang assume_nonnull end

#ifdef __cplusplus
}
#endif

#endif
