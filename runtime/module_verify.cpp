// Written bottom-up: slots, what control flow hands to a plan, each instruction, plans, functions.
#include <algorithm>
#include <utility>

#include "ir/support/format.hpp"
#include "runtime/memory/allocator.hpp"
#include "runtime/module.hpp"

namespace hyperion::runtime {
namespace {

class Verifier {
 public:
  explicit Verifier(const Module& module) : module_(module), depth_(module.plans.size(), 1) {}

  StatusOr<> run() {
    for (const Constant& constant : module_.constants) {
      if (reinterpret_cast<std::uintptr_t>(constant.bytes.data()) % kAlignment != 0) {
        return error_status(Code::invalid_argument, "a constant is not 64-byte aligned");
      }
    }
    for (index_ = 0; index_ < module_.plans.size(); ++index_) {
      plan_ = &module_.plans[index_];
      for (position_ = 0; position_ < plan_->instructions.size(); ++position_) {
        HYP_TRY_VOID(std::visit([&](const auto& instruction) { return check(instruction); },
                                plan_->instructions[position_]));
      }
    }
    for (const Function& function : module_.functions) HYP_TRY_VOID(check_function(function));
    return {};
  }

 private:
  enum class Use { read, write };

  std::unexpected<Status> wrong(std::string message) const {
    return error_status(Code::invalid_argument, std::move(message),
                        format("plan {} '{}', instruction {}", index_, plan_->name, position_));
  }

  // What a slot's index names, in bytes; nothing when there is no such thing.
  StatusOr<std::uint64_t> extent(const Slot& slot) const {
    const auto pick = [&](std::size_t count, const char* what,
                          auto get) -> StatusOr<std::uint64_t> {
      if (slot.index >= count) return wrong(format("no {} {} among {}", what, slot.index, count));
      return get(slot.index);
    };
    switch (slot.kind) {
      case Slot::Kind::argument:
        return pick(plan_->argument_bytes.size(), "argument",
                    [&](std::size_t i) { return plan_->argument_bytes[i]; });
      case Slot::Kind::output:
        return pick(plan_->output_bytes.size(), "output",
                    [&](std::size_t i) { return plan_->output_bytes[i]; });
      case Slot::Kind::constant:
        return pick(module_.constants.size(), "constant",
                    [&](std::size_t i) { return module_.constants[i].bytes.size(); });
      case Slot::Kind::arena:
        return pick(1, "arena", [&](std::size_t) { return plan_->arena_bytes; });
    }
    return wrong("a slot of no kind");
  }

  StatusOr<> check_slot(const Slot& slot, Use use = Use::read) const {
    HYP_TRY(const std::uint64_t size, extent(slot));
    if (slot.offset > size || slot.bytes > size - slot.offset) {
      return wrong(
          format("a slot of {} bytes at {} leaves its {} bytes", slot.bytes, slot.offset, size));
    }
    const bool constant = slot.kind == Slot::Kind::argument || slot.kind == Slot::Kind::constant;
    if (use == Use::write && constant) return wrong("an argument or constant is written");
    return {};
  }

  StatusOr<> check_size(std::uint64_t actual, std::uint64_t expected) const {
    if (actual == expected) return {};
    return wrong(format("{} bytes are handed over where {} are expected", actual, expected));
  }

  // P2, and the part of P3 about the frame.
  StatusOr<> check_callee(std::uint32_t callee, const Slot& frame) {
    if (callee >= index_) return wrong(format("plan {} is not below its caller", callee));
    if (module_.plans[callee].arena_bytes > frame.bytes) {
      return wrong(format("the frame has {} bytes, plan {} needs {}", frame.bytes, callee,
                          module_.plans[callee].arena_bytes));
    }
    if (frame.kind != Slot::Kind::arena) return wrong("a frame lies outside the arena");
    HYP_TRY_VOID(check_slot(frame));
    depth_[index_] = std::max(depth_[index_], depth_[callee] + 1);
    if (depth_[index_] > kMaxPlanDepth) return wrong("plans are nested too deeply");
    return {};
  }

  // The sizes handed to a plan, in order: lists are appended, then compared with what it declares.
  StatusOr<> check_sizes(const std::vector<std::uint64_t>& handed,
                         const std::vector<std::uint64_t>& declared) const {
    if (handed.size() != declared.size()) {
      return wrong(format("{} values are handed over where {} are expected", handed.size(),
                          declared.size()));
    }
    for (std::size_t i = 0; i < handed.size(); ++i)
      HYP_TRY_VOID(check_size(handed[i], declared[i]));
    return {};
  }

  StatusOr<> append(const std::vector<Slot>& slots, Use use,
                    std::vector<std::uint64_t>& sizes) const {
    for (const Slot& slot : slots) {
      HYP_TRY_VOID(check_slot(slot, use));
      sizes.push_back(slot.bytes);
    }
    return {};
  }

  StatusOr<> append(const std::vector<Carried>& carried, std::vector<std::uint64_t>& sizes) const {
    for (const Carried& value : carried) {
      HYP_TRY_VOID(check_slot(value.initial));
      HYP_TRY_VOID(check_slot(value.result, Use::write));
      HYP_TRY_VOID(check_slot(value.spare, Use::write));
      HYP_TRY_VOID(check_size(value.initial.bytes, value.result.bytes));
      HYP_TRY_VOID(check_size(value.spare.bytes, value.result.bytes));
      sizes.push_back(value.result.bytes);
    }
    return {};
  }

  StatusOr<> append(const std::vector<Stepped>& stepped, std::int64_t length, Use use,
                    std::vector<std::uint64_t>& sizes) const {
    for (const Stepped& value : stepped) {
      HYP_TRY_VOID(check_slot(value.whole, use));
      std::uint64_t last = 0;
      const auto steps = static_cast<std::uint64_t>(length == 0 ? 0 : length - 1);
      if (__builtin_mul_overflow(steps, value.stride, &last) ||
          __builtin_add_overflow(last, value.bytes, &last) ||
          (length > 0 && last > value.whole.bytes)) {
        return wrong(format("{} steps of stride {} leave the {} bytes they share", length,
                            value.stride, value.whole.bytes));
      }
      sizes.push_back(value.bytes);
    }
    return {};
  }

  StatusOr<> check(const Launch& launch) {
    for (const Slot& slot : launch.buffers) HYP_TRY_VOID(check_slot(slot));
    if (static_cast<std::size_t>(launch.unit) >= kArithmeticUnits) {
      return wrong("an arithmetic unit of no kind");
    }
    if (launch.tiles < 0) return wrong(format("{} tiles", launch.tiles));
    if (launch.scratch_bytes > kMaxScratch) {
      return wrong(format("{} bytes of scratch for each thread", launch.scratch_bytes));
    }
    return {};
  }

  StatusOr<> check(const Copy& copy) {
    HYP_TRY_VOID(check_slot(copy.from));
    HYP_TRY_VOID(check_slot(copy.to, Use::write));
    return check_size(copy.from.bytes, copy.to.bytes);
  }

  StatusOr<> check_entry(std::uint32_t callee, const std::vector<Slot>& arguments,
                         const std::vector<Slot>& outputs, const Slot& frame) {
    HYP_TRY_VOID(check_callee(callee, frame));
    std::vector<std::uint64_t> handed, returned;
    HYP_TRY_VOID(append(arguments, Use::read, handed));
    HYP_TRY_VOID(append(outputs, Use::write, returned));
    HYP_TRY_VOID(check_sizes(handed, module_.plans[callee].argument_bytes));
    return check_sizes(returned, module_.plans[callee].output_bytes);
  }

  StatusOr<> check(const Call& call) {
    return check_entry(call.plan, call.arguments, call.outputs, call.frame);
  }

  StatusOr<> check(const Cond& cond) {
    HYP_TRY_VOID(check_slot(cond.predicate));
    HYP_TRY_VOID(check_size(cond.predicate.bytes, 1));
    HYP_TRY_VOID(check_entry(cond.then_plan, cond.arguments, cond.outputs, cond.frame));
    return check_entry(cond.else_plan, cond.arguments, cond.outputs, cond.frame);
  }

  StatusOr<> check(const WhileLoop& loop) {
    HYP_TRY_VOID(check_callee(loop.condition, loop.frame));
    HYP_TRY_VOID(check_callee(loop.body, loop.frame));
    HYP_TRY_VOID(check_slot(loop.predicate, Use::write));
    HYP_TRY_VOID(check_size(loop.predicate.bytes, 1));
    std::vector<std::uint64_t> state;
    HYP_TRY_VOID(append(loop.carried, state));
    HYP_TRY_VOID(check_sizes(state, module_.plans[loop.body].output_bytes));
    HYP_TRY_VOID(append(loop.captures, Use::read, state));
    HYP_TRY_VOID(check_sizes(state, module_.plans[loop.body].argument_bytes));
    HYP_TRY_VOID(check_sizes(state, module_.plans[loop.condition].argument_bytes));
    return check_sizes({1}, module_.plans[loop.condition].output_bytes);
  }

  StatusOr<> check(const Scan& scan) {
    HYP_TRY_VOID(check_callee(scan.body, scan.frame));
    if (scan.length < 0) return wrong(format("a scan of {} steps", scan.length));
    std::vector<std::uint64_t> handed;
    HYP_TRY_VOID(append(scan.carried, handed));
    std::vector<std::uint64_t> returned = handed;
    HYP_TRY_VOID(append(scan.inputs, scan.length, Use::read, handed));
    HYP_TRY_VOID(append(scan.captures, Use::read, handed));
    HYP_TRY_VOID(append(scan.outputs, scan.length, Use::write, returned));
    HYP_TRY_VOID(check_sizes(handed, module_.plans[scan.body].argument_bytes));
    return check_sizes(returned, module_.plans[scan.body].output_bytes);
  }

  StatusOr<> check_function(const Function& function) const {
    const auto refuse = [&](std::string message) {
      return error_status(Code::invalid_argument, std::move(message),
                          format("function '{}'", function.name));
    };
    if (function.plan >= module_.plans.size()) return refuse(format("no plan {}", function.plan));
    const Plan& plan = module_.plans[function.plan];
    if (plan.argument_bytes.size() != function.arguments.size() ||
        plan.output_bytes.size() != function.outputs.size()) {
      return refuse("signature and plan have different numbers of values");
    }
    for (std::size_t i = 0; i < function.arguments.size(); ++i) {
      HYP_TRY(const std::uint64_t bytes, tensor_bytes(function.arguments[i]));
      if (bytes != plan.argument_bytes[i]) return refuse(format("argument {} differs in size", i));
    }
    for (std::size_t i = 0; i < function.outputs.size(); ++i) {
      const OutputType& output = function.outputs[i];
      HYP_TRY(const std::uint64_t bytes, tensor_bytes(output.type));
      if (bytes != plan.output_bytes[i]) return refuse(format("output {} differs in size", i));
      if (output.donor < 0) continue;
      const auto donor = static_cast<std::size_t>(output.donor);
      if (donor >= plan.argument_bytes.size()) return refuse(format("output {} has no donor", i));
      if (plan.argument_bytes[donor] < bytes) {
        return refuse(format("output {} does not fit into its donor", i));
      }
      for (std::size_t j = 0; j < i; ++j) {
        if (function.outputs[j].donor == output.donor) {
          return refuse(format("outputs {} and {} share a donor", j, i));
        }
      }
    }
    return {};
  }

  // Far beyond any real kernel; keeps threads * scratch from overflowing.
  static constexpr std::uint64_t kMaxScratch = std::uint64_t{1} << 40;

  const Module& module_;
  std::vector<int> depth_;  // of plans below index_
  std::size_t index_ = 0;
  std::size_t position_ = 0;
  const Plan* plan_ = nullptr;
};

}  // namespace

StatusOr<> Module::verify() const { return Verifier(*this).run(); }

}  // namespace hyperion::runtime
