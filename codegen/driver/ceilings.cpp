#include "codegen/driver/ceilings.hpp"

#include <algorithm>
#include <chrono>

#include "codegen/driver/target_of.hpp"
#include "ir/support/format.hpp"
#include "ir/text/parse.hpp"
#include "runtime/cpu/host_info.hpp"
#include "runtime/executor.hpp"

namespace hyperion::codegen {
namespace {

using runtime::ArithmeticUnit;
using runtime::BufferView;
using Clock = std::chrono::steady_clock;

// A round is long against starting it; of several rounds the best counts, since other work only makes them longer.
constexpr double kRoundSeconds = 5e-3;
constexpr int kRounds = 8;

// Elements of f32. GPUs have caches of tens of megabytes and want work for every thread many times over.
constexpr std::int64_t kGpuCopyElements = std::int64_t{1} << 26;
constexpr std::int64_t kGpuFmaElements = std::int64_t{1} << 24;
constexpr std::int64_t kHostFmaElements = std::int64_t{1} << 16;  // for each thread

// Chains are computed one after another, so each must be short enough that the processor sees the next ones while it waits:
// eight steps are. Steps that join the chains are multiply-adds as well.
constexpr int kChains = 48;
constexpr int kSteps = 8;

constexpr std::int64_t kProductSize = 8192;

std::int64_t host_copy_elements() {
  constexpr std::uint64_t kSmallest = 64 << 20, kLargest = 256 << 20;
  const std::uint64_t bytes = std::clamp<std::uint64_t>(4 * runtime::host_info().l3_bytes, kSmallest, kLargest);
  return static_cast<std::int64_t>(bytes / sizeof(float));
}

std::string module_text(const std::string& signature, const std::string& body) {
  return format("hyperion 1\nmodule @ceiling {{\n  func @f({} {{\n{}  }}\n}}\n", signature, body);
}

// Elements between -1 and 1 that do not repeat: zeros would draw less power, and untouched pages lie in a cache.
std::string operand_text(const std::string& type, const std::string& shape, std::string_view dtype) {
  return module_text(format(") -> {}", type), format("    %0 = iota {{dtype = f32, shape = [{}]}}\n    %1 = mul %0, 0.7\n"
                                                     "    %2 = sin %1\n    %3 = reshape %2 {{shape = [{}]}}\n"
                                                     "    %4 = cast %3 {{dtype = {}}}\n    return %4\n",
                                                     shape.find(',') == shape.npos ? shape : format("{}", kProductSize * kProductSize),
                                                     shape, dtype));
}

std::string copy_text(const std::string& type) {
  return module_text(format("%x: {0}) -> {0}", type), "    %y = neg %x\n    return %y\n");
}

std::string fma_text(const std::string& type) {
  std::string body = "    %sum0 = neg %x\n";
  for (int chain = 0; chain < kChains; ++chain) {
    body += format("    %c{}_0 = fma %x, %x, {}.5\n", chain, chain);
    for (int step = 1; step < kSteps; ++step) body += format("    %c{0}_{1} = fma %c{0}_{2}, %x, %x\n", chain, step, step - 1);
    body += format("    %sum{} = fma %c{}_{}, %x, %sum{}\n", chain + 1, chain, kSteps - 1, chain);
  }
  return module_text(format("%x: {0}) -> {0}", type), body + format("    return %sum{}\n", kChains));
}

std::string product_text(const std::string& type) {
  return module_text(format("%x: {0}, %w: {0}) -> {0}", type),
                     "    %y = dot %x, %w {lhs_contract = [1], rhs_contract = [0]}\n    return %y\n");
}

// One program on one device, and what the compiler counted of it.
class Probe {
 public:
  static StatusOr<Probe> make(const std::string& text, const RunSite& site, const Target& target) {
    Diagnostics diagnostics;
    Result<std::unique_ptr<ir::Module>> module = ir::parse(text, "ceilings.hir", diagnostics);
    HYP_CHECK(module.has_value(), diagnostics.render());
    DriverOptions options{.target = target, .threads = site.device.threads()};
    options.fusion.max_ops = 2 * kChains * kSteps;  // one kernel, however long
    HYP_TRY(runtime::Module compiled, compile(**module, "f", options));
    Probe probe(site.device);
    for (const runtime::Plan& plan : compiled.plans) {
      for (const runtime::Instruction& instruction : plan.instructions) {
        const auto* launch = std::get_if<runtime::Launch>(&instruction);
        if (launch == nullptr) continue;
        probe.flops += static_cast<double>(launch->flops);
        probe.bytes += static_cast<double>(launch->bytes);
        probe.unit = std::max(probe.unit, launch->unit);
      }
    }
    HYP_TRY(const auto cluster, runtime::DeviceCluster::create(site.instance, std::span(&site.device, 1)));
    HYP_TRY(probe.executor_, runtime::Executor::create(cluster, {std::make_shared<const runtime::Module>(std::move(compiled))}));
    return probe;
  }

  // The result, which is there: the code that makes it may go.
  StatusOr<BufferView> run(std::span<const BufferView> arguments) {
    HYP_TRY_VOID(round(arguments, 1));
    return outputs_[0];
  }

  StatusOr<double> best_seconds(std::span<const BufferView> arguments) {
    HYP_TRY_VOID(round(arguments, 2));
    HYP_TRY(const double estimate, round(arguments, 1));
    const int count = static_cast<int>(std::clamp(kRoundSeconds / estimate, 1.0, 1000.0));
    double best = estimate;
    for (int k = 0; k < kRounds; ++k) {
      HYP_TRY(const double seconds, round(arguments, count));
      best = std::min(best, seconds / count);
    }
    return best;
  }

  double flops = 0, bytes = 0;
  ArithmeticUnit unit = ArithmeticUnit::vector;

 private:
  explicit Probe(runtime::Device device) : device_(std::move(device)) {}

  // Until the device is done: reading a byte waits for everything before it.
  StatusOr<double> round(std::span<const BufferView> arguments, int count) {
    const auto start = Clock::now();
    for (int k = 0; k < count; ++k) {
      outputs_.clear();
      HYP_TRY_VOID(executor_->execute_now(*executor_->find("f"), arguments, outputs_));
    }
    std::byte one;
    HYP_TRY_VOID(device_.backend().download(std::span(&one, 1), outputs_[0].data()));
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  runtime::Device device_;
  std::unique_ptr<runtime::Executor> executor_;
  std::vector<BufferView> outputs_;
};

StatusOr<BufferView> make_operand(const RunSite& site, const Target& target, const std::string& shape, std::string_view dtype) {
  HYP_TRY(Probe probe, Probe::make(operand_text(format("{}[{}]", dtype, shape), shape, dtype), site, target));
  return probe.run({});
}

StatusOr<double> product_flops_per_second(const RunSite& site, const Target& target, ArithmeticUnit unit) {
  const std::string_view dtype = unit == ArithmeticUnit::tensor_tf32 ? "f32" : "bf16";
  const std::string shape = format("{0}, {0}", kProductSize);
  HYP_TRY(Probe probe, Probe::make(product_text(format("{}[{}]", dtype, shape)), site, target));
  if (probe.unit != unit) return 0.0;  // this device has no such unit, or the code generator no use for it
  HYP_TRY(const BufferView operand, make_operand(site, target, shape, dtype));
  HYP_TRY(const double seconds, probe.best_seconds(std::vector{operand, operand}));
  return probe.flops / seconds;
}

}  // namespace

StatusOr<runtime::Ceilings> measure_ceilings(const RunSite& site, const std::set<ArithmeticUnit>& units) {
  HYP_TRY(Target target, target_of(site.device));
  if (auto* cuda = std::get_if<CudaTarget>(&target)) cuda->tf32 = units.contains(ArithmeticUnit::tensor_tf32);
  const bool is_host = site.device.is_host();
  runtime::Ceilings ceilings{.device = site.device.name()};
  const auto probe_map = [&](std::int64_t elements, auto text) -> StatusOr<std::pair<Probe, double>> {
    const std::string shape = format("{}", elements);
    HYP_TRY(Probe probe, Probe::make(text(format("f32[{}]", shape)), site, target));
    HYP_TRY(const BufferView operand, make_operand(site, target, shape, "f32"));
    HYP_TRY(const double seconds, probe.best_seconds(std::span(&operand, 1)));
    return std::pair(std::move(probe), seconds);
  };
  {
    HYP_TRY(const auto copy, probe_map(is_host ? host_copy_elements() : kGpuCopyElements, copy_text));
    ceilings.bytes_per_second = copy.first.bytes / copy.second;
  }
  HYP_TRY(const auto fma, probe_map(is_host ? kHostFmaElements * site.device.threads() : kGpuFmaElements, fma_text));
  ceilings.flops_per_second[0] = fma.first.flops / fma.second;
  for (const ArithmeticUnit unit : {ArithmeticUnit::tensor_tf32, ArithmeticUnit::tensor_16}) {
    if (!units.contains(unit)) continue;
    HYP_TRY(ceilings.flops_per_second[static_cast<std::size_t>(unit)], product_flops_per_second(site, target, unit));
  }
  return ceilings;
}

}  // namespace hyperion::codegen
