#include "runtime/plan_text.hpp"

#include "ir/support/format.hpp"
#include "runtime/roofline.hpp"

namespace hyperion::runtime {
namespace {

std::string type_text(const TensorType& type) {
  return format("{}[{}]", dtype_name(type.dtype), fmt::join(type.dims, ", "));
}

// Everything that names memory of one plan.
class PlanPrinter {
 public:
  PlanPrinter(const Module& module, const Plan& plan) : module_(module), plan_(plan) {}

  std::string run() {
    for (const Instruction& instruction : plan_.instructions) {
      std::visit([&](const auto& one) { out_ += "  " + text(one) + "\n"; }, instruction);
    }
    return out_;
  }

 private:
  std::string slot(const Slot& slot) const {
    const std::string part = format("[{}, {})", slot.offset, slot.offset + slot.bytes);
    const auto named = [&](std::string_view kind, std::uint64_t whole) {
      return format("{} {}{}", kind, slot.index,
                    slot.offset == 0 && slot.bytes == whole ? "" : part);
    };
    switch (slot.kind) {
      case Slot::Kind::argument:
        return named("argument", plan_.argument_bytes[slot.index]);
      case Slot::Kind::output:
        return named("output", plan_.output_bytes[slot.index]);
      case Slot::Kind::constant:
        return named("constant", module_.constants[slot.index].bytes.size());
      case Slot::Kind::arena:
        break;
    }
    return "arena" + part;
  }
  std::string slots(const std::vector<Slot>& all) const {
    std::string out;
    for (const Slot& one : all) out += (out.empty() ? "" : ", ") + slot(one);
    return out;
  }
  std::string plan(std::uint32_t index) const {
    return format("plan {} @{}", index, module_.plans[index].name);
  }
  std::string carried(const std::vector<Carried>& all) const {
    std::string out;
    for (const Carried& one : all) {
      out += format("\n    carried {} -> {}, spare {}", slot(one.initial), slot(one.result),
                    slot(one.spare));
    }
    return out;
  }
  std::string stepped(std::string_view name, const std::vector<Stepped>& all) const {
    std::string out;
    for (const Stepped& one : all) {
      out += format("\n    {} {}, {} bytes every {}", name, slot(one.whole), one.bytes, one.stride);
    }
    return out;
  }

  std::string text(const Launch& one) const {
    const bool is_vector = one.unit == ArithmeticUnit::vector;
    return format("launch {}({}) {{bytes = {}, flops = {}, scratch = {}, tiles = {}{}}}{}{}",
                  one.kernel, slots(one.buffers), one.bytes, one.flops, one.scratch_bytes,
                  one.tiles, is_vector ? "" : format(", unit = {}", unit_name(one.unit)),
                  one.location.empty() ? "" : " ", one.location);
  }
  std::string text(const Copy& one) const {
    return format("copy {} -> {}", slot(one.from), slot(one.to));
  }
  std::string text(const Call& one) const {
    return format("call {}({}) -> {}, frame {}", plan(one.plan), slots(one.arguments),
                  slots(one.outputs), slot(one.frame));
  }
  std::string text(const Cond& one) const {
    return format("cond {} ? {} : {} ({}) -> {}, frame {}", slot(one.predicate),
                  plan(one.then_plan), plan(one.else_plan), slots(one.arguments),
                  slots(one.outputs), slot(one.frame));
  }
  std::string text(const WhileLoop& one) const {
    return format("while {} -> {} do {}, frame {}{}\n    captures ({})", plan(one.condition),
                  slot(one.predicate), plan(one.body), slot(one.frame), carried(one.carried),
                  slots(one.captures));
  }
  std::string text(const Scan& one) const {
    return format("scan {} times{} {}, frame {}{}{}{}\n    captures ({})", one.length,
                  one.reverse ? " backwards" : "", plan(one.body), slot(one.frame),
                  carried(one.carried), stepped("input", one.inputs),
                  stepped("output", one.outputs), slots(one.captures));
  }

  const Module& module_;
  const Plan& plan_;
  std::string out_;
};

std::string head(const Function& function) {
  std::vector<std::string> arguments, outputs;
  for (const TensorType& type : function.arguments) arguments.push_back(type_text(type));
  for (const OutputType& output : function.outputs) {
    const std::string donor =
        output.donor < 0 ? "" : format(" in argument {} if donated", output.donor);
    outputs.push_back(type_text(output.type) + donor);
  }
  return format("function @{} = plan {}({}) -> {}\n", function.name, function.plan,
                fmt::join(arguments, ", "), fmt::join(outputs, ", "));
}

}  // namespace

std::string plan_text(const Module& module) {
  std::string out;
  for (const Function& function : module.functions) out += head(function);
  for (std::size_t k = 0; k < module.plans.size(); ++k) {
    const Plan& plan = module.plans[k];
    out += format("plan {} @{}: arguments {} bytes; outputs {} bytes; arena {} bytes\n", k,
                  plan.name, fmt::join(plan.argument_bytes, ", "),
                  fmt::join(plan.output_bytes, ", "), plan.arena_bytes);
    out += PlanPrinter(module, plan).run();
  }
  for (std::size_t k = 0; k < module.constants.size(); ++k) {
    out += format("constant {}: {} bytes\n", k, module.constants[k].bytes.size());
  }
  return out;
}

}  // namespace hyperion::runtime
