// Generators for views, indexed ops, reductions, contractions and sources.
#include <algorithm>

#include "tests/support/op_sampler.hpp"

namespace hyperion::testing_support {

using ir::Attributes;
using ir::Dims;
using ir::Integers;

namespace {

std::string text_of(Sampler& s, const std::vector<std::string>& choices) {
  return s.random.pick(choices);
}
DType index_dtype(Sampler& s) { return s.random.pick(std::vector<DType>{DType::i32, DType::i64}); }
Dims dims_of(Type type) { return Dims(type.dims().begin(), type.dims().end()); }
std::int64_t size_of(Type type, std::int64_t axis) {
  return type.dim(static_cast<int>(axis)).value();
}

// ---- views
// ----------------------------------------------------------------------------------------------------

Application reshape(Sampler& s) {
  const Type x = s.type(0, 5);
  Dims shape;
  for (Dim dim : x.dims()) {
    if (!shape.empty() && s.random.chance(50))
      shape.back() = Dim(shape.back().value() * dim.value());
    else
      shape.push_back(dim);
  }
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (shape[k].value() % 2 != 0 || shape[k].value() == 0 || shape.size() >= 6) continue;
    shape[k] = Dim(shape[k].value() / 2);
    shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(k) + 1, Dim(2));
  }
  if (s.random.chance(20)) shape.insert(shape.begin(), Dim(1));
  return {{s.data(x)}, {{"shape", shape}}, {}};
}

Application transpose(Sampler& s) {
  const Type x = s.type(0, 5);
  return {{s.data(x)}, {{"permutation", s.permutation(x.rank())}}, {}};
}

Application broadcast(Sampler& s) {
  const Dims shape = s.shape(0, 5);
  const Integers dims = s.some_axes(static_cast<int>(shape.size()));
  Dims from;
  for (std::int64_t dim : dims)
    from.push_back(s.random.chance(30) ? Dim(1) : shape[static_cast<std::size_t>(dim)]);
  return {{s.data(Type(s.dtype, from))}, {{"shape", shape}, {"dims", dims}}, {}};
}

Application slice(Sampler& s) {
  const Type x = s.type(0, 5);
  Integers starts, limits, strides;
  for (Dim dim : x.dims()) {
    starts.push_back(s.random.between(0, dim.value()));
    limits.push_back(s.random.between(starts.back(), dim.value()));
    strides.push_back(s.random.between(1, 3));
  }
  return {{s.data(x)}, {{"starts", starts}, {"limits", limits}, {"strides", strides}}, {}};
}

Application pad(Sampler& s) {
  const Type x = s.type(0, 4);
  Attributes attributes = {{"low", s.each(x.rank(), -1, 3)},
                           {"high", s.each(x.rank(), -1, 3)},
                           {"interior", s.each(x.rank(), 0, 2)}};
  return {{s.data(x), s.data(Type::scalar(s.dtype))}, std::move(attributes), {}};
}

Application concatenate(Sampler& s) {
  const Type first = s.type(1, 4);
  const std::int64_t axis = s.random.below(first.rank());
  Application made{{s.data(first)}, {{"axis", axis}}, {}};
  for (std::int64_t k = s.random.between(0, 2); k > 0; --k) {
    Dims dims = dims_of(first);
    dims[static_cast<std::size_t>(axis)] = s.size();
    made.operands.push_back(s.data(first.with_dims(dims)));
  }
  return made;
}

Application reverse(Sampler& s) {
  const Type x = s.type(0, 5);
  return {{s.data(x)}, {{"axes", s.some_axes(x.rank())}}, {}};
}

Attributes windows(Sampler& s, int rank) {
  const Integers axes = s.some_axes(std::min(rank, 3));
  const int count = static_cast<int>(axes.size());
  return {{"axes", axes},
          {"sizes", s.each(count, 1, 3)},
          {"strides", s.each(count, 1, 3)},
          {"dilations", s.each(count, 1, 2)}};
}

Application sliding_window(Sampler& s) {
  const Type x = s.type(0, 4);
  return {{s.data(x)}, windows(s, x.rank()), {}};
}

Application overlap_add(Sampler& s) {
  const Type x = s.type(0, 4);
  Attributes attributes = windows(s, x.rank());
  Dims dims = dims_of(x), shape;
  const Integers& axes = attributes.integers("axes");
  for (std::size_t k = 0; k < axes.size(); ++k) {
    Dim& dim = dims[static_cast<std::size_t>(axes[k])];
    shape.push_back(dim);
    const std::int64_t last =
        dim.value() - 1 -
        (attributes.integers("sizes")[k] - 1) * attributes.integers("dilations")[k];
    dim = last < 0 ? Dim(0) : Dim(last / attributes.integers("strides")[k] + 1);
    dims.push_back(Dim(attributes.integers("sizes")[k]));
  }
  attributes.set("shape", shape);
  return {{s.data(Type(s.dtype, dims))}, std::move(attributes), {}};
}

// ---- indexed
// --------------------------------------------------------------------------------------------------

struct Indexed {
  Type x, indices, slices;
  Attributes attributes;
};

Indexed indexed(Sampler& s) {
  const Type x = s.type(1, 4, false);
  const std::int64_t axis = s.random.below(x.rank());
  const std::int64_t batch = s.random.chance(40) ? s.random.between(0, axis) : 0;
  Dims indices(x.dims().begin(), x.dims().begin() + batch), slices = dims_of(x);
  slices.erase(slices.begin() + axis);
  for (Dim dim : s.shape(0, 2)) {
    slices.insert(slices.begin() + axis + (std::ssize(indices) - batch), dim);
    indices.push_back(dim);
  }
  return {
      x, Type(index_dtype(s), indices), x.with_dims(slices), {{"axis", axis}, {"batch", batch}}};
}

Application gather(Sampler& s) {
  const Indexed i = indexed(s);
  const std::int64_t size = size_of(i.x, i.attributes.integer("axis"));
  return {{s.data(i.x), s.integers(i.indices, -2, size + 1)}, i.attributes, {}};
}

Application scatter(Sampler& s) {
  Indexed i = indexed(s);
  const std::int64_t size = size_of(i.x, i.attributes.integer("axis"));
  i.attributes.set("kind", text_of(s, {"set", "add", "mul", "min", "max"}));
  return {{s.data(i.x), s.integers(i.indices, -1, size), s.data(i.slices)}, i.attributes, {}};
}

void add_starts(Sampler& s, Type x, std::vector<LiteralPtr>& operands) {
  for (Dim dim : x.dims())
    operands.push_back(s.integers(Type::scalar(index_dtype(s)), -2, dim.value() + 1));
}

Application dynamic_slice(Sampler& s) {
  const Type x = s.type(0, 4);
  Dims sizes;
  for (Dim dim : x.dims()) sizes.push_back(Dim(s.random.between(0, dim.value())));
  Application made{{s.data(x)}, {{"sizes", sizes}}, {}};
  add_starts(s, x, made.operands);
  return made;
}

Application dynamic_update_slice(Sampler& s) {
  const Type x = s.type(0, 4);
  Dims sizes;
  for (Dim dim : x.dims()) sizes.push_back(Dim(s.random.between(0, dim.value())));
  Application made{{s.data(x), s.data(x.with_dims(sizes))}, {}, {}};
  add_starts(s, x, made.operands);
  return made;
}

// ---- reductions
// -----------------------------------------------------------------------------------------------

Application reduce(Sampler& s) {
  const Type x = s.type(0, 5);
  const bool logical = is_boolean(s.dtype);
  const bool bits = is_integer(s.dtype) && s.random.chance(30);
  const std::string kind =
      logical || bits ? text_of(s, {"and", "or"}) : text_of(s, {"sum", "prod", "max", "min"});
  return {{s.data(x)},
          {{"kind", kind},
           {"axes", s.some_axes(x.rank())},
           {"order", text_of(s, {"ascending", "lanes"})}},
          {}};
}

Application arg_reduce(Sampler& s) {
  const Type x = s.type(1, 4, false);
  return {{s.data(x)},
          {{"kind", text_of(s, {"max", "min"})},
           {"axis", s.random.below(x.rank())},
           {"dtype", index_dtype(s)}},
          {}};
}

Application arg_sort(Sampler& s) {
  const Type x = s.type(1, 4);
  return {{s.data(x)},
          {{"axis", s.random.below(x.rank())},
           {"descending", s.random.chance(50)},
           {"dtype", index_dtype(s)}},
          {}};
}

Application cumulative(Sampler& s) {
  const Type x = s.type(1, 4);
  return {{s.data(x)},
          {{"kind", text_of(s, {"sum", "prod", "max", "min"})},
           {"axis", s.random.below(x.rank())},
           {"reverse", s.random.chance(50)},
           {"exclusive", s.random.chance(50)}},
          {}};
}

// ---- contractions
// ---------------------------------------------------------------------------------------------

// Axes in the order batch, contracted, free; then both operands get their axes shuffled.
Application dot(Sampler& s) {
  const Dims batch = s.shape(0, 1), contract = s.shape(0, 2);
  const auto side = [&](Integers& batch_axes, Integers& contract_axes) {
    Dims dims = batch;
    dims.insert(dims.end(), contract.begin(), contract.end());
    for (Dim dim : s.shape(0, 2)) dims.push_back(dim);
    const Integers order = s.permutation(static_cast<int>(dims.size()));
    Dims shuffled(dims.size());
    for (std::size_t k = 0; k < dims.size(); ++k) {
      shuffled[static_cast<std::size_t>(order[k])] = dims[k];
      if (k < batch.size())
        batch_axes.push_back(order[k]);
      else if (k < batch.size() + contract.size())
        contract_axes.push_back(order[k]);
    }
    return s.data(Type(s.dtype, shuffled));
  };
  Integers lhs_batch, lhs_contract, rhs_batch, rhs_contract;
  const LiteralPtr lhs = side(lhs_batch, lhs_contract), rhs = side(rhs_batch, rhs_contract);
  return {{lhs, rhs},
          {{"lhs_batch", lhs_batch},
           {"rhs_batch", rhs_batch},
           {"lhs_contract", lhs_contract},
           {"rhs_contract", rhs_contract}},
          {}};
}

struct ConvTypes {
  Type input, weight, output;
  Attributes attributes;
  Dims input_sizes, kernel_sizes;
};

ConvTypes conv_types(Sampler& s) {
  const int spatial = static_cast<int>(s.random.between(1, s.random.chance(20) ? 3 : 2));
  const std::int64_t groups = s.random.between(1, 2);
  const std::int64_t group_inputs = s.random.between(1, 3), group_outputs = s.random.between(1, 3);
  const Dim batch = Dim(s.random.between(s.random.chance(10) ? 0 : 1, 2));
  const bool last = s.random.chance(50), innermost = last && s.random.chance(50);
  const Integers strides = s.each(spatial, 1, 2), dilations = s.each(spatial, 1, 2);
  const Integers low = s.each(spatial, -1, 2), high = s.each(spatial, 0, 2);
  ConvTypes made;
  Dims out;
  for (std::size_t k = 0; k < static_cast<std::size_t>(spatial); ++k) {
    const std::int64_t kernel = s.random.between(1, 3), size = s.random.between(2, 6);
    const std::int64_t room = size + low[k] + high[k] - (kernel - 1) * dilations[k] - 1;
    made.input_sizes.push_back(Dim(size));
    made.kernel_sizes.push_back(Dim(kernel));
    out.push_back(room < 0 ? Dim(0) : Dim(room / strides[k] + 1));
  }
  const auto place = [&](Dim lead, Dim channel, const Dims& sizes) {
    Dims dims = sizes;
    dims.insert(last ? dims.end() : dims.begin(), channel);
    dims.insert(dims.begin(), lead);
    return Type(s.dtype, dims);
  };
  made.input = place(batch, Dim(groups * group_inputs), made.input_sizes);
  made.output = place(batch, Dim(groups * group_outputs), out);
  Dims kernel = made.kernel_sizes;
  if (innermost) {
    kernel.insert(kernel.begin(), Dim(groups * group_outputs));
    kernel.push_back(Dim(group_inputs));
  } else if (last) {
    kernel.push_back(Dim(group_inputs));
    kernel.push_back(Dim(groups * group_outputs));
  } else {
    kernel.insert(kernel.begin(), {Dim(groups * group_outputs), Dim(group_inputs)});
  }
  made.weight = Type(s.dtype, kernel);
  made.attributes = {{"layout", std::string(innermost ? "channels_innermost" : last ? "channels_last" : "channels_first")},
                     {"strides", strides},
                     {"padding_low", low},
                     {"padding_high", high},
                     {"dilations", dilations},
                     {"groups", groups}};
  return made;
}

Application conv(Sampler& s) {
  const ConvTypes c = conv_types(s);
  return {{s.data(c.input), s.data(c.weight)}, c.attributes, {}};
}

Application conv_input_gradient(Sampler& s) {
  ConvTypes c = conv_types(s);
  c.attributes.set("shape", c.input_sizes);
  return {{s.data(c.output), s.data(c.weight)}, c.attributes, {}};
}

Application conv_weight_gradient(Sampler& s) {
  ConvTypes c = conv_types(s);
  c.attributes.set("shape", c.kernel_sizes);
  return {{s.data(c.input), s.data(c.output)}, c.attributes, {}};
}

// ---- sources and structure
// ------------------------------------------------------------------------------------

Application iota(Sampler& s) {
  const Dims shape = s.shape(1, 4);
  return {
      {}, {{"shape", shape}, {"dtype", s.dtype}, {"axis", s.random.below(std::ssize(shape))}}, {}};
}

std::optional<Application> rng_bits(Sampler& s) {
  if (s.dtype != DType::u32 && s.dtype != DType::u64) return std::nullopt;
  Dims key = s.shape(0, 1);
  key.push_back(Dim(2));
  return Application{{random_literal(Type(DType::u32, key), Values::special, s.random.bits())},
                     {{"shape", s.shape(0, 3)}, {"dtype", s.dtype}},
                     {}};
}

Application constant(Sampler& s) { return {{}, {{"value", s.data(s.type(0, 3))}}, {}}; }

Application barrier(Sampler& s) {
  Application made;
  for (std::int64_t k = s.random.between(1, 3); k > 0; --k)
    made.operands.push_back(s.data(s.type(0, 3)));
  return made;
}

}  // namespace

void add_tensor_generators(Generators& generators) {
  const Generators made = {{"reshape", reshape},
                           {"transpose", transpose},
                           {"broadcast", broadcast},
                           {"slice", slice},
                           {"pad", pad},
                           {"concatenate", concatenate},
                           {"reverse", reverse},
                           {"sliding_window", sliding_window},
                           {"overlap_add", overlap_add},
                           {"gather", gather},
                           {"scatter", scatter},
                           {"dynamic_slice", dynamic_slice},
                           {"dynamic_update_slice", dynamic_update_slice},
                           {"reduce", reduce},
                           {"arg_reduce", arg_reduce},
                           {"arg_sort", arg_sort},
                           {"cumulative", cumulative},
                           {"dot", dot},
                           {"conv", conv},
                           {"conv_input_gradient", conv_input_gradient},
                           {"conv_weight_gradient", conv_weight_gradient},
                           {"iota", iota},
                           {"rng_bits", rng_bits},
                           {"constant", constant},
                           {"barrier", barrier}};
  generators.insert(made.begin(), made.end());
}

}  // namespace hyperion::testing_support
