// Any operator of LibTorch, by its schema name.

#include "Failure.hpp"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <ATen/core/stack.h>
#include <ATen/ops/scalar_tensor.h>

#include <cstring>
#include <sstream>

using namespace tessera;

namespace {

c10::OperatorHandle operator_named(const std::string &name) {
  const size_t dot = name.find('.', name.find("::") == std::string::npos ? 0 : name.find("::"));
  const std::string base = name.substr(0, dot);
  const std::string overload = dot == std::string::npos ? "" : name.substr(dot + 1);
  const auto found = c10::Dispatcher::singleton().findSchema({base, overload});
  TORCH_CHECK_NOT_IMPLEMENTED(found.has_value(), "LibTorch has no operator named ", name);
  return *found;
}

const at::Tensor &tensor_at(const TesseraValue &value, ptrdiff_t i) {
  const auto *list = static_cast<const TesseraTensor *const *>(value.pointer);
  return borrowed(list[i]);
}

/// The value as the schema wants it: an integer serves as a real number, a number as a Scalar.
c10::IValue boxed(const TesseraValue &value, const c10::Argument &argument) {
  c10::TypePtr type = argument.type();
  if (auto inner = type->cast<c10::OptionalType>()) type = inner->getElementType();
  switch (value.kind) {
    case TESSERA_VALUE_NONE: return c10::IValue();
    case TESSERA_VALUE_TENSOR: return tensor_at(value, 0);
    case TESSERA_VALUE_TENSORS: {
      const auto list = type->cast<c10::ListType>();
      const auto *pointers = static_cast<const TesseraTensor *const *>(value.pointer);
      if (list && list->getElementType()->kind() == c10::TypeKind::OptionalType) {
        c10::List<std::optional<at::Tensor>> tensors;
        for (ptrdiff_t i = 0; i < value.count; ++i) tensors.push_back(optional(pointers[i]));
        return tensors;
      }
      std::vector<at::Tensor> tensors;
      for (ptrdiff_t i = 0; i < value.count; ++i) {
        TORCH_CHECK_TYPE(pointers[i] != nullptr, "the list ", argument.name(), " may have no gaps");
        tensors.push_back(tensor_at(value, i));
      }
      return tensors;
    }
    case TESSERA_VALUE_INTEGER:
      if (type->kind() == c10::TypeKind::FloatType) return static_cast<double>(value.integer);
      if (type->kind() == c10::TypeKind::ListType) return std::vector<int64_t>{static_cast<int64_t>(value.integer)};
      return static_cast<int64_t>(value.integer);
    case TESSERA_VALUE_REAL: return value.real;
    case TESSERA_VALUE_BOOL: return value.integer != 0;
    case TESSERA_VALUE_STRING: return std::string(static_cast<const char *>(value.pointer), static_cast<size_t>(value.count));
    case TESSERA_VALUE_INTEGERS: {
      const auto *numbers = static_cast<const ptrdiff_t *>(value.pointer);
      const auto list = type->cast<c10::ListType>();
      if (list && list->getElementType()->kind() == c10::TypeKind::FloatType) return std::vector<double>(numbers, numbers + value.count);
      return std::vector<int64_t>(numbers, numbers + value.count);
    }
    case TESSERA_VALUE_REALS: {
      const auto *numbers = static_cast<const double *>(value.pointer);
      return std::vector<double>(numbers, numbers + value.count);
    }
    case TESSERA_VALUE_BOOLS: {
      c10::List<bool> flags;
      const auto *bytes = static_cast<const bool *>(value.pointer);
      for (ptrdiff_t i = 0; i < value.count; ++i) flags.push_back(bytes[i]);
      return flags;
    }
    case TESSERA_VALUE_DEVICE: return device(static_cast<TesseraDevice>(value.integer));
    case TESSERA_VALUE_GENERATOR: {
      const auto *source = static_cast<const TesseraGenerator *>(value.pointer);
      return generator(source);
    }
  }
  TORCH_CHECK(false, "unknown kind of argument");
}

/// Normalisations write their running statistics although their schemas do not say so. A tensor here is a value, so
/// they write to copies.
bool is_written_silently(const c10::Argument &argument) {
  return argument.name() == "running_mean" || argument.name() == "running_var";
}

c10::Stack arguments_for(const c10::FunctionSchema &schema, const TesseraValue *values, ptrdiff_t count) {
  const auto &declared = schema.arguments();
  std::vector<std::optional<c10::IValue>> filled(declared.size());
  size_t next = 0;
  for (ptrdiff_t i = 0; i < count; ++i) {
    size_t slot = next;
    if (values[i].name != nullptr) {
      const auto index = schema.argumentIndexWithName(values[i].name);
      TORCH_CHECK_VALUE(index.has_value(), schema.name(), " has no argument named ", values[i].name);
      slot = static_cast<size_t>(*index);
    } else {
      ++next;
    }
    TORCH_CHECK_VALUE(slot < declared.size(), schema.name(), " takes ", declared.size(), " arguments, got more");
    c10::IValue value = boxed(values[i], declared[slot]);
    // Boxed kernels trust the stack, so the types are checked here.
    TORCH_CHECK_TYPE(
        value.type()->isSubtypeOf(*declared[slot].type()), schema.name(), ": argument ", declared[slot].name(), " should be ",
        declared[slot].type()->str(), ", got ", value.tagKind());
    if (is_written_silently(declared[slot]) && value.isTensor()) value = value.toTensor().clone();
    filled[slot] = std::move(value);
  }
  c10::Stack stack;
  for (size_t i = 0; i < declared.size(); ++i) {
    if (!filled[i].has_value()) {
      const auto &fallback = declared[i].default_value();
      TORCH_CHECK_VALUE(fallback.has_value(), schema.name(), " needs its argument ", declared[i].name());
      filled[i] = *fallback;
    }
    stack.push_back(std::move(*filled[i]));
  }
  return stack;
}

void append(const at::Tensor &tensor, std::vector<at::Tensor> &tensors) {
  // All undefined tensors are one object without a count, which nobody may own.
  TORCH_CHECK_NOT_IMPLEMENTED(tensor.defined(), "result ", tensors.size(), " is undefined: the arguments did not ask for it");
  tensors.push_back(tensor);
}

void append(const c10::IValue &value, std::vector<at::Tensor> &tensors) {
  if (value.isTensor()) {
    append(value.toTensor(), tensors);
  } else if (value.isTensorList()) {
    for (const at::Tensor &tensor : value.toTensorVector()) append(tensor, tensors);
  } else if (value.isScalar()) {
    tensors.push_back(at::scalar_tensor(value.toScalar(), at::TensorOptions().dtype(value.isInt() ? at::kLong : value.isBool() ? at::kBool : at::kDouble)));
  } else if (!value.isNone()) {
    TORCH_CHECK_NOT_IMPLEMENTED(false, "a result of kind ", value.tagKind(), " has no tensor form");
  }
}

}  // namespace

TesseraCode tessera_call(const char *name, const TesseraValue *arguments, ptrdiff_t count, void (*receive)(TesseraTensor *, void *), void *context) {
  return guarded([&] {
    const c10::OperatorHandle handle = operator_named(name);
    TORCH_CHECK_VALUE(!handle.schema().is_mutable(), name, " works in place; tensors here are values");
    c10::Stack stack = arguments_for(handle.schema(), arguments, count);
    handle.callBoxed(&stack);
    std::vector<at::Tensor> tensors;
    for (const c10::IValue &value : stack) append(value, tensors);
    for (at::Tensor &tensor : tensors) receive(released(std::move(tensor)), context);
  });
}

TesseraCode tessera_schema(const char *name, char *text, ptrdiff_t capacity) {
  return guarded([&] {
    std::ostringstream printed;
    printed << operator_named(name).schema();
    const std::string schema = printed.str();
    const size_t length = std::min(schema.size(), static_cast<size_t>(capacity) - 1);
    std::memcpy(text, schema.data(), length);
    text[length] = 0;
  });
}
