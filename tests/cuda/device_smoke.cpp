// device_smoke.cpp: runtime/cuda on a real GPU. Checks each part and prints its figures.
//
//   cuda_device_smoke [ordinal]      exit code 0: all right, 1: not, 77: there is no GPU here
//
// Figures are medians. "host" is the time until a call returns, "device" is between events around
// it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "ir/support/format.hpp"
#include "runtime/cpu/host_info.hpp"
#include "runtime/cuda/compiler.hpp"
#include "runtime/cuda/device.hpp"
#include "runtime/cuda/graph.hpp"
#include "runtime/cuda/object.hpp"
#include "runtime/cuda/pool.hpp"
#include "runtime/cuda/problem.hpp"
#include "runtime/cuda/staging.hpp"
#include "runtime/executor.hpp"

namespace hyperion::runtime::cuda {
namespace {

constexpr int kNoGpu = 77;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

constexpr std::string_view kSource = R"(
extern "C" __global__ void add(const float* x, const float* y, float* z, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) z[i] = x[i] + y[i];
}
extern "C" __global__ void increment(float* x, float by, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) x[i] += by;
}
extern "C" __global__ void nothing() {}
extern "C" __global__ void use_shared(float* x, int count) {
  extern __shared__ float shared[];
  for (int i = threadIdx.x; i < count; i += blockDim.x) shared[i] = x[i];
  __syncthreads();
  for (int i = threadIdx.x; i < count; i += blockDim.x) x[i] = shared[count - 1 - i];
}
extern "C" __global__ void fault(float* x) { *(volatile float*)(x + (1ll << 45)) = 1; }
)";

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

// Everything that a part of this program needs.
struct Machine {
  std::shared_ptr<Driver> driver;
  std::shared_ptr<Context> context;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<Pool> pool;
  std::unique_ptr<Staging> staging;
  std::shared_ptr<KernelLibrary> code;

  StatusOr<std::shared_ptr<Kernel>> kernel(const std::string& name) const {
    return code->kernel(name, "device_smoke.cpp");
  }
};

struct Part {
  const char* name;
  StatusOr<std::string> (*run)(Machine&);  // what to print
};

std::unexpected<Status> wrong(std::string what) { return error_status(Code::internal, std::move(what)); }

constexpr LaunchShape shape_for(int count) {
  return {.grid = {static_cast<unsigned>((count + 255) / 256)}, .block = {256}};
}

CUdeviceptr acquire(Machine& machine, std::uint64_t bytes) {
  return reinterpret_cast<CUdeviceptr>(machine.pool->acquire(bytes));
}
void release(Machine& machine, CUdeviceptr address, std::uint64_t bytes) {
  machine.pool->release(reinterpret_cast<std::byte*>(address), bytes);
}

StatusOr<std::string> compile(Machine& machine) {
  Compiler compiler;
  HYP_TRY(const auto nvrtc, compiler.nvrtc());
  const std::string architecture = machine.context->properties().architecture();
  CompileRequest request{.name = "smoke.cu", .source = std::string(kSource), .architecture = architecture};
  HYP_TRY(const Program first, compiler.compile(request));
  HYP_TRY(const Program second, compiler.compile(request));
  if (first.log.kernels.size() != 5) return wrong("the log lacks kernels:\n" + first.log_text);
  const double start = now();
  HYP_TRY(machine.code, KernelLibrary::load(machine.context, second.cubin));
  HYP_TRY(const auto kernel, machine.kernel("add"));
  const double loaded = now() - start;
  // Sixteen programs of their own, at once.
  std::vector<CompileRequest> many(16, request);
  for (std::size_t i = 0; i < many.size(); ++i) many[i].source += format("// {}\n", i);
  ThreadPool threads(std::min(16, host_info().cores));
  const double many_start = now();
  for (auto& one : compiler.compile_all(many, threads)) HYP_TRY_VOID(one);
  return format(
      "NVRTC {} for {}: first {:.1f} ms, second {:.1f} ms, load {:.2f} ms, "
      "16 programs on {} threads {:.0f} ms; add uses {} registers",
      version_text(nvrtc->version()), architecture, 1e3 * first.seconds, 1e3 * second.seconds, 1e3 * loaded,
      threads.threads(), 1e3 * (now() - many_start), kernel->attributes().registers);
}

StatusOr<std::string> vector_add(Machine& machine) {
  constexpr int kCount = 1'000'003;
  constexpr std::uint64_t kBytes = kCount * sizeof(float);
  std::vector<float> x(kCount);
  std::vector<float> y(kCount);
  std::mt19937 random(1);
  for (int i = 0; i < kCount; ++i) {
    x[static_cast<std::size_t>(i)] = static_cast<float>(random() % 1000);
    y[static_cast<std::size_t>(i)] = static_cast<float>(random() % 1000);
  }
  const CUdeviceptr dx = acquire(machine, kBytes);
  const CUdeviceptr dy = acquire(machine, kBytes);
  HYP_TRY_VOID(machine.staging->upload(*machine.stream, dx, std::as_bytes(std::span(x))));
  HYP_TRY_VOID(machine.staging->upload(*machine.stream, dy, std::as_bytes(std::span(y))));
  HYP_TRY(const auto add, machine.kernel("add"));
  HYP_TRY_VOID(launch(*machine.stream, *add, shape_for(kCount), Arguments(dx, dy, dy, kCount)));
  std::vector<float> z(kCount);
  HYP_TRY_VOID(machine.staging->download(*machine.stream, std::as_writable_bytes(std::span(z)), dy));
  for (std::size_t i = 0; i < z.size(); ++i) {
    if (z[i] != x[i] + y[i]) return wrong(format("element {}: {} + {} gave {}", i, x[i], y[i], z[i]));
  }
  release(machine, dx, kBytes);
  release(machine, dy, kBytes);
  return format("{} elements", kCount);
}

StatusOr<std::string> shared_memory(Machine& machine) {
  constexpr int kCount = 25'000;  // 100 KB, beyond what needs no permission
  std::vector<float> x(kCount);
  for (int i = 0; i < kCount; ++i) x[static_cast<std::size_t>(i)] = static_cast<float>(i);
  const CUdeviceptr data = acquire(machine, kCount * sizeof(float));
  HYP_TRY_VOID(machine.staging->upload(*machine.stream, data, std::as_bytes(std::span(x))));
  HYP_TRY(const auto kernel, machine.kernel("use_shared"));
  const LaunchShape shape = {.block = {512}, .shared_bytes = kCount * sizeof(float)};
  HYP_TRY_VOID(launch(*machine.stream, *kernel, shape, Arguments(data, kCount)));
  HYP_TRY_VOID(machine.staging->download(*machine.stream, std::as_writable_bytes(std::span(x)), data));
  for (int i = 0; i < kCount; ++i) {
    if (x[static_cast<std::size_t>(i)] != static_cast<float>(kCount - 1 - i)) return wrong("order");
  }
  release(machine, data, kCount * sizeof(float));
  // More than the device has is refused, and the device stays well.
  const auto refused =
      launch(*machine.stream, *kernel, {.block = {512}, .shared_bytes = 400'000}, Arguments(data, kCount));
  if (refused || !is_problem(refused.error(), Problem::launch)) return wrong("was not refused");
  const auto threads = launch(*machine.stream, *kernel, {.block = {2048}}, Arguments(data, kCount));
  if (threads || !is_problem(threads.error(), Problem::launch)) return wrong("was not refused");
  HYP_TRY_VOID(machine.stream->synchronize());
  return format("refused as meant: {}", threads.error().text());
}

StatusOr<std::string> clusters_and_overlap(Machine& machine) {
  HYP_TRY(const auto kernel, machine.kernel("increment"));
  const CUdeviceptr data = acquire(machine, 4096);
  HYP_TRY_VOID(machine.stream->fill(data, 0, 4096));
  LaunchShape shape = {.grid = {4}, .block = {256}, .overlaps_previous = true};
  if (machine.context->properties().compute_major >= 9) shape.cluster = {2};
  HYP_TRY_VOID(launch(*machine.stream, *kernel, shape, Arguments(data, 1.0f, 1024)));
  std::vector<float> x(1024);
  HYP_TRY_VOID(machine.staging->download(*machine.stream, std::as_writable_bytes(std::span(x)), data));
  release(machine, data, 4096);
  if (std::ranges::any_of(x, [](float each) { return each != 1; })) return wrong("values");
  return format("clusters of {}", shape.cluster.x);
}

StatusOr<std::string> copies(Machine& machine) {
  constexpr std::uint64_t kBytes = 512 * kMiB;
  const CUdeviceptr data = acquire(machine, kBytes);
  std::vector<std::uint32_t> sent(kBytes / 4);
  std::mt19937 random(2);
  for (std::uint32_t& each : sent) each = random();
  std::vector<std::uint32_t> received(sent.size());
  double up = 1e9;
  double down = 1e9;
  for (int run = 0; run < 3; ++run) {
    double start = now();
    HYP_TRY_VOID(machine.staging->upload(*machine.stream, data, std::as_bytes(std::span(sent))));
    HYP_TRY_VOID(machine.stream->synchronize());
    up = std::min(up, now() - start);
    start = now();
    HYP_TRY_VOID(machine.staging->download(*machine.stream, std::as_writable_bytes(std::span(received)), data));
    down = std::min(down, now() - start);
  }
  release(machine, data, kBytes);
  if (sent != received) return wrong("bytes differ");
  const auto rate = [](double seconds) { return static_cast<double>(kBytes) / seconds / 1e9; };
  return format("512 MiB up {:.1f} GB/s, down {:.1f} GB/s", rate(up), rate(down));
}

StatusOr<std::string> arena_growth(Machine& machine) {
  HYP_TRY(const auto arena, Arena::create(machine.context, {.name = "arena of the test"}));
  std::vector<double> seconds;
  std::vector<std::byte> marks;
  for (std::uint64_t step = 1; step <= 64; ++step) {
    const std::uint64_t before = arena->bytes();
    const double start = now();
    HYP_TRY_VOID(arena->ensure(step * 32 * kMiB));
    seconds.push_back(now() - start);
    marks.push_back(static_cast<std::byte>(step));
    HYP_TRY_VOID(
        machine.stream->fill(arena->base() + before, static_cast<unsigned char>(step), arena->bytes() - before));
  }
  for (std::uint64_t step = 1; step <= 64; ++step) {
    std::vector<std::byte> first(4096);
    HYP_TRY_VOID(machine.staging->download(*machine.stream, first, arena->base() + (step - 1) * 32 * kMiB));
    if (std::ranges::any_of(first, [&](std::byte each) { return each != marks[step - 1]; })) {
      return wrong(format("piece {} changed", step));
    }
  }
  const double start = now();
  arena->shrink(0);
  return format("64 pieces of 32 MiB, {:.0f} us each; all given back in {:.1f} ms", 1e6 * median(seconds),
                1e3 * (now() - start));
}

StatusOr<std::string> pool_use(Machine& machine) {
  Allocator allocator("cuda:0", 0, *machine.pool);
  std::vector<Memory> blocks;
  std::mt19937 random(3);
  for (int step = 0; step < 20'000; ++step) {
    if (blocks.empty() || random() % 2 == 0) {
      HYP_TRY(const Memory block, allocator.allocate(random() % (std::size_t{1} << (random() % 24))));
      blocks.push_back(block);
    } else {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      allocator.release(blocks.back());
      blocks.pop_back();
    }
  }
  const double start = now();
  constexpr int kPairs = 100'000;
  for (int i = 0; i < kPairs; ++i) {
    HYP_TRY(const Memory block, allocator.allocate(1 << 20));
    allocator.release(block);
  }
  const double pair = (now() - start) / kPairs;
  for (const Memory& block : blocks) allocator.release(block);
  const MemoryStatistics statistics = allocator.statistics();
  return format("{} requests of the pool, {} from the cache; allocate and release {:.0f} ns", statistics.allocations,
                statistics.cache_hits, 1e9 * pair);
}

StatusOr<std::string> overheads(Machine& machine) {
  constexpr int kKernels = 80;
  constexpr int kRuns = 51;
  HYP_TRY(const auto nothing, machine.kernel("nothing"));
  HYP_TRY(auto begin, StreamEvent::create(machine.context, StreamEvent::Kind::timing));
  HYP_TRY(auto end, StreamEvent::create(machine.context, StreamEvent::Kind::timing));
  const auto time = [&](const auto& work) -> StatusOr<std::pair<double, double>> {
    std::vector<double> host;
    std::vector<double> device;
    for (int run = 0; run < kRuns; ++run) {
      HYP_TRY_VOID(machine.stream->synchronize());
      HYP_TRY_VOID(begin.record(*machine.stream));
      const double start = now();
      HYP_TRY_VOID(work());
      host.push_back(now() - start);
      HYP_TRY_VOID(end.record(*machine.stream));
      HYP_TRY_VOID(machine.stream->synchronize());
      HYP_TRY(const double seconds, end.seconds_since(begin));
      device.push_back(seconds);
    }
    return std::pair(median(host), median(device));
  };
  CommandList commands;
  for (int i = 0; i < kKernels; ++i) commands.launch(nothing, {.block = {32}}, Arguments());
  HYP_TRY(const auto one, time([&] { return launch(*machine.stream, *nothing, {.block = {32}}, Arguments()); }));
  HYP_TRY(const auto list, time([&] { return commands.run(*machine.stream); }));
  const double start = now();
  HYP_TRY(const auto replay, Replay::create(machine.context, commands));
  const double made = now() - start;
  if (!replay->is_graph()) return wrong(replay->fallback_reason());
  HYP_TRY(const auto graph, time([&] { return replay->run(*machine.stream); }));
  const double update_start = now();
  HYP_TRY_VOID(replay->update(commands));
  const double updated = now() - update_start;
  // Without a context that is current already, as a user's thread calls.
  HYP_TRY(const auto current, machine.context->enter());
  HYP_TRY(const auto inside, time([&] { return launch(*machine.stream, *nothing, {.block = {32}}, Arguments()); }));
  return format(
      "one launch {:.2f} us host ({:.2f} inside enter()), {:.2f} us device; 80 launches "
      "{:.1f} us host, {:.1f} us device; as a graph {:.1f} us host, {:.1f} us device; made "
      "in {:.0f} us, updated in {:.0f} us",
      1e6 * one.first, 1e6 * inside.first, 1e6 * one.second, 1e6 * list.first, 1e6 * list.second, 1e6 * graph.first,
      1e6 * graph.second, 1e6 * made, 1e6 * updated);
}

StatusOr<std::string> replay_values(Machine& machine) {
  constexpr int kCount = 100'000;
  const CUdeviceptr data = acquire(machine, kCount * sizeof(float));
  const CUdeviceptr other = acquire(machine, kCount * sizeof(float));
  HYP_TRY(const auto increment, machine.kernel("increment"));
  const auto list = [&](CUdeviceptr target, float by) {
    CommandList commands;
    for (int i = 0; i < 10; ++i) {
      commands.launch(increment, shape_for(kCount), Arguments(data, by, kCount));
    }
    commands.copy(target, data, kCount * sizeof(float));
    return commands;
  };
  HYP_TRY_VOID(machine.stream->fill(data, 0, kCount * sizeof(float)));
  HYP_TRY(const auto replay, Replay::create(machine.context, list(other, 1)));
  for (int i = 0; i < 5; ++i) HYP_TRY_VOID(replay->run(*machine.stream));
  HYP_TRY_VOID(replay->update(list(other, 2)));
  HYP_TRY_VOID(replay->run(*machine.stream));
  std::vector<float> x(kCount);
  HYP_TRY_VOID(machine.staging->download(*machine.stream, std::as_writable_bytes(std::span(x)), other));
  if (std::ranges::any_of(x, [](float each) { return each != 70; })) {
    return wrong(format("70 expected, got {}", x[0]));
  }
  release(machine, data, kCount * sizeof(float));
  release(machine, other, kCount * sizeof(float));
  return std::string(replay->is_graph() ? "a graph" : replay->fallback_reason());
}

// Ten kernels as a plan, run by an executor: what one step of a small model costs the host.
StatusOr<std::string> executor_steps(Machine& machine) {
  constexpr std::int64_t kCount = 1024;
  constexpr std::uint64_t kBytes = kCount * sizeof(float);
  constexpr int kKernels = 10;
  Compiler compiler;
  DeviceObject object{.architecture = machine.context->properties().architecture(), .kernels = {}, .cubin = {}};
  HYP_TRY(Program program,
          compiler.compile({.name = "smoke.cu", .source = std::string(kSource), .architecture = object.architecture}));
  object.cubin = std::move(program.cubin);
  object.kernels.push_back(
      {"add",
       shape_for(kCount),
       {BufferParameter{0}, BufferParameter{1}, BufferParameter{2}, ConstantParameter::of(static_cast<int>(kCount))}});
  // x0 = argument; x[i + 1] = x[i] + argument
  const auto arena = [](int i) { return Slot{Slot::Kind::arena, 0, static_cast<std::uint64_t>(i) * kBytes, kBytes}; };
  const Slot argument = {Slot::Kind::argument, 0, 0, kBytes};
  Plan plan{"steps", {kBytes}, {kBytes}, kKernels * kBytes, {}};
  for (int i = 0; i < kKernels; ++i) {
    const Slot from = i == 0 ? argument : arena(i - 1);
    const Slot to = i + 1 == kKernels ? Slot{Slot::Kind::output, 0, 0, kBytes} : arena(i);
    plan.instructions.push_back(runtime::Launch{.kernel = "add", .buffers = {from, argument, to}});
  }
  auto module = std::make_shared<Module>();
  const TensorType floats{DType::f32, {kCount}};
  module->functions.push_back({"steps", 0, {floats}, {{floats}}});
  module->plans.push_back(std::move(plan));
  module->objects.push_back(object.serialize());

  const auto instance = Instance::create({.threads = 1});
  HYP_TRY(const Device device, make_device(machine.context));
  instance->add_device(device);
  HYP_TRY(const auto cluster, DeviceCluster::create(instance, std::span(&device, 1)));
  HYP_TRY(const auto executor, Executor::create(cluster, {module}));
  const std::vector<float> ones(kCount, 1);
  const std::int64_t dims[] = {kCount};
  HYP_TRY(const BufferView input, BufferView::from_host(device, DType::f32, dims, std::as_bytes(std::span(ones))));
  std::vector<BufferView> outputs;
  std::vector<float> received(kCount);
  std::vector<double> submit;
  std::vector<double> whole;
  for (int step = 0; step < 1000; ++step) {
    const double start = now();
    HYP_TRY_VOID(executor->execute_now(*executor->find("steps"), std::span(&input, 1), outputs));
    submit.push_back(now() - start);
    HYP_TRY_VOID(outputs[0].read(std::as_writable_bytes(std::span(received))));
    whole.push_back(now() - start);
    if (std::ranges::any_of(received, [](float each) { return each != kKernels + 1; })) {
      return wrong(format("step {}: {} expected, got {}", step, kKernels + 1, received[0]));
    }
  }
  return format("{} kernels: {:.1f} us to submit, {:.1f} us with the result read", kKernels, 1e6 * median(submit),
                1e6 * median(whole));
}

StatusOr<std::string> device_bandwidth(Machine& machine) {
  constexpr std::uint64_t kBytes = 4096 * kMiB;
  const CUdeviceptr from = acquire(machine, kBytes);
  const CUdeviceptr to = acquire(machine, kBytes);
  HYP_TRY(auto begin, StreamEvent::create(machine.context, StreamEvent::Kind::timing));
  HYP_TRY(auto end, StreamEvent::create(machine.context, StreamEvent::Kind::timing));
  HYP_TRY_VOID(machine.stream->fill(from, 1, kBytes));
  std::vector<double> seconds;
  for (int run = 0; run < 11; ++run) {
    HYP_TRY_VOID(begin.record(*machine.stream));
    HYP_TRY_VOID(machine.stream->copy(to, from, kBytes));
    HYP_TRY_VOID(end.record(*machine.stream));
    HYP_TRY_VOID(machine.stream->synchronize());
    HYP_TRY(const double one, end.seconds_since(begin));
    seconds.push_back(one);
  }
  release(machine, from, kBytes);
  release(machine, to, kBytes);
  machine.pool->trim();
  return format("copy of 4 GiB {:.2f} TB/s", 2.0 * static_cast<double>(kBytes) / median(seconds) / 1e12);
}

StatusOr<std::string> out_of_memory(Machine& machine) {
  HYP_TRY(const Context::Memory before, machine.context->memory());
  HYP_TRY(const auto hog, Arena::create(machine.context, {.name = "arena of the hog"}));
  StatusOr<> grown;
  for (std::uint64_t bytes = 1024 * kMiB; grown; bytes += 1024 * kMiB) grown = hog->ensure(bytes);
  if (!is_problem(grown.error(), Problem::out_of_memory)) return std::unexpected(grown.error());
  // The pool cannot grow by a gigabyte either, says so, and goes on when there is room again.
  Allocator allocator("cuda:0", 0, *machine.pool);
  const auto refused = allocator.allocate(1536 * kMiB);
  if (refused) return wrong("memory beyond all memory");
  hog->shrink(0);
  HYP_TRY(const Memory block, allocator.allocate(1536 * kMiB));
  allocator.release(block);
  allocator.trim();
  machine.pool->trim();
  HYP_TRY(const Context::Memory after, machine.context->memory());
  if (after.free + 64 * kMiB < before.free) {
    return wrong(format("{} of memory lost", readable_bytes(before.free - after.free)));
  }
  return refused.error().text();
}

// The last part: afterwards the device is lost to this process.
StatusOr<std::string> kernel_fault(Machine& machine) {
  HYP_TRY(const auto kernel, machine.kernel("fault"));
  const CUdeviceptr data = acquire(machine, 4);
  HYP_TRY_VOID(launch(*machine.stream, *kernel, {}, Arguments(data)));
  const auto waited = machine.stream->synchronize();
  if (waited) return wrong("the fault was not noticed");
  const auto later = machine.stream->synchronize();
  if (later || !is_problem(later.error(), Problem::device_lost)) return wrong("not lost");
  if (waited.error().where != "kernel 'fault' (device_smoke.cpp)") return wrong("not named");
  return waited.error().text();
}

constexpr Part kParts[] = {
    {"compile", compile},
    {"vector add", vector_add},
    {"shared memory", shared_memory},
    {"clusters", clusters_and_overlap},
    {"copies", copies},
    {"arena", arena_growth},
    {"pool", pool_use},
    {"overheads", overheads},
    {"replay", replay_values},
    {"executor", executor_steps},
    {"bandwidth", device_bandwidth},
    {"out of memory", out_of_memory},
    {"kernel fault", kernel_fault},
};

int run(int ordinal) {
  const double start = now();
  auto driver = Driver::load();
  if (!driver) return std::printf("skipped: %s\n", driver.error().text().c_str()), kNoGpu;
  auto context = Context::create(*driver, ordinal);
  if (!context) return std::printf("skipped: %s\n", context.error().text().c_str()), kNoGpu;
  const DeviceProperties& device = (*context)->properties();
  std::printf("%s\n", format("{}: {}, {}, {}, driver for CUDA {}; ready after {:.0f} ms", (*context)->name(),
                             device.name, device.architecture(), readable_bytes(device.memory_bytes),
                             version_text(device.driver_version), 1e3 * (now() - start))
                          .c_str());
  Machine machine{.driver = *driver, .context = *context};
  const auto prepare = [&]() -> StatusOr<> {
    HYP_TRY(machine.stream, Stream::create(machine.context));
    HYP_TRY(machine.pool, Pool::create(machine.context));
    machine.staging = std::make_unique<Staging>(machine.context);
    return {};
  };
  if (StatusOr<> ready = prepare(); !ready) {
    std::printf("FAIL %s\n", ready.error().text().c_str());
    return 1;
  }
  int failures = 0;
  for (const Part& part : kParts) {
    const StatusOr<std::string> result = part.run(machine);
    failures += result ? 0 : 1;
    std::printf("%-4s %-14s %s\n", result ? "ok" : "FAIL", part.name,
                (result ? *result : result.error().text()).c_str());
    std::fflush(stdout);
    if (!result && machine.code == nullptr) return 1;  // nothing else can run
  }
  std::printf("%d of %zu parts failed\n", failures, std::size(kParts));
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace hyperion::runtime::cuda

int main(int argc, char** argv) { return hyperion::runtime::cuda::run(argc > 1 ? std::atoi(argv[1]) : 0); }
