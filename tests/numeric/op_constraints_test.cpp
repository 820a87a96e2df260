// Every numbered constraint of every tensor op is enforced, and reported under its own id.
#include <gtest/gtest.h>

#include <charconv>
#include <set>

#include "ir/builder.hpp"
#include "tests/support/op_samples.hpp"

namespace hyperion::testing_support {
namespace {

using ir::Attributes;
using ir::Builder;
using ir::Dims;
using ir::Function;
using ir::Integers;
using ir::Module;
using ir::SymbolReference;
using ir::Value;

// "f32[2,n]"
Type type_of(std::string_view text) {
  const std::size_t open = text.find('[');
  Dims dims;
  std::string_view rest = text.substr(open + 1, text.size() - open - 2);
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view word = rest.substr(0, comma);
    std::int64_t size = 0;
    const bool is_number =
        std::from_chars(word.data(), word.data() + word.size(), size).ec == std::errc{};
    dims.push_back(is_number ? Dim(size) : Dim::symbol(word));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return Type(*parse_dtype(text.substr(0, open)), dims);
}

struct Violation {
  std::string_view id;  // "dot.c2"
  std::vector<std::string_view> operands;
  Attributes attributes;
};

const std::int64_t kOne = 1, kTwo = 2, kMinus = -1, kZero = 0;
ir::AttributeValue word(std::string_view value) { return std::string(value); }
ir::AttributeValue symbol(std::string_view name) { return SymbolReference{std::string(name)}; }

std::vector<Violation> view_violations() {
  const Dims negative = {Dim(-1)};
  return {
      {"iota.c1", {}, {{"shape", negative}, {"dtype", DType::i32}}},
      {"iota.c2", {}, {{"shape", Dims{2}}, {"dtype", DType::i32}, {"axis", kOne}}},
      {"iota.c3", {}, {{"shape", Dims{2}}, {"dtype", DType::bool_}}},
      {"reshape.c1", {"f32[2,3]"}, {{"shape", Dims{7}}}},
      {"reshape.c2", {"f32[]"}, {{"shape", negative}}},
      {"transpose.c1", {"f32[2,3]"}, {{"permutation", Integers{0, 0}}}},
      {"broadcast.c1", {"f32[3]"}, {{"shape", Dims{2, 3}}, {"dims", Integers{}}}},
      {"broadcast.c2", {"f32[3]"}, {{"shape", Dims{2, 3}}, {"dims", Integers{2}}}},
      {"broadcast.c3", {"f32[2]"}, {{"shape", Dims{2, 3}}, {"dims", Integers{1}}}},
      {"slice.c1",
       {"f32[3]"},
       {{"starts", Integers{}}, {"limits", Integers{3}}, {"strides", Integers{1}}}},
      {"slice.c2",
       {"f32[3]"},
       {{"starts", Integers{1}}, {"limits", Integers{4}}, {"strides", Integers{1}}}},
      {"slice.c3",
       {"f32[3]"},
       {{"starts", Integers{0}}, {"limits", Integers{3}}, {"strides", Integers{0}}}},
      {"slice.c4",
       {"f32[n]"},
       {{"starts", Integers{0}}, {"limits", Integers{3}}, {"strides", Integers{1}}}},
      {"concatenate.c1", {}, {{"axis", kZero}}},
      {"concatenate.c2", {"f32[3]"}, {{"axis", kOne}}},
      {"concatenate.c3", {"f32[3,2]", "f32[3,3]"}, {{"axis", kZero}}},
      {"reverse.c1", {"f32[3]"}, {{"axes", Integers{0, 0}}}},
      {"pad.c1",
       {"f32[3]", "f64[]"},
       {{"low", Integers{0}}, {"high", Integers{0}}, {"interior", Integers{0}}}},
      {"pad.c2",
       {"f32[3]", "f32[]"},
       {{"low", Integers{}}, {"high", Integers{0}}, {"interior", Integers{0}}}},
      {"pad.c3",
       {"f32[3]", "f32[]"},
       {{"low", Integers{0}}, {"high", Integers{0}}, {"interior", Integers{-1}}}},
      {"pad.c4",
       {"f32[3]", "f32[]"},
       {{"low", Integers{-2}}, {"high", Integers{-2}}, {"interior", Integers{0}}}},
      {"pad.c5",
       {"f32[n]", "f32[]"},
       {{"low", Integers{0}}, {"high", Integers{0}}, {"interior", Integers{1}}}},
  };
}

Attributes windows(Integers axes, Integers sizes, std::int64_t stride = 1) {
  const Integers ones(sizes.size(), 1);
  return {{"axes", std::move(axes)},
          {"sizes", std::move(sizes)},
          {"strides", Integers(ones.size(), stride)},
          {"dilations", ones}};
}

Attributes adding(Attributes attributes, Dims shape) {
  attributes.set("shape", std::move(shape));
  return attributes;
}

std::vector<Violation> window_violations() {
  return {
      {"sliding_window.c1", {"f32[5]"}, windows({0}, {2, 2})},
      {"sliding_window.c2", {"f32[5]"}, windows({1}, {2})},
      {"sliding_window.c3", {"f32[5]"}, windows({0}, {0})},
      {"sliding_window.c4", {"f32[n]"}, windows({0}, {2}, 2)},
      {"sliding_window.c5", {"f32[1,1,1,1,1]"}, windows({0, 1, 2, 3}, {1, 1, 1, 1})},
      {"overlap_add.c1", {"f32[4,2]"}, adding(windows({0}, {2, 2}), {5})},
      {"overlap_add.c2", {"f32[4,2]"}, adding(windows({1}, {2}), {5})},
      {"overlap_add.c3", {"f32[4,2]"}, adding(windows({0}, {0}), {5})},
      {"overlap_add.c4", {"f32[4,2]"}, adding(windows({0}, {2}, 2), {Dim::symbol("n")})},
      {"overlap_add.c6", {"f32[4,2]"}, adding(windows({0}, {2}), {})},
      {"overlap_add.c7", {"f32[4,2]"}, adding(windows({0}, {2}), {9})},
      {"overlap_add.c8", {"bool[4,2]"}, adding(windows({0}, {2}), {5})},
  };
}

std::vector<Violation> indexed_violations() {
  const Attributes first = {{"axis", kZero}};
  const auto batched = [](std::int64_t axis, std::int64_t batch) {
    return Attributes{{"axis", axis}, {"batch", batch}};
  };
  const auto kind = [](std::string_view name) {
    return Attributes{{"axis", kZero}, {"kind", word(name)}};
  };
  return {
      {"gather.c1", {"f32[3]", "f32[2]"}, first},
      {"gather.c2", {"f32[3]", "i32[2]"}, {{"axis", kOne}}},
      {"gather.c3", {"f32[3,4]", "i32[2]"}, batched(1, 1)},
      {"gather.c4", {"f32[1,1,1,1,1]", "i32[1,1,1,1,1]"}, first},
      {"gather.c5", {"f32[0]", "i32[2]"}, first},
      {"scatter.c1", {"f32[3]", "f32[2]", "f32[2]"}, first},
      {"scatter.c2", {"f32[3]", "i32[2]", "f32[2]"}, {{"axis", kOne}}},
      {"scatter.c3", {"f32[3,4]", "i32[2]", "f32[3]"}, batched(1, 1)},
      {"scatter.c4", {"f32[1,1,1,1,1]", "i32[1,1,1,1,1]", "f32[1]"}, first},
      {"scatter.c5", {"f32[3]", "i32[2]", "f32[3]"}, first},
      {"scatter.c6", {"f32[3]", "i32[2]", "f32[2]"}, kind("div")},
      {"scatter.c7", {"bool[3]", "i32[2]", "bool[2]"}, kind("add")},
      {"dynamic_slice.c1", {"f32[3]"}, {{"sizes", Dims{2}}}},
      {"dynamic_slice.c2", {"f32[3]", "f32[]"}, {{"sizes", Dims{2}}}},
      {"dynamic_slice.c3", {"f32[3]", "i32[]"}, {{"sizes", Dims{2, 2}}}},
      {"dynamic_slice.c4", {"f32[3]", "i32[]"}, {{"sizes", Dims{4}}}},
      {"dynamic_update_slice.c1", {"f32[3]", "f32[2]"}, {}},
      {"dynamic_update_slice.c2", {"f32[3]", "f32[2]", "i32[1]"}, {}},
      {"dynamic_update_slice.c3", {"f32[3]", "f64[2]", "i32[]"}, {}},
      {"dynamic_update_slice.c4", {"f32[3]", "f32[4]", "i32[]"}, {}},
  };
}

std::vector<Violation> reduction_violations() {
  const auto reduce = [](std::string_view kind, Integers axes,
                         std::string_view order = "ascending") {
    return Attributes{{"kind", word(kind)}, {"axes", std::move(axes)}, {"order", word(order)}};
  };
  const auto along = [](std::string_view kind, std::int64_t axis) {
    return Attributes{{"kind", word(kind)}, {"axis", axis}};
  };
  const auto sort = [](std::int64_t axis, DType dtype) { return Attributes{{"axis", axis}, {"dtype", dtype}}; };
  Attributes float_indices = along("max", 0);
  float_indices.set("dtype", DType::f32);
  const auto dot = [](Integers lhs_batch, Integers rhs_batch, Integers lhs, Integers rhs) {
    return Attributes{{"lhs_batch", lhs_batch},
                      {"rhs_batch", rhs_batch},
                      {"lhs_contract", lhs},
                      {"rhs_contract", rhs}};
  };
  return {
      {"reduce.c1", {"f32[3]"}, reduce("mean", {0})},
      {"reduce.c2", {"f32[3]"}, reduce("sum", {0}, "random")},
      {"reduce.c3", {"f32[3]"}, reduce("sum", {1})},
      {"reduce.c4", {"f32[3]"}, reduce("and", {0})},
      {"arg_reduce.c1", {"f32[3]"}, along("sum", 0)},
      {"arg_reduce.c2", {"f32[3]"}, along("max", 1)},
      {"arg_reduce.c3", {"f32[0]"}, along("max", 0)},
      {"arg_reduce.c4", {"f32[3]"}, float_indices},
      {"arg_reduce.c5", {"c64[3]"}, along("max", 0)},
      {"arg_sort.c1", {"f32[3]"}, sort(1, DType::i64)},
      {"arg_sort.c2", {"f32[3]"}, sort(0, DType::u32)},
      {"arg_sort.c3", {"c64[3]"}, sort(0, DType::i64)},
      {"cumulative.c1", {"f32[3]"}, along("and", 0)},
      {"cumulative.c2", {"f32[3]"}, along("sum", -1)},
      {"cumulative.c3", {"bool[3]"}, along("sum", 0)},
      {"dot.c1", {"f32[3]", "f64[3]"}, dot({}, {}, {0}, {0})},
      {"dot.c2", {"f32[3]", "f32[4]"}, dot({}, {}, {0}, {0})},
      {"dot.c3", {"f32[3]", "f32[3]"}, dot({}, {}, {0}, {})},
      {"dot.c4", {"f32[3]", "f32[4]"}, dot({0}, {0}, {}, {})},
      {"dot.c5", {"f32[1,1,1,1,1]", "f32[1,1,1,1,1]"}, dot({}, {}, {}, {})},
      {"rng_bits.c1", {"u32[3]"}, {{"shape", Dims{2}}}},
      {"rng_bits.c2", {"u32[2]"}, {{"shape", Dims{2}}, {"dtype", DType::i32}}},
      {"rng_bits.c3", {"u32[2]"}, {{"shape", Dims{Dim::symbol("n")}}}},
  };
}

Attributes convolution(int spatial, std::int64_t groups = 1, std::int64_t stride = 1,
                       std::string_view layout = "channels_first") {
  const Integers zeros(static_cast<std::size_t>(spatial), 0), ones(zeros.size(), 1);
  return {{"strides", Integers(zeros.size(), stride)},
          {"padding_low", zeros},
          {"padding_high", zeros},
          {"dilations", ones},
          {"groups", groups},
          {"layout", word(layout)}};
}

std::vector<Violation> convolution_violations() {
  return {
      {"conv.c1", {"f32[1,2,5]", "f32[3,2,2,2]"}, convolution(1)},
      {"conv.c2", {"f32[1,2,5]", "f32[3,2,2]"}, convolution(2)},
      {"conv.c3", {"f32[1,2,5]", "f32[3,2,2]"}, convolution(1, 0)},
      {"conv.c4", {"f32[1,2,5]", "f32[3,3,2]"}, convolution(1)},
      {"conv.c5", {"f32[1,2,5]", "f32[3,1,2]"}, convolution(1, 2)},
      {"conv.c6", {"f32[1,2,5]", "f32[3,2,0]"}, convolution(1)},
      {"conv_input_gradient.c1", {"f32[1,3,4]", "f64[3,2,2]"}, adding(convolution(1), {5})},
      {"conv_input_gradient.c2", {"f32[1,3,4]", "f32[3,2,2]"}, adding(convolution(1, 1, 0), {5})},
      {"conv_input_gradient.c3",
       {"f32[1,3,4]", "f32[3,2,2]"},
       adding(convolution(1, 1, 1, "nchw"), {5})},
      {"conv_input_gradient.c5", {"f32[1,4,4]", "f32[3,2,2]"}, adding(convolution(1), {5})},
      {"conv_input_gradient.c6", {"f32[1,3,4]", "f32[3,2,2]"}, adding(convolution(1), {6})},
      {"conv_input_gradient.c7", {"f32[1,3,4]", "f32[3,2,2]"}, adding(convolution(1), {5, 5})},
      {"conv_weight_gradient.c1", {"f32[1,2]", "f32[1,3]"}, adding(convolution(0), {})},
      {"conv_weight_gradient.c2", {"f32[1,2,5]", "f32[1,3,4]"}, adding(convolution(2), {2})},
      {"conv_weight_gradient.c3", {"f32[1,2,5]", "f32[1,3,4]"}, adding(convolution(1, -1), {2})},
      {"conv_weight_gradient.c4", {"f32[1,3,5]", "f32[1,4,4]"}, adding(convolution(1, 2), {2})},
      {"conv_weight_gradient.c5", {"f32[1,2,5]", "f32[1,3,4]"}, adding(convolution(1, 2), {2})},
      {"conv_weight_gradient.c6", {"f32[2,2,5]", "f32[1,3,4]"}, adding(convolution(1), {2})},
      {"conv_weight_gradient.c7", {"f32[1,2,5]", "f32[1,3,4]"}, adding(convolution(1), {})},
  };
}

std::vector<Violation> control_violations() {
  const auto branches = [](std::string_view a, std::string_view b) {
    return Attributes{{"on_true", symbol(a)}, {"on_false", symbol(b)}};
  };
  const auto loop = [](std::string_view condition, std::string_view body) {
    return Attributes{{"condition", symbol(condition)}, {"body", symbol(body)}};
  };
  const auto scan = [](std::string_view body, std::int64_t carries, std::int64_t length) {
    return Attributes{{"body", symbol(body)}, {"carries", carries}, {"length", length}};
  };
  return {
      {"call.c1", {"f32[2]"}, {{"callee", symbol("nobody")}}},
      {"call.c2", {"f32[3]"}, {{"callee", symbol("same")}}},
      {"cond.c1", {"f32[]", "f32[2]"}, branches("same", "same")},
      {"cond.c2", {"bool[]", "f32[2]"}, branches("same", "nobody")},
      {"cond.c3", {"bool[]", "f32[3]"}, branches("same", "same")},
      {"cond.c4", {"bool[]", "f32[2]"}, branches("same", "total")},
      {"while.c1", {"f32[2]"}, loop("nobody", "same")},
      {"while.c2", {"f32[3]"}, loop("holds", "same")},
      {"while.c3", {"f32[2]"}, loop("same", "same")},
      {"while.c4", {"f32[2]"}, loop("holds", "total")},
      {"scan.c1", {"f32[2]"}, scan("nobody", 1, 3)},
      {"scan.c2", {"f32[2]"}, scan("same", 2, 3)},
      {"scan.c3", {"f32[4,2]"}, scan("same", 0, 3)},
      {"scan.c4", {"f32[3,3]"}, scan("same", 0, 3)},
      {"scan.c5", {"f32[2]"}, scan("total", 1, 3)},
      {"scan.c6", {"f32[3,1,1,1,1,1,1,1]"}, scan("wide", 0, 3)},
  };
}

std::vector<Violation> composite_violations() {
  const Attributes axis0 = {{"axis", kZero}}, axis9 = {{"axis", std::int64_t{9}}};
  const Attributes axes0 = {{"axes", Integers{0}}}, axes9 = {{"axes", Integers{9}}};
  const auto pool = [](Integers window, std::int64_t stride = 1,
                       std::string_view layout = "channels_first") {
    const Integers zeros(window.size(), 0), strides(window.size(), stride), ones(window.size(), 1);
    return Attributes{{"window", std::move(window)}, {"strides", strides},
                      {"padding_low", zeros},        {"padding_high", zeros},
                      {"dilations", ones},           {"layout", word(layout)}};
  };
  std::vector<Violation> list = {
      {"gelu.c2", {"f32[2]"}, {{"approximate", word("sigmoid")}}},
      {"batch_norm.c3", {"f32[2,3]", "f32[3]", "f32[3]"}, axis9},
      {"batch_norm_inference.c3", {"f32[2,3]", "f32[3]", "f32[3]", "f32[3]", "f32[3]"}, axis9},
      {"cross_entropy.c1", {"i32[2,3]", "i32[2]"}, {}},
      {"cross_entropy.c2", {"f32[2,3]", "f32[2]"}, {}},
      {"cross_entropy.c3", {"f32[2,3]", "i32[3]"}, {}},
      {"cross_entropy.c4", {"f32[2,0]", "i32[2]"}, {}},
      {"cross_entropy.c5", {"f32[2,3]", "i32[2]"}, {{"reduction", word("max")}}},
      {"cross_entropy.c6", {"f32[2,3]", "i32[2]"}, {{"label_smoothing", 1.5}}},
      {"dropout.c1", {"i32[2]", "u32[2]"}, {}},
      {"dropout.c2", {"f32[2]", "u32[3]"}, {}},
      {"dropout.c3", {"f32[2]", "u32[2]"}, {{"rate", -0.5}}},
      {"dropout.c4", {"f32[n]", "u32[2]"}, {}},
      {"complex.c1", {"f32[2]", "f64[2]"}, {}},
      {"complex.c2", {"f16[2]", "f16[2]"}, {}},
      {"conj.c1", {"f32[2]"}, {}},
      {"real.c1", {"f32[2]"}, {}},
      {"imag.c1", {"f32[2]"}, {}},
      {"embedding.c1", {"f32[2]", "i32[2]"}, {}},
      {"embedding.c2", {"f32[2,3]", "f32[2]"}, {}},
      {"embedding.c3", {"f32[2,3]", "i32[1,1,1,1,1,1,1,1]"}, {}},
      {"one_hot.c1", {"f32[2]"}, {{"classes", kTwo}}},
      {"one_hot.c2", {"i32[2]"}, {{"classes", kMinus}}},
      {"one_hot.c3", {"i32[2]"}, {{"classes", kTwo}, {"dtype", DType::c64}}},
      {"avg_pool.c6", {"i32[1,1,4]"}, pool({2})},
  };
  for (std::string_view op : {"silu.c1", "gelu.c1", "leaky_relu.c1", "elu.c1", "softplus.c1"})
    list.push_back({op, {"i32[2]"}, {}});
  for (std::string_view op : {"softmax.c1", "log_softmax.c1"})
    list.push_back({op, {"i32[2]"}, axis0});
  for (std::string_view op : {"softmax.c2", "log_softmax.c2"})
    list.push_back({op, {"f32[2]"}, axis9});
  for (std::string_view op : {"mean.c1", "variance.c1", "logsumexp.c1"})
    list.push_back({op, {"i32[2]"}, axes0});
  for (std::string_view op : {"mean.c2", "variance.c2", "logsumexp.c2"})
    list.push_back({op, {"f32[2]"}, axes9});
  list.push_back({"layer_norm.c1", {"i32[2,3]", "i32[3]", "i32[3]"}, {}});
  list.push_back({"layer_norm.c2", {"f32[2,3]", "f32[3]", "f32[2]"}, {}});
  list.push_back({"rms_norm.c1", {"i32[2,3]", "i32[3]"}, {}});
  list.push_back({"rms_norm.c2", {"f32[2,3]", "f32[2]"}, {}});
  list.push_back({"batch_norm.c1", {"i32[2]", "i32[2]", "i32[2]"}, axis0});
  list.push_back({"batch_norm.c2", {"f32[2]", "f32[2]", "f32[3]"}, axis0});
  list.push_back(
      {"batch_norm_inference.c1", {"i32[2]", "i32[2]", "i32[2]", "i32[2]", "i32[2]"}, axis0});
  list.push_back(
      {"batch_norm_inference.c2", {"f32[2]", "f32[2]", "f32[2]", "f32[2]", "f32[3]"}, axis0});
  for (std::string_view op : {"max_pool", "avg_pool"}) {
    const auto id = [&](std::string_view c) {
      return op == "max_pool" ? std::string("max_pool.") + std::string(c)
                              : "avg_pool." + std::string(c);
    };
    static std::vector<std::string> kept;  // ids are views
    kept.reserve(16);
    const auto add = [&](std::string_view c, std::string_view x, Attributes attributes) {
      kept.push_back(id(c));
      list.push_back({kept.back(), {x}, std::move(attributes)});
    };
    add("c1", "f32[1,4]", pool({}));
    add("c2", "f32[1,1,4]", pool({2, 2}));
    add("c3", "f32[1,1,4]", pool({0}));
    add("c4", "f32[1,1,4]", pool({2}, 1, "nchw"));
    add("c5", "f32[1,1,n]", pool({2}, 2));
  }
  return list;
}

// @same: f32[2] to itself; @total: to its sum; @holds: to a bool; @wide: rank 8 to itself.
Module callees() {
  Module module;
  const auto write = [&](std::string name, std::string_view type,
                         const std::function<Value(Builder&, Value)>& body) {
    Function& f = module.add(std::move(name));
    Builder b(f, &module);
    const Value result[] = {body(b, b.parameter(type_of(type)))};
    b.return_values(result);
  };
  write("same", "f32[2]", [](Builder&, Value x) { return x; });
  write("total", "f32[2]", [](Builder& b, Value x) { return b.reduce(x, ir::Monoid::sum, {0}); });
  write("holds", "f32[2]",
        [](Builder& b, Value) { return b.constant(Type::scalar(DType::bool_), 0.0); });
  write("wide", "f32[1,1,1,1,1,1,1]",
        [](Builder& b, Value x) { return b.reshape(x, Dims(8, Dim(1))); });
  return module;
}

std::vector<Violation> all_violations() {
  std::vector<Violation> all;
  for (const auto& list :
       {view_violations(), window_violations(), indexed_violations(), reduction_violations(),
        convolution_violations(), control_violations(), composite_violations()}) {
    all.insert(all.end(), list.begin(), list.end());
  }
  return all;
}

TEST(Constraints, EachIsReportedUnderItsId) {
  const Module module = callees();
  for (const Violation& violation : all_violations()) {
    SCOPED_TRACE(violation.id);
    std::vector<Type> operands;
    for (std::string_view operand : violation.operands) operands.push_back(type_of(operand));
    Attributes attributes = violation.attributes;
    Diagnostics diagnostics;
    const ir::OpDefinition& op = ir::op(violation.id.substr(0, violation.id.find('.')));
    EXPECT_FALSE(ir::infer_types(op, operands, attributes, &module, diagnostics).has_value());
    const std::string report = diagnostics.render();
    EXPECT_NE(report.find("[" + std::string(violation.id) + "]"), std::string::npos) << report;
  }
}

TEST(Constraints, AllOfTensorOpsAreCovered) {
  std::set<std::string, std::less<>> covered;
  for (const Violation& violation : all_violations()) covered.emplace(violation.id);
  // Cannot be broken, though shared lists state them: the result of conv_input_gradient takes its
  // channels from the weights, and windows that are given as an operand have a rank already.
  covered.emplace("conv_input_gradient.c4");
  covered.emplace("overlap_add.c5");
  for (const ir::OpDefinition* op : sampled_ops()) {
    if (op->is_elementwise) continue;  // checked with their family
    for (const ir::ConstraintSpec& constraint : op->constraints) {
      const std::string id = std::string(op->name) + "." + std::string(constraint.id);
      EXPECT_TRUE(covered.contains(id)) << id << ": " << constraint.rule;
    }
  }
}

}  // namespace
}  // namespace hyperion::testing_support
