#include "tools/opt_driver/tensor_text.hpp"

#include <algorithm>
#include <cmath>
#include <random>

#include "ir/support/format.hpp"
#include "ir/support/json.hpp"
#include "ir/text/element_text.hpp"
#include "ir/text/parse.hpp"

namespace hyperion::tools {
namespace {

LiteralPtr random_tensor(Type type, std::mt19937_64& generator) {
  const std::size_t size = byte_size(type.dtype());
  std::vector<std::byte> bytes(type.bytes());
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    const std::uint64_t bits = generator();
    if (is_floating(type.dtype())) {
      element_from_double(type.dtype(), static_cast<double>(bits >> 11) * 0x1p-51 - 2.0,
                          &bytes[at]);
    } else {
      element_from_integer(
          type.dtype(), static_cast<std::int64_t>(is_boolean(type.dtype()) ? bits & 1 : bits & 7),
          &bytes[at]);
    }
  }
  return Literal::make(type, bytes);
}

}  // namespace

std::vector<LiteralPtr> random_arguments(const std::vector<Type>& types, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::vector<LiteralPtr> out;
  for (Type type : types) out.push_back(random_tensor(type, generator));
  return out;
}

Result<std::vector<LiteralPtr>> arguments_for(const ir::Function& function, const OptConfig& config,
                                              Diagnostics& diagnostics) {
  const std::vector<Type> types = function.parameter_types();
  if (config.arguments.size() > types.size()) {
    diagnostics.error("opt.argument", format("@{} takes {} arguments, got {}", function.name,
                                             types.size(), config.arguments.size()));
    return failure();
  }
  std::vector<LiteralPtr> out = random_arguments(types, config.seed);
  for (std::size_t k = 0; k < config.arguments.size(); ++k) {
    const std::string text = format(
        "hyperion 1\nmodule @arguments {{\n  func @argument() -> {0} {{\n    %0 = constant {1} : "
        "{0}\n"
        "    return %0\n  }}\n}}\n",
        types[k].text(), config.arguments[k]);
    Diagnostics own;
    const auto module = ir::parse(text, format("argument {}", k), own);
    if (!module) {
      diagnostics.error("opt.argument",
                        format("argument {} of @{}: {}", k, function.name, own.all()[0].message));
      return failure();
    }
    const ir::Function& made = *(*module)->functions()[0];
    out[k] = made.op(made.ops()[0]).attributes.literal("value");
  }
  return out;
}

std::string tensor_text(const Literal& tensor) {
  const Type type = tensor.type();
  const int rank = type.rank();
  const std::int64_t count = type.element_count();
  const std::vector<std::int64_t> sizes = type.sizes();
  if (rank == 0) return ir::element_text(type.dtype(), tensor.element(0).data());
  std::string out(static_cast<std::size_t>(rank), '[');
  for (std::int64_t i = 0; i < std::min(count, kShownElements); ++i) {
    // How many axes begin anew at this element.
    int ended = 0;
    for (std::int64_t rest = i;
         ended < rank && rest % sizes[static_cast<std::size_t>(rank - 1 - ended)] == 0; ++ended) {
      rest /= sizes[static_cast<std::size_t>(rank - 1 - ended)];
    }
    if (i != 0 && ended == 0) out += ", ";
    if (i != 0 && ended > 0) {
      const auto brackets = static_cast<std::size_t>(ended);
      out += std::string(brackets, ']') + ",\n" +
             std::string(static_cast<std::size_t>(rank) - brackets, ' ') +
             std::string(brackets, '[');
    }
    out += ir::element_text(type.dtype(), tensor.element(i).data());
  }
  if (count > kShownElements) out += format(", ... {} elements", count);
  return out + std::string(static_cast<std::size_t>(rank), ']');
}

std::string elements_json(const Literal& tensor) {
  const DType dtype = tensor.type().dtype();
  std::string out = "[";
  for (std::int64_t i = 0; i < tensor.type().element_count(); ++i) {
    const auto element = tensor.element(i);
    const std::string text = ir::element_text(dtype, element.data());
    const bool is_number =
        !is_complex(dtype) &&
        (!is_floating(dtype) || std::isfinite(element_to_double(dtype, element.data())));
    out += (i == 0 ? "" : ", ") + (is_number ? text : json_string(text));
  }
  return out + "]";
}

}  // namespace hyperion::tools
