#include "codegen/driver/compile.hpp"

#include <map>
#include <set>

#include "codegen/driver/code_generator.hpp"
#include "codegen/driver/code_version.hpp"
#include "codegen/driver/join_launches.hpp"
#include "codegen/driver/plan_builder.hpp"
#include "ir/support/format.hpp"
#include "passes/pass_manager.hpp"
#include "passes/pipelines.hpp"

namespace hyperion::codegen {
namespace {

using ir::Function;
using ir::Op;
using ir::OpId;

Status from(const Diagnostics& diagnostics) {
  return {Code::invalid_argument, diagnostics.render(), {}, {}};
}

StatusOr<> check_compilable(const Function& function) {
  const auto check = [&](Type type, Location where) -> StatusOr<> {
    if (!type.is_static()) {
      return error_status(Code::unimplemented, format("{} has a symbolic dimension; code is generated for known sizes", type.text()),
                          where.first(), "specialize the function first");
    }
    if (is_complex(type.dtype())) {
      return error_status(Code::unimplemented, format("{} cannot be computed with yet", dtype_name(type.dtype())), where.first());
    }
    return {};
  };
  for (ir::ValueId parameter : function.parameters()) {
    HYP_TRY_VOID(check(function.type(parameter), function.location));
  }
  for (OpId id : function.ops()) {
    for (ir::ValueId result : function.op(id).results) {
      HYP_TRY_VOID(check(function.type(result), function.op(id).location));
    }
  }
  return {};
}

// What a machine wants of the graph, whatever pipeline was asked for.
void add_target_passes(passes::Pipeline& pipeline, const DriverOptions& options) {
  const auto* gpu = std::get_if<CudaTarget>(&options.target);
  if (gpu == nullptr) return;
  pipeline.add("split_searches");
  if (!gpu->bitwise) pipeline.add("split_reductions", {{"processors", std::int64_t{gpu->multiprocessors}}});
  if (!gpu->bitwise && gpu->has_wgmma()) {
    const bool rounds = gpu->tf32 || options.fast;
    if (rounds) pipeline.add("depth_innermost");
    pipeline.add("aligned_lines").add("weights_innermost", {{"rounds", rounds}});
  }
  pipeline.add("cse").add("dce");
}

StatusOr<> run_passes(ir::Module& module, const std::string& entry, const DriverOptions& options,
                      const StageListener& listener) {
  Diagnostics diagnostics;
  passes::Pipeline pipeline = options.fast ? passes::fast_pipeline(entry) : passes::strict_pipeline(entry);
  if (!options.pipeline.empty()) {
    Result<passes::Pipeline> parsed = passes::Pipeline::parse(options.pipeline, diagnostics);
    if (!parsed) return std::unexpected(from(diagnostics));
    pipeline = *std::move(parsed);
  }
  add_target_passes(pipeline, options);
  if (!passes::run(pipeline, module, diagnostics, {.instrumentations = listener.instrumentations})) {
    return std::unexpected(from(diagnostics));
  }
  return {};
}

bool is_reshape(const Function& group) {
  const std::vector<OpId> ops = group.ops();
  return ops.size() == 2 && group.op(ops[0]).is("reshape");
}

// Lowers and emits every group that `function` calls. Groups of equal structure share one kernel.
class GroupCompiler {
 public:
  // `functions` have plans of their own; whatever else they call is a group.
  GroupCompiler(ir::Module& module, CodeGenerator& code, const std::vector<std::string>& functions)
      : module_(module), code_(code), target_(code.lowering()), functions_(functions.begin(), functions.end()) {}

  StatusOr<> compile_called_by(const Function& function) {
    for (OpId id : function.ops()) {
      const Op& op = function.op(id);
      if (!op.is("call") || functions_.contains(op.attributes.symbol("callee"))) continue;
      HYP_TRY_VOID(compile_group(*module_.find(op.attributes.symbol("callee"))));
    }
    return {};
  }

  const std::map<std::string, CompiledGroup>& groups() const { return groups_; }

 private:
  StatusOr<> compile_group(const Function& group) {
    if (groups_.contains(group.name)) return {};
    if (is_reshape(group)) {
      groups_[group.name].is_alias = true;
      return {};
    }
    const Hash128 hash = structural_hash(group);
    if (const auto twin = by_structure_.find(hash); twin != by_structure_.end()) {
      groups_[group.name] = groups_.at(twin->second);
      return {};
    }
    Lowered lowered = lower_group(group, target_);
    lowered.kernel->name = module_.unique_name(lowered.kernel->name);
    const Function& kernel = module_.add(std::move(lowered.kernel));
    HYP_TRY(EmittedKernel emitted, code_.emit(kernel, lowered));
    groups_[group.name] = {.emitted = std::move(emitted),
                           .flops = lowered.flops,
                           .bytes = lowered.bytes,
                           .in_place = std::move(lowered.in_place)};
    by_structure_[hash] = group.name;
    return {};
  }

  ir::Module& module_;
  CodeGenerator& code_;
  const LoweringTarget target_;
  std::set<std::string> functions_;
  std::map<std::string, CompiledGroup> groups_;
  std::map<Hash128, std::string> by_structure_;
};

// `entry` and every function that control flow enters from it.
std::vector<std::string> entered_functions(const ir::Module& module, const std::string& entry) {
  std::vector<std::string> names{entry};
  std::set<std::string> seen{entry};
  for (std::size_t next = 0; next < names.size(); ++next) {
    const Function& function = *module.find(names[next]);
    for (OpId id : function.ops()) {
      for (const auto& [attribute, value] : function.op(id).attributes) {
        const auto* symbol = std::get_if<ir::SymbolReference>(&value);
        if (symbol != nullptr && seen.insert(symbol->name).second) names.push_back(symbol->name);
      }
    }
  }
  return names;
}

}  // namespace

std::string producer(std::string_view target_key) {
  return format("hyperion codegen {}, {}", code_version(), target_key);
}

StatusOr<runtime::Module> compile(ir::Module& module, const std::string& entry, const DriverOptions& options,
                                  const StageListener& listener) {
  const auto show = [&](Stage stage) {
    if (listener.module) listener.module(stage, module);
  };
  // Fold and simplify while ops are whole, so that each value exists once.
  HYP_TRY_VOID(run_passes(module, entry, options, listener));
  show(Stage::passes);
  const std::vector<std::string> functions = entered_functions(module, entry);
  for (const std::string& name : functions) HYP_TRY_VOID(check_compilable(*module.find(name)));

  // Groups are decided on ops; after lowering they are only loops.
  passes::FuseOptions fusion = options.fusion;
  // The tensor memory accelerator brings operands as they are.
  if (std::holds_alternative<CudaTarget>(options.target)) fusion.prologues = false;
  for (const std::string& name : functions) passes::fuse(module, name, fusion);
  show(Stage::fused);

  // Each group becomes a kernel, each kernel a function of some object.
  const bool is_read = listener.text || listener.wants_assembly;
  const std::unique_ptr<CodeGenerator> code =
      make_code_generator(options.target, {.name = module.name, .threads = options.threads, .fast = options.fast, .is_whole = is_read, .schedules = options.schedules});
  GroupCompiler compiler(module, *code, functions);
  for (const std::string& name : functions) HYP_TRY_VOID(compiler.compile_called_by(*module.find(name)));
  show(Stage::kernels);

  // From here on every value has an address.
  runtime::Module out;
  out.producer = producer(key(options.target));
  PlanBuilder plans(module, compiler.groups(), *code, options.joins_launches, out);
  plans.add_entry(entry);
  code->keep_launched(launched_symbols(out.plans));
  if (listener.text) listener.text(Stage::source, code->text());
  if (listener.wants_assembly) {
    HYP_TRY(const std::string assembly, code->assembly());
    if (listener.text) listener.text(Stage::assembly, assembly);
    return out;
  }
  if (listener.wants_code) {
    HYP_TRY(out.objects, code->compile());
  }
  return out;
}

}  // namespace hyperion::codegen
