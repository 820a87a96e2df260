#include "codegen/driver/run.hpp"

#include "codegen/llvm/code_loader.hpp"
#include "runtime/executor.hpp"
#include "runtime/instance.hpp"

namespace hyperion::codegen {

RunSite RunSite::host(int threads) {
  const auto instance = runtime::Instance::create({.threads = threads});
  instance->set_code_loader(llvm_code_loader());
  return {instance, instance->devices()[0]};
}

StatusOr<RunSite> RunSite::open(std::string_view name) {
  const auto instance = runtime::Instance::create();
  instance->set_code_loader(llvm_code_loader());
  HYP_TRY(runtime::Device device, instance->device(name));
  return RunSite{instance, std::move(device)};
}

StatusOr<std::vector<LiteralPtr>> run_compiled(const ir::Module& module, const std::string& function,
                                               std::span<const LiteralPtr> arguments, const DriverOptions& options,
                                               int threads) {
  return run_compiled(module, function, arguments, options, RunSite::host(threads));
}

StatusOr<std::vector<LiteralPtr>> run_compiled(const ir::Module& module, const std::string& function,
                                               std::span<const LiteralPtr> arguments, const DriverOptions& options,
                                               const RunSite& site) {
  const std::unique_ptr<ir::Module> copy = module.clone();
  HYP_TRY(runtime::Module compiled, compile(*copy, function, options));
  const auto& [instance, device] = site;
  HYP_TRY(const runtime::DeviceCluster cluster, runtime::DeviceCluster::create(instance, std::span(&device, 1)));
  HYP_TRY(const auto executor,
          runtime::Executor::create(cluster, {std::make_shared<const runtime::Module>(std::move(compiled))}));
  std::vector<runtime::BufferView> inputs, outputs;
  for (const LiteralPtr& argument : arguments) {
    const std::vector<std::byte> bytes = argument->dense_bytes();
    const std::vector<std::int64_t> sizes = argument->type().sizes();
    HYP_TRY(runtime::BufferView view, runtime::BufferView::from_host(device, argument->type().dtype(), sizes, bytes));
    inputs.push_back(std::move(view));
  }
  HYP_TRY_VOID(executor->execute_now(*executor->find(function), inputs, outputs));
  std::vector<LiteralPtr> results;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const Type type = module.find(function)->result_types()[k];
    std::vector<std::byte> bytes(type.bytes());
    HYP_TRY_VOID(outputs[k].read(bytes));
    results.push_back(Literal::make(type, bytes));
  }
  return results;
}

}  // namespace hyperion::codegen
