#include "runtime/module.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "runtime/memory/buffer.hpp"

namespace hyperion::runtime {

StatusOr<std::uint64_t> tensor_bytes(const TensorType& type) {
  HYP_TRY(const auto desc, ViewDesc::dense(type.dtype, type.dims));
  return desc->bytes;
}

Constant Constant::copy(std::span<const std::byte> bytes) {
  const std::size_t rounded = (bytes.size() / kAlignment + 1) * kAlignment;
  std::shared_ptr<std::byte> data(static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded)),
                                  [](std::byte* pointer) { std::free(pointer); });
  if (data == nullptr) throw std::bad_alloc();
  if (!bytes.empty()) std::memcpy(data.get(), bytes.data(), bytes.size());
  return {{data.get(), bytes.size()}, data};
}

const Function* Module::find(std::string_view function) const {
  const auto found = std::ranges::find(functions, function, &Function::name);
  return found == functions.end() ? nullptr : &*found;
}

MemoryPlan Module::memory(const Function& function) const {
  MemoryPlan result;
  const Plan& plan = plans[function.plan];
  for (const std::uint64_t bytes : plan.argument_bytes) result.arguments += bytes;
  for (std::size_t i = 0; i < function.outputs.size(); ++i) {
    result.outputs += plan.output_bytes[i];
    if (function.outputs[i].donor >= 0) result.aliased += plan.output_bytes[i];
  }
  result.arena = plan.arena_bytes;
  for (const Constant& constant : constants) result.constants += constant.bytes.size();
  for (const Bytes& object : objects) result.code += object.size();
  return result;
}

}  // namespace hyperion::runtime
