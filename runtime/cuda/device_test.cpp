// GPUs as devices of the runtime: plans, buffers and executors on a fake one.
#include "runtime/cuda/device.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/cuda/code.hpp"
#include "runtime/cuda/object.hpp"
#include "runtime/cuda/problem.hpp"
#include "runtime/device_kinds.hpp"
#include "runtime/executor.hpp"
#include "runtime/trace_writer.hpp"
#include "tests/support/fake_cuda.hpp"

namespace hyperion::runtime::cuda {
namespace {

using testing_support::FakeDriver;
using Floats = std::vector<float>;

constexpr std::int64_t kCount = 8;
constexpr std::uint64_t kBytes = kCount * sizeof(float);

template <class T>
T read(void** parameters, int index) {
  T value;
  std::memcpy(&value, parameters[index], sizeof value);
  return value;
}
template <class T = float>
T* pointer(void** parameters, int index) {
  return reinterpret_cast<T*>(read<CUdeviceptr>(parameters, index));
}

// scale(x, y, factor), below(x, flag, limit), fault()
void scale(const CUlaunchConfig&, void** p) {
  for (int i = 0; i < kCount; ++i) pointer(p, 1)[i] = read<float>(p, 2) * pointer(p, 0)[i];
}
void below(const CUlaunchConfig&, void** p) {
  *pointer<bool>(p, 1) = pointer(p, 0)[0] < read<float>(p, 2);
}

DeviceObject object() {
  const LaunchShape shape = {.grid = {1}, .block = {32}};
  DeviceObject object{.architecture = "sm_90a", .kernels = {}, .cubin = {}};
  object.kernels = {
      {"scale", shape, {BufferParameter{0}, BufferParameter{1}, ConstantParameter::of(2.0f)}},
      {"below", shape, {BufferParameter{0}, BufferParameter{1}, ConstantParameter::of(100.0f)}},
      {"fault", shape, {}},
  };
  constexpr std::string_view kCubin("FAKE scale below fault \0", 24);
  const auto bytes = std::as_bytes(std::span(kCubin));
  object.cubin.assign(bytes.begin(), bytes.end());
  return object;
}

Slot argument(std::uint32_t i) { return {Slot::Kind::argument, i, 0, kBytes}; }
Slot output(std::uint32_t i) { return {Slot::Kind::output, i, 0, kBytes}; }
Slot arena(std::uint64_t offset, std::uint64_t bytes = kBytes) {
  return {Slot::Kind::arena, 0, offset, bytes};
}

Launch launch_scale(Slot from, Slot to) {
  return {.kernel = "scale", .buffers = {from, to}, .label = "mul", .location = "train.cpp:4:2"};
}

TensorType floats() { return {DType::f32, {kCount}}; }

std::shared_ptr<Module> module_of(std::vector<Plan> plans, std::int32_t donor = -1) {
  auto module = std::make_shared<Module>();
  module->functions.push_back({.name = "step",
                               .plan = static_cast<std::uint32_t>(plans.size() - 1),
                               .arguments = {floats()},
                               .outputs = {{floats(), donor}}});
  module->plans = std::move(plans);
  module->objects.push_back(object().serialize());
  return module;
}

// y = 4 x, by way of the arena.
std::shared_ptr<Module> two_scales(std::int32_t donor = -1) {
  Plan plan{"step", {kBytes}, {kBytes}, kBytes, {}};
  plan.instructions = {launch_scale(argument(0), arena(0)), launch_scale(arena(0), output(0))};
  return module_of({plan}, donor);
}

class CudaDevice : public testing::Test {
 protected:
  void SetUp() override {
    driver_ = std::make_shared<FakeDriver>();
    driver_->kernels["scale"] = {{8, 8, 4}, scale};
    driver_->kernels["below"] = {{8, 8, 4}, below};
    driver_->kernels["fault"] = {{}, [](const CUlaunchConfig&, void**) {}};
    driver_->faulty_kernel = "fault";
    instance_ = Instance::create({.threads = 1});
    instance_->add_device(*make_device(*Context::create(driver_, 0)));
  }
  void TearDown() override {
    executor_.reset();
    instance_.reset();
    EXPECT_EQ(driver_->leaks(), "");
  }
  Device device() const { return *instance_->device("cuda"); }
  StatusOr<> load(std::shared_ptr<Module> module) {
    const Device gpu = device();
    HYP_TRY(const auto cluster, DeviceCluster::create(instance_, std::span(&gpu, 1)));
    HYP_TRY(executor_, Executor::create(cluster, {std::move(module)}));
    return {};
  }
  BufferView view(const Floats& values) const {
    const std::int64_t dims[] = {static_cast<std::int64_t>(values.size())};
    return *BufferView::from_host(device(), DType::f32, dims, std::as_bytes(std::span(values)));
  }
  StatusOr<BufferView> run(const BufferView& argument) {
    std::vector<BufferView> outputs;
    HYP_TRY_VOID(
        executor_->execute_now(*executor_->find("step"), std::span(&argument, 1), outputs));
    return outputs[0];
  }

  std::shared_ptr<FakeDriver> driver_;
  std::shared_ptr<Instance> instance_;
  std::unique_ptr<Executor> executor_;
};

Floats read(const BufferView& view) {
  Floats values(static_cast<std::size_t>(view.desc().elements));
  const StatusOr<> result = view.read(std::as_writable_bytes(std::span(values)));
  EXPECT_TRUE(result) << result.error().text();
  return values;
}

Floats ramp(float factor = 1) {
  Floats values(kCount);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = factor * static_cast<float>(i + 1);
  return values;
}

TEST_F(CudaDevice, IsADeviceLikeOthers) {
  EXPECT_EQ(device().name(), "cuda:0");
  EXPECT_EQ(device(), *instance_->device("cuda:0"));
  EXPECT_FALSE(device().is_host());
  EXPECT_TRUE(instance_->owns(device()));
  EXPECT_TRUE(device().description().starts_with("Fake GPU, sm_90a, 1024.0 MiB at "));
}

TEST_F(CudaDevice, BuffersGoThereAndBack) {
  const BufferView on_gpu = view(ramp());
  EXPECT_EQ(read(on_gpu), ramp());
  EXPECT_EQ(on_gpu.host_bytes().error().message, "the bytes are on cuda:0, not on the host");
  const BufferView home = *on_gpu.to(instance_->devices()[0]);
  EXPECT_EQ(home.buffer().device().name(), "cpu:0");
  EXPECT_EQ(read(home), ramp());
  EXPECT_EQ(read(*home.to(device())), ramp());
  EXPECT_EQ(on_gpu.to(device())->buffer(), on_gpu.buffer());

  const std::int64_t begin[] = {2};
  const std::int64_t end[] = {5};
  EXPECT_EQ(read(*on_gpu.slice(begin, end)), (Floats{3, 4, 5}));
}

TEST_F(CudaDevice, NonDenseViewsAreMadeDense) {
  const std::int64_t dims[] = {2, 4};
  const Floats values = ramp();
  const BufferView matrix =
      *BufferView::from_host(device(), DType::f32, dims, std::as_bytes(std::span(values)));
  const std::int64_t begin[] = {0, 1};
  const std::int64_t end[] = {2, 3};
  const BufferView middle = *matrix.slice(begin, end);
  EXPECT_EQ(read(middle), (Floats{2, 3, 6, 7}));
  EXPECT_TRUE(middle.to_dense()->desc().is_dense);
  EXPECT_EQ(read(*middle.to_dense()), (Floats{2, 3, 6, 7}));
}

TEST_F(CudaDevice, RunsAPlanBothWays) {
  ASSERT_TRUE(load(two_scales()));
  EXPECT_EQ(read(*run(view(ramp()))), ramp(4));
  const BufferView input = view(ramp());
  const auto execution = executor_->execute(*executor_->find("step"), std::span(&input, 1));
  ASSERT_TRUE(execution);
  ASSERT_TRUE(execution->done.wait());
  EXPECT_EQ(read(execution->outputs[0]), ramp(4));
}

TEST_F(CudaDevice, SteadyAddressesBecomeAGraph) {
  ASSERT_TRUE(load(two_scales()));
  const BufferView input = view(ramp());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(read(*run(input)), ramp(4));
  // The first run launches, the second is recorded (two launches captured), the others replay.
  EXPECT_EQ(driver_->count("cuLaunchKernelEx"), 4u);
  EXPECT_EQ(driver_->count("cuGraphLaunch"), 9u);
  EXPECT_EQ(driver_->count("cuGraphInstantiateWithFlags"), 1u);
}

TEST_F(CudaDevice, DonatedBuffersGoRound) {
  ASSERT_TRUE(load(two_scales(/*donor=*/0)));
  BufferView value = view(ramp());
  float factor = 1;
  for (int i = 0; i < 6; ++i) {
    value = *run(std::move(value).donate());
    factor *= 4;
  }
  EXPECT_EQ(read(value), ramp(factor));
  EXPECT_EQ(executor_->statistics().donations_used, 6u);
  EXPECT_EQ(driver_->count("cuGraphLaunch"), 5u);
}

TEST_F(CudaDevice, WithoutGraphsPlansRunAllTheSame) {
  ASSERT_TRUE(load(two_scales()));
  const BufferView input = view(ramp());
  driver_->fail(1, CUDA_ERROR_NOT_SUPPORTED, "cuGraphInstantiateWithFlags");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(read(*run(input)), ramp(4));
  EXPECT_EQ(driver_->count("cuGraphLaunch"), 0u);
}

TEST_F(CudaDevice, ManyAddressesStayRight) {
  ASSERT_TRUE(load(two_scales()));
  std::vector<BufferView> inputs;
  for (int i = 0; i < 30; ++i) inputs.push_back(view(ramp(static_cast<float>(i))));
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_EQ(read(*run(inputs[i])), ramp(4 * static_cast<float>(i)));
    }
  }
}

// state = x; while (state[0] < 100) state = 2 state
TEST_F(CudaDevice, LoopsReadTheirConditionFromTheDevice) {
  Plan condition{"condition", {kBytes}, {1}, 0, {}};
  condition.instructions = {
      Launch{.kernel = "below", .buffers = {argument(0), {Slot::Kind::output, 0, 0, 1}}}};
  Plan body{"body", {kBytes}, {kBytes}, 0, {}};
  body.instructions = {launch_scale(argument(0), output(0))};
  Plan step{"step", {kBytes}, {kBytes}, 192, {}};
  step.instructions = {WhileLoop{.condition = 0,
                                 .body = 1,
                                 .predicate = arena(64, 1),
                                 .carried = {{argument(0), output(0), arena(0)}},
                                 .captures = {},
                                 .frame = arena(128, 0)}};
  ASSERT_TRUE(load(module_of({condition, body, step})));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(read(*run(view(ramp(3)))), ramp(192));
  instance_->profiler().start_capture();
  EXPECT_EQ(read(*run(view(ramp(3)))), ramp(192));
  // Six rounds, and a condition more.
  EXPECT_EQ(instance_->profiler().stop_capture().records.size(), 6 + 7 + 1u);
}

TEST_F(CudaDevice, ConstantsAreUploadedOnce) {
  const Floats constant = ramp(5);
  Plan plan{"step", {kBytes}, {kBytes}, 0, {}};
  plan.instructions = {launch_scale({Slot::Kind::constant, 0, 0, kBytes}, output(0))};
  auto module = module_of({plan});
  module->constants.push_back(Constant::copy(std::as_bytes(std::span(constant))));
  ASSERT_TRUE(load(module));
  const BufferView input = view(ramp());
  const std::size_t uploads = driver_->count("cuMemcpyHtoDAsync");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(read(*run(input)), ramp(10));
  EXPECT_EQ(driver_->count("cuMemcpyHtoDAsync"), uploads);
}

TEST_F(CudaDevice, AFaultReachesWhoeverReads) {
  Plan plan{"step", {kBytes}, {kBytes}, 0, {}};
  plan.instructions = {launch_scale(argument(0), output(0)),
                       Launch{.kernel = "fault", .label = "gather", .location = "train.cpp:9:1"}};
  ASSERT_TRUE(load(module_of({plan})));
  const BufferView input = view(ramp());
  const auto result = run(input);
  ASSERT_TRUE(result);  // in the order of the device; nobody has waited
  Floats values(kCount);
  const auto read = result->read(std::as_writable_bytes(std::span(values)));
  ASSERT_FALSE(read);
  EXPECT_TRUE(is_problem(read.error(), Problem::kernel_fault)) << read.error().text();
  EXPECT_EQ(read.error().where,
            "one of 2 kernels, the last: 'scale' (mul at train.cpp:4:2), 'fault' (gather at "
            "train.cpp:9:1)");
  EXPECT_TRUE(is_problem(run(input).error(), Problem::device_lost));
  // The host goes on.
  const std::int64_t dims[] = {kCount};
  EXPECT_TRUE(BufferView::from_host(instance_->devices()[0], DType::f32, dims,
                                    std::as_bytes(std::span(values))));
}

TEST_F(CudaDevice, AnAsynchronousExecutionFailsItsEvent) {
  Plan plan{"step", {kBytes}, {kBytes}, 0, {}};
  plan.instructions = {Launch{.kernel = "fault"}};
  ASSERT_TRUE(load(module_of({plan})));
  const BufferView input = view(ramp());
  const auto execution = executor_->execute(*executor_->find("step"), std::span(&input, 1),
                                            {.call_location = "train.cpp:12:1"});
  ASSERT_TRUE(execution);
  const auto waited = execution->done.wait();
  ASSERT_FALSE(waited);
  EXPECT_TRUE(is_problem(waited.error(), Problem::kernel_fault));
}

TEST_F(CudaDevice, MemoryThatRunsOutLeavesTheDeviceUsable) {
  const std::int64_t dims[] = {std::int64_t{400} << 20};  // floats
  const auto desc = *ViewDesc::dense(DType::f32, dims);
  const auto huge = BufferView::allocate(device(), desc);
  ASSERT_FALSE(huge);
  EXPECT_TRUE(is_problem(huge.error(), Problem::out_of_memory)) << huge.error().text();
  ASSERT_TRUE(load(two_scales()));
  EXPECT_EQ(read(*run(view(ramp()))), ramp(4));
}

TEST_F(CudaDevice, CodeForAnotherArchitectureIsRefused) {
  auto module = two_scales();
  DeviceObject other = object();
  other.architecture = "sm_80";
  module->objects = {other.serialize()};
  const auto loaded = load(module);
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().text().find("the code is for sm_80, cuda:0 is sm_90a [cuda.bad_code]"),
            std::string::npos);
}

TEST_F(CudaDevice, AKernelThatWantsMoreBuffersIsRefused) {
  auto module = two_scales();
  DeviceObject other = object();
  other.kernels[0].parameters[1] = BufferParameter{2};
  module->objects = {other.serialize()};
  const auto loaded = load(module);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::data_loss);
  EXPECT_EQ(loaded.error().message, "kernel 'scale' wants buffer 2, its launch has 2");
}

TEST_F(CudaDevice, AMissingKernelIsNamed) {
  auto module = two_scales();
  std::get<Launch>(module->plans[0].instructions[1]).kernel = "gelu";
  EXPECT_EQ(load(module).error().message, "no code for kernel 'gelu'");
}

// ---- Profiles ----

struct Row {
  std::string title;
  std::string track;
  double milliseconds;  // it lasted
  friend bool operator==(const Row&, const Row&) = default;
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.track << ": " << row.title << ", " << row.milliseconds << " ms";
}

// The launches of a capture, in the order of their times. Kernels of one execution follow one
// another; the clock of the fake device runs ahead of the host's, so executions may overlap.
std::vector<Row> rows(Capture capture, bool is_one_execution = false) {
  std::ranges::stable_sort(capture.records, {}, &ProfileRecord::start);
  std::vector<Row> all;
  Ticks end = 0;
  for (const ProfileRecord& record : capture.records) {
    if (record.label->info().category != "launch") continue;
    if (is_one_execution) {
      EXPECT_LE(end, record.start + 2) << "kernels of one stream overlap";
    }
    end = record.end;
    const double lasted = 1e3 * static_cast<double>(record.end - record.start) * seconds_per_tick();
    all.push_back(
        {record.label->title(), capture.tracks.at(record.track), std::round(lasted * 100) / 100});
  }
  EXPECT_LE(end, now_ticks());
  return all;
}

// The first run launches, the second is made into a graph, the third runs it; all three are timed.
TEST_F(CudaDevice, ACaptureHasTheKernels) {
  driver_->kernels["scale"].milliseconds = 0.25;
  ASSERT_TRUE(load(two_scales()));
  Profiler& profiler = instance_->profiler();
  const BufferView input = view(ramp());
  std::vector<Row> expected(2, {"mul at train.cpp:4:2", "cuda:0", 0.25});
  for (int i = 0; i < 3; ++i) {
    profiler.start_capture();
    EXPECT_EQ(read(*run(input)), ramp(4));
    EXPECT_EQ(rows(profiler.stop_capture(), true), expected) << "run " << i;
  }
  EXPECT_EQ(driver_->count("cuGraphLaunch"), 2u);
  EXPECT_EQ(driver_->count("cuEventRecordWithFlags"), 4u);
  // Totals have them, too.
  EXPECT_NEAR(profiler.category_seconds("launch"), 6 * 0.25e-3, 1e-6);
}

TEST_F(CudaDevice, WithoutACaptureNothingIsTimed) {
  ASSERT_TRUE(load(two_scales()));
  const BufferView input = view(ramp());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(read(*run(input)), ramp(4));
  instance_->profiler().start_capture();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(read(*run(input)), ramp(4));
  EXPECT_EQ(rows(instance_->profiler().stop_capture()).size(), 6u);
  const std::size_t graphs = driver_->count("cuGraphInstantiateWithFlags");
  const std::size_t times = driver_->count("cuEventElapsedTime");
  EXPECT_EQ(graphs, 2u);
  EXPECT_EQ(times, 12u);
  // The graph without events is still there.
  EXPECT_EQ(read(*run(input)), ramp(4));
  EXPECT_EQ(driver_->count("cuGraphInstantiateWithFlags"), graphs);
  EXPECT_EQ(driver_->count("cuEventElapsedTime"), times);
}

TEST_F(CudaDevice, KernelsAreTimedWithoutGraphsToo) {
  ASSERT_TRUE(load(two_scales()));
  const BufferView input = view(ramp());
  instance_->profiler().start_capture();
  driver_->fail(1, CUDA_ERROR_NOT_SUPPORTED, "cuGraphInstantiateWithFlags");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(read(*run(input)), ramp(4));
  EXPECT_EQ(rows(instance_->profiler().stop_capture()),
            std::vector<Row>(8, {"mul at train.cpp:4:2", "cuda:0", 1}));
}

TEST_F(CudaDevice, ATraceNamesTheKernels) {
  ASSERT_TRUE(load(two_scales()));
  instance_->profiler().start_capture();
  ASSERT_TRUE(run(view(ramp())));
  const std::vector<std::byte> trace = perfetto_trace(instance_->profiler().stop_capture());
  const std::string text(reinterpret_cast<const char*>(trace.data()), trace.size());
  EXPECT_NE(text.find("cuda:0"), std::string::npos);
  EXPECT_NE(text.find("mul at train.cpp:4:2"), std::string::npos);
}

// Whatever call fails, the error comes back, nothing leaks (TearDown), and the next run is right.
TEST_F(CudaDevice, ACaptureSurvivesEveryFailure) {
  ASSERT_TRUE(load(two_scales()));
  const BufferView input = view(ramp());
  instance_->profiler().start_capture();
  for (std::uint64_t nth = 1; nth < 1000; ++nth) {
    driver_->fail(nth, CUDA_ERROR_OUT_OF_MEMORY);
    for (int i = 0; i < 3; ++i) static_cast<void>(run(input));
    const bool is_done = driver_->failed_call().empty();
    driver_->fail(0, CUDA_SUCCESS);
    EXPECT_EQ(read(*run(input)), ramp(4)) << nth;
    if (is_done) return;
    executor_.reset();
    ASSERT_TRUE(load(two_scales()));
  }
  FAIL() << "three runs make more than a thousand calls";
}

// ---- Names ----

TEST(DeviceNames, AreAKindAndANumber) {
  EXPECT_EQ(parse_device_name("cuda")->ordinal, 0);
  EXPECT_EQ(parse_device_name("cuda:12")->ordinal, 12);
  EXPECT_EQ(parse_device_name("cpu")->kind, &device_kinds()[0]);
  for (const char* bad : {"", "gpu", "cuda:", "cuda:x", "cuda:1x", "cuda:-1", "cudax:1", ":1"}) {
    const auto name = parse_device_name(bad);
    ASSERT_FALSE(name) << bad;
    EXPECT_EQ(name.error().text(),
              "invalid_argument: '" + std::string(bad) +
                  "' names no device; write a kind (cpu, cuda) or a kind and a number, as cuda:1");
  }
}

TEST(DeviceNames, AnInstanceOpensEachOnce) {
  const auto instance = Instance::create({.threads = 1});
  EXPECT_EQ(*instance->device("cpu"), instance->devices()[0]);
  EXPECT_FALSE(instance->device("cpu:1"));
  EXPECT_FALSE(instance->device("tpu"));
}

TEST(DeviceKinds, DescribeThemselvesOrSayWhyNot) {
  for (const DeviceKind& kind : device_kinds()) {
    const auto devices = kind.describe();
    if (devices) {
      EXPECT_FALSE(devices->empty()) << kind.name;
    } else {
      EXPECT_NE(devices.error().message.find("[cuda."), std::string::npos)
          << devices.error().text();
    }
  }
}

}  // namespace
}  // namespace hyperion::runtime::cuda
