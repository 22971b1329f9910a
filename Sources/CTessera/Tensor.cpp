// Tensors: creation, properties, copies.

#include "Failure.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

using namespace tessera;

void tessera_release(TesseraTensor *tensor) {
  c10::raw::intrusive_ptr::decref(reinterpret_cast<c10::TensorImpl *>(tensor));
}

namespace {
at::Tensor empty_on_cpu(const ptrdiff_t *shape, ptrdiff_t rank, TesseraDType type) {
  return at::empty(ints(shape, rank), at::TensorOptions().dtype(dtype(type)));
}

/// What a tensor keeps of the memory that it was lent.
struct Lent {
  void (*release)(void *);
  void *context;
  TesseraMemory memory;
};

void let_go(void *context) {
  auto *const lent = static_cast<Lent *>(context);
  if (lent->release != nullptr) lent->release(lent->context);
  delete lent;
}
}  // namespace

TesseraCode tessera_from_bytes(const void *bytes, const ptrdiff_t *shape, ptrdiff_t rank, TesseraDType type, TesseraOut out) {
  return guarded([&] {
    at::Tensor tensor = empty_on_cpu(shape, rank, type);
    if (type == TESSERA_BOOL) {
      // A file may hold any byte; a truth value that is neither 0 nor 1 is undefined behaviour in C++ and in Swift.
      const auto *source = static_cast<const uint8_t *>(bytes);
      std::transform(source, source + tensor.numel(), tensor.mutable_data_ptr<bool>(), [](uint8_t byte) { return byte != 0; });
    } else if (tensor.nbytes() > 0) {
      std::memcpy(tensor.mutable_data_ptr(), bytes, tensor.nbytes());
    }
    *out = released(std::move(tensor));
  });
}

TesseraCode tessera_from_memory(const void *bytes, const ptrdiff_t *shape, ptrdiff_t rank, TesseraDType type, TesseraMemory memory, void (*release)(void *), void *context, TesseraOut out) {
  return guarded([&] {
    const at::TensorOptions kind = at::TensorOptions().dtype(dtype(type));
    auto *const lent = new Lent{release, context, memory};
    // From here on the maker frees it, also if it fails; the caller lets go of the context then.
    lent->release = nullptr;
    at::TensorMaker maker = at::for_blob(const_cast<void *>(bytes), ints(shape, rank));
    maker.options(kind).context(lent, &let_go);
    at::Tensor tensor = maker.make_tensor();
    lent->release = release;
    *out = released(std::move(tensor));
  });
}

static TesseraMemory memory_of(const TesseraTensor *tensor) {
  if (!borrowed(tensor).has_storage()) return TESSERA_MEMORY_PLAIN;
  const c10::DataPtr &data = borrowed(tensor).storage().data_ptr();
  return data.get_deleter() == &let_go ? static_cast<const Lent *>(data.get_context())->memory : TESSERA_MEMORY_PLAIN;
}

bool tessera_lies_in_file(const TesseraTensor *tensor) { return memory_of(tensor) != TESSERA_MEMORY_PLAIN; }

void tessera_give_back_pages(const TesseraTensor *tensor, ptrdiff_t offset, ptrdiff_t count) {
  const TesseraMemory memory = memory_of(tensor);
  if (count <= 0 || memory == TESSERA_MEMORY_PLAIN) return;
  constexpr uintptr_t page = 4096;
  const uintptr_t start = reinterpret_cast<uintptr_t>(borrowed(tensor).const_data_ptr()) + static_cast<uintptr_t>(offset);
  const uintptr_t first = start & ~(page - 1);
  const uintptr_t end = (start + static_cast<uintptr_t>(count) + page - 1) & ~(page - 1);
  // The pages at both ends may be shared with others, who read them again from the file.
  madvise(reinterpret_cast<void *>(first), end - first, memory == TESSERA_MEMORY_SHARED_FILE ? MADV_DONTNEED : MADV_PAGEOUT);
}

TesseraCode tessera_full(const ptrdiff_t *shape, ptrdiff_t rank, TesseraScalar value, TesseraDType type, TesseraDevice where, TesseraOut out) {
  return guarded([&] { *out = released(at::full(ints(shape, rank), scalar(value), options(type, where))); });
}

TesseraCode tessera_arange(TesseraScalar start, TesseraScalar end, TesseraScalar step, TesseraDType type, TesseraDevice where, TesseraOut out) {
  return guarded([&] { *out = released(at::arange(scalar(start), scalar(end), scalar(step), options(type, where))); });
}

ptrdiff_t tessera_rank(const TesseraTensor *tensor) { return borrowed(tensor).dim(); }

ptrdiff_t tessera_size(const TesseraTensor *tensor, ptrdiff_t dimension) {
  return borrowed(tensor).sizes()[static_cast<size_t>(dimension)];
}

ptrdiff_t tessera_stride(const TesseraTensor *tensor, ptrdiff_t dimension) {
  return borrowed(tensor).strides()[static_cast<size_t>(dimension)];
}

ptrdiff_t tessera_count(const TesseraTensor *tensor) { return borrowed(tensor).numel(); }

int32_t tessera_dtype(const TesseraTensor *tensor) { return static_cast<int32_t>(borrowed(tensor).scalar_type()); }

TesseraDevice tessera_device(const TesseraTensor *tensor) {
  const c10::Device device = borrowed(tensor).device();
  return device.is_cpu() ? -1 : device.index();
}

bool tessera_requires_grad(const TesseraTensor *tensor) { return borrowed(tensor).requires_grad(); }

bool tessera_is_contiguous(const TesseraTensor *tensor, TesseraLayout layout) {
  return borrowed(tensor).is_contiguous(static_cast<c10::MemoryFormat>(layout));
}

const void *tessera_data(const TesseraTensor *tensor) {
  const at::Tensor &lent = borrowed(tensor);
  if (!lent.device().is_cpu() || !lent.is_contiguous()) return nullptr;
  return lent.const_data_ptr();
}

TesseraCode tessera_copy_to_bytes(const TesseraTensor *tensor, void *bytes, ptrdiff_t count) {
  return guarded([&] {
    const at::Tensor source = borrowed(tensor).detach().to(at::kCPU).contiguous();
    TORCH_CHECK(static_cast<ptrdiff_t>(source.nbytes()) == count, "the buffer's size is not the tensor's");
    // A conjugate view has the bytes of the tensor it was made from.
    const at::Tensor plain = source.resolve_conj().resolve_neg();
    if (count > 0) std::memcpy(bytes, plain.const_data_ptr(), static_cast<size_t>(count));
  });
}

TesseraCode tessera_item(const TesseraTensor *tensor, double *out) {
  return guarded([&] { *out = borrowed(tensor).item().toDouble(); });
}

TesseraCode tessera_item_integer(const TesseraTensor *tensor, ptrdiff_t *out) {
  return guarded([&] { *out = borrowed(tensor).item().toLong(); });
}

TesseraCode tessera_equal(const TesseraTensor *a, const TesseraTensor *b, bool *out) {
  return guarded([&] { *out = at::equal(borrowed(a), borrowed(b)); });
}

TesseraCode tessera_clone(const TesseraTensor *tensor, TesseraOut out) {
  return guarded([&] { *out = released(borrowed(tensor).detach().clone()); });
}

TesseraCode tessera_detach(const TesseraTensor *tensor, TesseraOut out) {
  return guarded([&] { *out = released(borrowed(tensor).detach()); });
}

TesseraCode tessera_leaf(const TesseraTensor *tensor, bool requires_grad, TesseraOut out) {
  return guarded([&] { 
    at::Tensor leaf = borrowed(tensor).detach();
    leaf.requires_grad_(requires_grad);
    *out = released(std::move(leaf));
  });
}

TesseraCode tessera_to_dtype(const TesseraTensor *tensor, TesseraDType type, TesseraOut out) {
  return guarded([&] { *out = released(borrowed(tensor).to(dtype(type))); });
}

TesseraCode tessera_to_device(const TesseraTensor *tensor, TesseraDevice where, TesseraOut out) {
  return guarded([&] { *out = released(borrowed(tensor).to(device(where))); });
}

TesseraCode tessera_to_layout(const TesseraTensor *tensor, TesseraLayout layout, TesseraOut out) {
  return guarded([&] {
    // A conjugate or negative view has the bytes of the tensor it was made from; whoever asks for an order reads bytes.
    const at::Tensor lent = borrowed(tensor).resolve_conj().resolve_neg();
    const auto format = static_cast<c10::MemoryFormat>(layout);
    // With one channel the same memory counts as either layout, and the strides alone tell LibTorch which kernels to use.
    const bool is_ambiguous = layout == TESSERA_CHANNELS_LAST && lent.dim() == 4 && lent.is_contiguous(format) &&
                              lent.strides() != at::IntArrayRef(c10::get_channels_last_strides_2d(lent.sizes()));
    *out = released(is_ambiguous ? lent.clone(format) : lent.contiguous(format));
  });
}

TesseraCode tessera_write(const TesseraTensor *target, const TesseraTensor *source) {
  return guarded([&] {
    const at::Tensor &to = borrowed(target);
    TORCH_CHECK(to.sizes() == borrowed(source).sizes(), "a value of shape ", borrowed(source).sizes(), " does not fit a slot of shape ", to.sizes());
    to.detach().copy_(borrowed(source));
  });
}
