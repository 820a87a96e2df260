#include "frontend/transforms.hpp"

#include "frontend/error.hpp"
#include "frontend/ops/creation.hpp"
#include "ir/support/format.hpp"

namespace hyperion {

void tree::raise_structure(std::string message, std::source_location where) {
  frontend::raise(frontend::user_line(where), "transform.structure", std::move(message));
}

namespace frontend {

std::vector<Tensor> loss_seed(const TracedFunction& f, Location where) {
  const std::vector<Type> results = f.function->result_types();
  if (results.empty() || results[0].rank() != 0 || !is_floating(results[0].dtype())) {
    raise(where, "transform.loss",
          format("grad: the function returns {}, not a floating scalar", results.empty() ? "nothing" : results[0].text()),
          "reduce it with sum() or mean(), or use vjp or jacobian");
  }
  std::vector<Tensor> seed(results.size());
  seed[0] = ones({}, results[0].dtype());
  return seed;
}

void require_floating(std::span<const Tensor> tensors, const std::vector<std::string>& names, int argument,
                      Location where) {
  for (std::size_t k = 0; k < tensors.size(); ++k) {
    if (is_floating(tensors[k].dtype())) continue;
    raise(where, "transform.dtype",
          format("grad: argument {}{} is {}, which has no derivative", argument,
                 names[k].empty() ? "" : ", \"" + names[k] + "\",", tensors[k].type().text()),
          "pass what is not differentiated as another argument");
  }
}

void require_equal_types(std::string_view transform, std::span<const Tensor> given, std::span<const Tensor> expected,
                         Location where) {
  if (given.size() != expected.size()) {
    raise(where, "transform.structure", format("{}: {} tensors where {} are expected", transform, given.size(), expected.size()));
  }
  for (std::size_t k = 0; k < given.size(); ++k) {
    if (!is_floating(expected[k].dtype()) || given[k].type() == expected[k].type()) continue;
    raise(where, "transform.structure",
          format("{}: tensor {} is {}, expected {}", transform, k, given[k].type().text(), expected[k].type().text()));
  }
}

std::vector<Tensor> apply_pullback(const TracedFunction& f, std::span<const Tensor> arguments,
                                   std::span<const Tensor> cotangents, Location where) {
  std::vector<bool> selected;
  for (const Tensor& argument : arguments) selected.push_back(is_floating(argument.dtype()));
  const std::vector<Tensor> all = apply_vjp(f, arguments, selected, cotangents, where);
  std::vector<Tensor> out;
  std::size_t next = f.function->result_types().size();
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    out.push_back(selected[k] ? all[next++] : zeros_like(arguments[k]));
  }
  return out;
}

std::pair<std::vector<Tensor>, std::vector<Tensor>> apply_pushforward(const TracedFunction& f,
                                                                      std::span<const Tensor> arguments,
                                                                      std::span<const Tensor> tangents, Location where) {
  std::vector<Tensor> active;
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    active.push_back(is_floating(arguments[k].dtype()) ? tangents[k] : Tensor());
  }
  std::vector<Tensor> all = apply_jvp(f, arguments, active, where);
  const std::vector<Type> types = f.function->result_types();
  std::vector<Tensor> values(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(types.size())), derivatives;
  std::size_t next = types.size();
  for (std::size_t k = 0; k < types.size(); ++k) {
    derivatives.push_back(is_floating(types[k].dtype()) ? all[next++] : zeros_like(values[k]));
  }
  return {std::move(values), std::move(derivatives)};
}

void require_arguments(std::string_view option, std::span<const int> named, std::size_t arguments, Location where) {
  for (int argument : named) {
    if (argument >= 0 && static_cast<std::size_t>(argument) < arguments) continue;
    raise(where, "transform.argument",
          format("{} names argument {}, but the function is given {}", option, argument, arguments),
          "arguments count from 0");
  }
}

void require_claims(std::string_view option, std::size_t claims, std::size_t arguments, Location where) {
  if (claims == arguments) return;
  raise(where, "transform.argument",
        format("{} says something of {} arguments, but the function is given {}", option, claims, arguments),
        "give one claim for each argument, or none at all");
}

std::int64_t take_batch_axis(std::vector<Type>& types, const std::vector<bool>& batched, Location where) {
  std::int64_t size = -1;
  for (std::size_t k = 0; k < types.size(); ++k) {
    if (!batched[k]) continue;
    if (types[k].rank() == 0) {
      raise(where, "transform.batch", format("vmap: tensor {} is {}, without an axis to map over", k, types[k].text()),
            "say which arguments are batched: vmap(f, {.batched = {true, false}})");
    }
    const std::int64_t own = types[k].dim(0).value();
    if (size >= 0 && own != size) {
      raise(where, "transform.batch", format("vmap: axis 0 has size {} and {}", size, own));
    }
    size = own;
    types[k] = types[k].with_dims(types[k].dims().subspan(1));
  }
  if (size < 0) raise(where, "transform.batch", "vmap: no argument is batched");
  return size;
}

}  // namespace frontend
}  // namespace hyperion
