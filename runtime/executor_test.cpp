// The kernels here are C++ functions behind a fake code loader: the runtime does not know who makes
// code.
#include "runtime/executor.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>

namespace hyperion::runtime {
namespace {

using Dims = std::vector<std::int64_t>;
using Floats = std::vector<float>;

// ---- Kernels: a tile is kTile floats ----

constexpr std::int64_t kTile = 16;

extern "C" void add(void* const* buffers, std::int64_t begin, std::int64_t end, void*) {
  const auto* a = static_cast<const float*>(buffers[0]);
  const auto* b = static_cast<const float*>(buffers[1]);
  auto* out = static_cast<float*>(buffers[2]);
  for (std::int64_t i = begin * kTile; i < end * kTile; ++i) out[i] = a[i] + b[i];
}

// Goes through its scratch, so that shared scratch would show.
extern "C" void twice(void* const* buffers, std::int64_t begin, std::int64_t end, void* scratch) {
  const auto* a = static_cast<const float*>(buffers[0]);
  auto* out = static_cast<float*>(buffers[1]);
  auto* staged = static_cast<float*>(scratch);
  for (std::int64_t tile = begin; tile < end; ++tile) {
    std::memcpy(staged, a + tile * kTile, kTile * sizeof(float));
    for (std::int64_t i = 0; i < kTile; ++i) out[tile * kTile + i] = 2 * staged[i];
  }
}

extern "C" void below_hundred(void* const* buffers, std::int64_t, std::int64_t, void*) {
  *static_cast<bool*>(buffers[1]) = *static_cast<const float*>(buffers[0]) < 100;
}

extern "C" void always(void* const* buffers, std::int64_t, std::int64_t, void*) {
  *static_cast<bool*>(buffers[0]) = true;
}

extern "C" void slow(void* const*, std::int64_t, std::int64_t, void*) {
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

class FakeCode final : public LoadedCode {
 public:
  KernelFunction* symbol(const std::string& name) override {
    static const std::map<std::string, KernelFunction*> symbols = {{"add", add},
                                                                   {"twice", twice},
                                                                   {"below_hundred", below_hundred},
                                                                   {"always", always},
                                                                   {"slow", slow}};
    const auto found = symbols.find(name);
    return found == symbols.end() ? nullptr : found->second;
  }
};

class FakeLoader final : public CodeLoader {
 public:
  StatusOr<std::unique_ptr<LoadedCode>> load(
      std::span<const std::span<const std::byte>> objects) override {
    for (const std::span<const std::byte> object : objects) {
      if (object.empty()) return error_status(Code::data_loss, "not an object");
    }
    return std::make_unique<FakeCode>();
  }
};

std::shared_ptr<Instance> make_instance(int threads = 1) {
  auto instance = Instance::create({.threads = threads});
  instance->set_code_loader(std::make_shared<FakeLoader>());
  return instance;
}

// ---- Small modules ----

Slot argument(std::uint32_t i, std::uint64_t bytes) { return {Slot::Kind::argument, i, 0, bytes}; }
Slot output(std::uint32_t i, std::uint64_t bytes) { return {Slot::Kind::output, i, 0, bytes}; }
Slot arena(std::uint64_t offset, std::uint64_t bytes) {
  return {Slot::Kind::arena, 0, offset, bytes};
}

constexpr std::uint64_t kBytes = kTile * sizeof(float);

Launch launch_add(Slot a, Slot b, Slot out) {
  return Launch{.kernel = "add",
                .buffers = {a, b, out},
                .tiles = static_cast<std::int64_t>(out.bytes / kBytes),
                .label = "add",
                .location = "test.cpp:1:1"};
}

Launch launch_twice(Slot a, Slot out) {
  return Launch{.kernel = "twice",
                .buffers = {a, out},
                .tiles = static_cast<std::int64_t>(out.bytes / kBytes),
                .scratch_bytes = kBytes,
                .label = "twice"};
}

TensorType floats(std::int64_t n) { return {DType::f32, {n}}; }

std::shared_ptr<Module> module_of(std::vector<Plan> plans, Function function) {
  auto module = std::make_shared<Module>();
  function.plan = static_cast<std::uint32_t>(plans.size() - 1);
  module->plans = std::move(plans);
  module->functions.push_back(std::move(function));
  module->objects.push_back(Bytes(1));
  return module;
}

// out = 2 * (a + b), over n floats; out may take over a.
std::shared_ptr<Module> chain(std::int64_t n) {
  const auto bytes = static_cast<std::uint64_t>(n) * sizeof(float);
  Plan plan{"chain", {bytes, bytes}, {bytes}, bytes, {}};
  plan.instructions.push_back(launch_add(argument(0, bytes), argument(1, bytes), arena(0, bytes)));
  plan.instructions.push_back(launch_twice(arena(0, bytes), output(0, bytes)));
  return module_of({plan}, {"chain", 0, {floats(n), floats(n)}, {{floats(n), 0}}});
}

struct Fixture {
  explicit Fixture(std::shared_ptr<Module> module, int threads = 1)
      : instance(make_instance(threads)),
        executor(*Executor::create(DeviceCluster::local(instance), {module})),
        id(*executor->find(module->functions.front().name)) {}

  const Device& device() const { return instance->devices().front(); }
  BufferView view(const Floats& values) const {
    const Dims dims{static_cast<std::int64_t>(values.size())};
    return *BufferView::from_host(device(), DType::f32, dims, std::as_bytes(std::span(values)));
  }

  std::shared_ptr<Instance> instance;
  std::unique_ptr<Executor> executor;
  FunctionId id;
};

Floats read(const BufferView& view) {
  Floats values(static_cast<std::size_t>(view.desc().elements));
  const StatusOr<> result = view.read(std::as_writable_bytes(std::span(values)));
  EXPECT_TRUE(result.has_value()) << result.error().text();
  return values;
}

Floats ramp(std::int64_t n, float start = 0) {
  Floats values(static_cast<std::size_t>(n));
  std::iota(values.begin(), values.end(), start);
  return values;
}

Floats expected_chain(const Floats& a, const Floats& b) {
  Floats result(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) result[i] = 2 * (a[i] + b[i]);
  return result;
}

// ---- Tests ----

TEST(Executor, RunsAPlanBothWays) {
  const Fixture f(chain(64));
  const Floats a = ramp(64), b = ramp(64, 5);
  const BufferView arguments[] = {f.view(a), f.view(b)};
  const StatusOr<Execution> run = f.executor->execute(f.id, arguments);
  ASSERT_TRUE(run.has_value()) << run.error().text();
  EXPECT_TRUE(run->done.wait().has_value());
  EXPECT_EQ(read(run->outputs[0]), expected_chain(a, b));
  std::vector<BufferView> outputs;
  ASSERT_TRUE(f.executor->execute_now(f.id, arguments, outputs).has_value());
  EXPECT_EQ(read(outputs[0]), expected_chain(a, b));
  EXPECT_EQ(read(arguments[0]), a);
  const ExecutorStatistics statistics = f.executor->statistics();
  EXPECT_EQ(statistics.executions, 2u);
  EXPECT_EQ(statistics.launches, 4u);
  EXPECT_EQ(statistics.forks, 0u);
}

TEST(Executor, ResultsDoNotDependOnThreads) {
  const Floats a = ramp(16 * 1000), b = ramp(16 * 1000, -7);
  for (int threads : {1, 2, 4}) {
    const Fixture f(chain(16 * 1000), threads);
    const BufferView arguments[] = {f.view(a), f.view(b)};
    for (int i = 0; i < 20; ++i) {
      std::vector<BufferView> outputs;
      ASSERT_TRUE(f.executor->execute_now(f.id, arguments, outputs).has_value());
      ASSERT_EQ(read(outputs[0]), expected_chain(a, b));
    }
    EXPECT_EQ(f.executor->statistics().forks, threads == 1 ? 0u : 40u);
  }
}

TEST(Executor, SteadyStateAsksTheSystemForNothing) {
  const Fixture f(chain(1 << 20));
  const BufferView b = f.view(ramp(1 << 20));
  std::vector<BufferView> outputs = {f.view(ramp(1 << 20))};
  const auto step = [&] {
    const BufferView arguments[] = {outputs[0], b};
    ASSERT_TRUE(f.executor->execute_now(f.id, arguments, outputs).has_value());
  };
  step();
  step();
  const std::uint64_t before = f.executor->statistics().system_allocations;
  for (int i = 0; i < 10; ++i) step();
  EXPECT_EQ(f.executor->statistics().system_allocations, before);
}

TEST(Executor, DonationReusesTheArgumentsMemory) {
  const Fixture f(chain(64));
  BufferView state = f.view(ramp(64));
  const BufferView b = f.view(Floats(64, 1));
  Floats expected = ramp(64);
  for (int i = 0; i < 5; ++i) {
    const std::byte* memory = state.data();
    const BufferView kept = state;
    const BufferView arguments[] = {std::move(state).donate(), b};
    StatusOr<Execution> run = f.executor->execute(f.id, arguments);
    ASSERT_TRUE(run.has_value());
    EXPECT_TRUE(kept.buffer().spent());  // at once, not when it ran
    state = run->outputs[0];
    EXPECT_EQ(state.data(), memory);
    expected = expected_chain(expected, Floats(64, 1));
  }
  EXPECT_EQ(read(state), expected);
  EXPECT_EQ(f.executor->statistics().donations_used, 5u);
}

TEST(Executor, SpentArgumentsAreRefused) {
  const Fixture f(chain(16));
  BufferView a = f.view(ramp(16));
  const BufferView copy = a, b = f.view(ramp(16));
  const BufferView donated[] = {std::move(a).donate(), b};
  std::vector<BufferView> outputs;
  ASSERT_TRUE(f.executor->execute_now(f.id, donated, outputs).has_value());
  const BufferView again[] = {copy, b};
  const StatusOr<> refused = f.executor->execute_now(f.id, again, outputs);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::failed_precondition);
  EXPECT_EQ(refused.error().message, "argument 0 of 'chain' was donated to an earlier execution");
  // Donating what has no taker spends it too.
  BufferView c = f.view(ramp(16));
  const BufferView c_copy = c;
  const BufferView second[] = {b, std::move(c).donate()};
  ASSERT_TRUE(f.executor->execute_now(f.id, second, outputs).has_value());
  EXPECT_TRUE(c_copy.buffer().spent());
}

TEST(Executor, DonatedMemoryThatIsReadTwiceIsNotTakenOver) {
  const Fixture f(chain(16));
  BufferView a = f.view(ramp(16));
  const BufferView second = a;
  const BufferView arguments[] = {std::move(a).donate(), second};
  std::vector<BufferView> outputs;
  ASSERT_TRUE(f.executor->execute_now(f.id, arguments, outputs).has_value());
  EXPECT_EQ(read(outputs[0]), expected_chain(ramp(16), ramp(16)));
  EXPECT_EQ(f.executor->statistics().donations_missed, 1u);
}

TEST(Executor, StridedArgumentsAreCopied) {
  const Fixture f(chain(16));
  const Dims dims{16, 2}, begin{0, 1}, end{16, 2};
  const Floats values = ramp(32);
  const BufferView matrix =
      *BufferView::from_host(f.device(), DType::f32, dims, std::as_bytes(std::span(values)));
  const BufferView column = *matrix.slice(begin, end);
  const BufferView flat(column.buffer(),
                        std::make_shared<const ViewDesc>(ViewDesc{.dtype = DType::f32,
                                                                  .dims = {16},
                                                                  .byte_strides = {8},
                                                                  .elements = 16,
                                                                  .bytes = 64,
                                                                  .is_dense = false}),
                        column.offset());
  const BufferView arguments[] = {flat, flat};
  std::vector<BufferView> outputs;
  ASSERT_TRUE(f.executor->execute_now(f.id, arguments, outputs).has_value());
  Floats odd(16);
  for (std::size_t i = 0; i < 16; ++i) odd[i] = static_cast<float>(2 * i + 1);
  EXPECT_EQ(read(outputs[0]), expected_chain(odd, odd));
  EXPECT_EQ(f.executor->statistics().argument_copies, 2u);
}

TEST(Executor, CallsAreChecked) {
  const Fixture f(chain(16));
  const BufferView good = f.view(ramp(16)), bad = f.view(ramp(17));
  std::vector<BufferView> outputs;
  const auto message = [&](std::vector<BufferView> arguments) {
    const StatusOr<> result = f.executor->execute_now(f.id, arguments, outputs);
    return result ? std::string() : result.error().message;
  };
  EXPECT_EQ(message({good}), "'chain' takes 2 arguments, got 1");
  EXPECT_EQ(message({good, bad}), "argument 1 of 'chain' is f32[17], expected f32[16]");
  EXPECT_EQ(message({good, BufferView()}), "argument 1 of 'chain' is empty");
  const auto other = Instance::create({.threads = 1});
  const Dims dims{16};
  const Floats values = ramp(16);
  const BufferView foreign = *BufferView::from_host(other->devices()[0], DType::f32, dims,
                                                    std::as_bytes(std::span(values)));
  EXPECT_EQ(message({good, foreign}),
            "argument 1 of 'chain' is on cpu:0, the executor runs on another device");
  EXPECT_FALSE(f.executor->find("other").has_value());
}

TEST(Executor, LoadingIsChecked) {
  const auto create = [](std::shared_ptr<Instance> instance,
                         std::vector<std::shared_ptr<const Module>> modules) {
    const auto executor = Executor::create(DeviceCluster::local(instance), std::move(modules));
    return executor ? Code::ok : executor.error().code;
  };
  EXPECT_EQ(create(Instance::create({.threads = 1}), {chain(16)}), Code::failed_precondition);
  EXPECT_EQ(create(make_instance(), {chain(16), chain(16)}), Code::already_exists);
  auto missing = chain(16);
  std::get<Launch>(missing->plans[0].instructions[0]).kernel = "subtract";
  EXPECT_EQ(create(make_instance(), {missing}), Code::not_found);
  auto broken = chain(16);
  broken->objects[0].clear();
  EXPECT_EQ(create(make_instance(), {broken}), Code::data_loss);
  auto invalid = chain(16);
  invalid->plans[0].arena_bytes = 1;
  EXPECT_EQ(create(make_instance(), {invalid}), Code::invalid_argument);
}

TEST(Executor, RunsWhatAFileHolds) {
  const Bytes bytes = chain(32)->serialize();
  const Fixture f(std::make_shared<Module>(*Module::parse(bytes)));
  const BufferView arguments[] = {f.view(ramp(32)), f.view(ramp(32))};
  std::vector<BufferView> outputs;
  ASSERT_TRUE(f.executor->execute_now(f.id, arguments, outputs).has_value());
  EXPECT_EQ(read(outputs[0]), expected_chain(ramp(32), ramp(32)));
}

// ---- Control flow ----

Plan double_plan() {
  return {"double", {kBytes}, {kBytes}, 0, {launch_twice(argument(0, kBytes), output(0, kBytes))}};
}

Floats run_one(const Fixture& f, const std::vector<Floats>& values, std::size_t index = 0) {
  std::vector<BufferView> arguments, outputs;
  for (const Floats& each : values) arguments.push_back(f.view(each));
  const StatusOr<> result = f.executor->execute_now(f.id, arguments, outputs);
  EXPECT_TRUE(result.has_value()) << result.error().text();
  return read(outputs[index]);
}

// x doubles while x[0] < 100. Trip counts 0, odd and even end in different places.
TEST(Executor, WhileLoop) {
  for (const bool in_place : {false, true}) {
    Plan condition{"below", {kBytes}, {1}, 0, {}};
    condition.instructions.push_back(
        Launch{.kernel = "below_hundred", .buffers = {argument(0, kBytes), output(0, 1)}});
    Plan main{"main", {kBytes}, {kBytes}, 2 * kBytes, {}};
    const Slot spare = in_place ? output(0, kBytes) : arena(64, kBytes);
    main.instructions.push_back(WhileLoop{
        0, 1, arena(0, 1), {{argument(0, kBytes), output(0, kBytes), spare}}, {}, arena(0, 0)});
    const Fixture f(module_of({condition, double_plan(), main},
                              {"main", 0, {floats(kTile)}, {{floats(kTile), -1}}}));
    for (const float start : {200.f, 60.f, 30.f, 1.f}) {
      float expected = start;
      while (expected < 100) expected *= 2;
      EXPECT_EQ(run_one(f, {Floats(kTile, start)}), Floats(kTile, expected)) << start;
    }
  }
}

// y_i = carry_i + x_i, carry_{i+1} = y_i + c: forwards and backwards, lengths 0 to 4.
TEST(Executor, Scan) {
  for (const bool reverse : {false, true}) {
    for (const std::int64_t length : {0, 1, 2, 3, 4}) {
      const auto total = static_cast<std::uint64_t>(length) * kBytes;
      Plan body{"body", {kBytes, kBytes, kBytes}, {kBytes, kBytes}, 0, {}};
      body.instructions.push_back(
          launch_add(argument(0, kBytes), argument(1, kBytes), output(1, kBytes)));
      body.instructions.push_back(
          launch_add(output(1, kBytes), argument(2, kBytes), output(0, kBytes)));
      Plan main{"main", {kBytes, total, kBytes}, {kBytes, total}, kBytes, {}};
      main.instructions.push_back(Scan{0,
                                       length,
                                       reverse,
                                       {{argument(0, kBytes), output(0, kBytes), arena(0, kBytes)}},
                                       {{argument(1, total), kBytes, kBytes}},
                                       {{output(1, total), kBytes, kBytes}},
                                       {argument(2, kBytes)},
                                       arena(0, 0)});
      const Fixture f(
          module_of({body, main}, {"main",
                                   0,
                                   {floats(kTile), floats(kTile * length), floats(kTile)},
                                   {{floats(kTile), -1}, {floats(kTile * length), -1}}}));
      Floats xs(static_cast<std::size_t>(kTile * length)), ys = xs;
      float carry = 10;
      for (std::int64_t i = 0; i < length; ++i) {
        std::fill_n(xs.begin() + i * kTile, kTile, static_cast<float>(i + 1));
      }
      for (std::int64_t i = 0; i < length; ++i) {
        const std::int64_t at = reverse ? length - 1 - i : i;
        const float y = carry + static_cast<float>(at + 1);
        std::fill_n(ys.begin() + at * kTile, kTile, y);
        carry = y + 3;
      }
      const std::vector<Floats> arguments = {Floats(kTile, 10), xs, Floats(kTile, 3)};
      EXPECT_EQ(run_one(f, arguments, 0), Floats(kTile, carry)) << length;
      EXPECT_EQ(run_one(f, arguments, 1), ys) << length;
    }
  }
}

// out = p ? 2 * (2 * x) : x, the doubled one through two nested calls with frames of their own.
TEST(Executor, CondAndNestedCalls) {
  Plan quadruple{"quadruple", {kBytes}, {kBytes}, kBytes, {}};
  quadruple.instructions.push_back(Call{0, {argument(0, kBytes)}, {arena(0, kBytes)}, arena(0, 0)});
  quadruple.instructions.push_back(Call{0, {arena(0, kBytes)}, {output(0, kBytes)}, arena(0, 0)});
  Plan same{"same", {kBytes}, {kBytes}, 0, {Copy{argument(0, kBytes), output(0, kBytes)}}};
  Plan main{"main", {kBytes, 1}, {kBytes}, 64 + kBytes, {}};
  main.instructions.push_back(
      Cond{argument(1, 1), 1, 2, {argument(0, kBytes)}, {output(0, kBytes)}, arena(64, kBytes)});
  const Fixture f(
      module_of({double_plan(), quadruple, same, main},
                {"main", 0, {floats(kTile), {DType::bool_, {}}}, {{floats(kTile), -1}}}));
  for (const bool taken : {true, false}) {
    const BufferView predicate =
        *BufferView::from_host(f.device(), DType::bool_, {}, std::as_bytes(std::span(&taken, 1)));
    const BufferView arguments[] = {f.view(ramp(kTile)), predicate};
    std::vector<BufferView> outputs;
    ASSERT_TRUE(f.executor->execute_now(f.id, arguments, outputs).has_value());
    Floats expected = ramp(kTile);
    for (float& each : expected) each *= taken ? 4 : 1;
    EXPECT_EQ(read(outputs[0]), expected);
  }
}

// The condition enters the loop's own body: their pointers must not get mixed up.
TEST(Executor, ConditionThatEntersTheBody) {
  Plan condition{"peek", {kBytes}, {1}, kBytes, {}};
  condition.instructions.push_back(Call{0, {argument(0, kBytes)}, {arena(0, kBytes)}, arena(0, 0)});
  condition.instructions.push_back(
      Launch{.kernel = "below_hundred", .buffers = {arena(0, kBytes), output(0, 1)}});
  Plan main{"main", {kBytes}, {kBytes}, 256, {}};
  main.instructions.push_back(
      WhileLoop{1,
                0,
                arena(0, 1),
                {{argument(0, kBytes), output(0, kBytes), arena(64, kBytes)}},
                {},
                arena(128, kBytes)});
  const Fixture f(module_of({double_plan(), condition, main},
                            {"main", 0, {floats(kTile)}, {{floats(kTile), -1}}}));
  EXPECT_EQ(run_one(f, {Floats(kTile, 1)}), Floats(kTile, 64));
}

std::shared_ptr<Module> endless() {
  Plan condition{"always", {}, {1}, 0, {Launch{.kernel = "always", .buffers = {output(0, 1)}}}};
  Plan body{"nothing", {}, {}, 0, {}};
  Plan main{"main", {}, {kBytes}, 64, {WhileLoop{0, 1, arena(0, 1), {}, {}, arena(0, 0)}}};
  return module_of({condition, body, main}, {"main", 0, {}, {{floats(kTile), -1}}});
}

TEST(Executor, EndlessLoopsMeetTheirDeadline) {
  const Fixture f(endless());
  const ExecuteOptions options{.timeout = std::chrono::milliseconds(20),
                               .call_location = "a.cpp:3"};
  const StatusOr<Execution> run = f.executor->execute(f.id, {}, options);
  ASSERT_TRUE(run.has_value());
  const StatusOr<> done = run->done.wait();
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, Code::deadline_exceeded);
  EXPECT_EQ(done.error().where, "a.cpp:3");
}

// ---- Errors that travel ----

TEST(Executor, FailureIsPassedOnAndNothingElseSuffers) {
  const Fixture bad(endless());
  const auto good = *Executor::create(DeviceCluster::local(bad.instance), {chain(16)});
  const FunctionId id = *good->find("chain");
  const StatusOr<Execution> lost =
      bad.executor->execute(bad.id, {}, {.timeout = std::chrono::milliseconds(5)});
  const BufferView fine = bad.view(ramp(16));
  const BufferView poisoned[] = {lost->outputs[0], fine};
  const StatusOr<Execution> second = good->execute(id, poisoned);
  const BufferView unrelated[] = {fine, fine};
  const StatusOr<Execution> third = good->execute(id, unrelated);
  ASSERT_TRUE(second.has_value() && third.has_value());
  EXPECT_EQ(second->done.wait().error().code, Code::deadline_exceeded);
  std::vector<std::byte> bytes(kBytes);
  EXPECT_EQ(second->outputs[0].read(bytes).error().code, Code::deadline_exceeded);
  EXPECT_EQ(read(third->outputs[0]), expected_chain(ramp(16), ramp(16)));
  EXPECT_EQ(good->statistics().failures, 1u);
}

// Fails every allocation in turn: each is reported, leaks nothing, and the next call succeeds.
TEST(Executor, SurvivesEveryFailedAllocation) {
  int failures = 0;
  for (std::uint64_t nth = 1; nth < 6; ++nth) {
    const Fixture f(chain(16));
    const BufferView arguments[] = {f.view(ramp(16)), f.view(ramp(16))};
    std::vector<BufferView> outputs;
    const std::uint64_t before = f.device().memory().in_use;
    f.device().allocator().fail_allocation(nth);
    const StatusOr<> result = f.executor->execute_now(f.id, arguments, outputs);
    if (!result) {
      ++failures;
      EXPECT_EQ(result.error().code, Code::resource_exhausted);
      EXPECT_TRUE(outputs.empty());
      EXPECT_EQ(f.device().memory().in_use, before);
    }
    f.device().allocator().fail_allocation(0);
    ASSERT_TRUE(f.executor->execute_now(f.id, arguments, outputs).has_value());
    EXPECT_EQ(read(outputs[0]), expected_chain(ramp(16), ramp(16)));
  }
  EXPECT_EQ(failures, 2);  // the output and the workspace
}

TEST(Executor, ObserversSeeEveryLaunchAndMayStop) {
  struct Recorder final : LaunchObserver {
    std::vector<std::string> seen;
    bool stop_at_twice = false;
    void before(const LaunchView& view) override { seen.push_back("> " + view.launch.label); }
    StatusOr<> after(const LaunchView& view) override {
      seen.push_back("< " + view.launch.label);
      EXPECT_EQ(view.buffers.size(), view.launch.buffers.size());
      if (stop_at_twice && view.launch.label == "twice") {
        return error_status(Code::failed_precondition, "found a NaN", view.launch.label);
      }
      return {};
    }
  };
  const Fixture f(chain(16));
  const auto recorder = std::make_shared<Recorder>();
  f.executor->add_observer(recorder);
  run_one(f, {ramp(16), ramp(16)});
  EXPECT_EQ(recorder->seen, (std::vector<std::string>{"> add", "< add", "> twice", "< twice"}));
  recorder->stop_at_twice = true;
  const BufferView arguments[] = {f.view(ramp(16)), f.view(ramp(16))};
  const StatusOr<Execution> run = f.executor->execute(f.id, arguments);
  EXPECT_EQ(run->done.wait().error().message, "found a NaN");
  f.executor->remove_observer(recorder.get());
  recorder->seen.clear();
  run_one(f, {ramp(16), ramp(16)});
  EXPECT_TRUE(recorder->seen.empty());
}

TEST(Executor, EveryLaunchAndExecutionIsProfiled) {
  const Fixture f(chain(16));
  for (int i = 0; i < 3; ++i) run_one(f, {ramp(16), ramp(16)});
  std::map<std::string, std::uint64_t> counts;
  for (const LabelTotal& total : f.instance->profiler().totals()) {
    counts[total.label.category + ":" + total.label.name] = total.count;
  }
  EXPECT_EQ(counts, (std::map<std::string, std::uint64_t>{
                        {"launch:add", 3}, {"launch:twice", 3}, {"run:chain", 3}}));
  EXPECT_EQ(f.instance->profiler().recent()[0].label->info().location, "test.cpp:1:1");
}

// ---- Order and threads ----

TEST(Executor, QueuedWorkRunsInOrder) {
  const Fixture f(chain(16));
  BufferView state = f.view(Floats(16, 1));
  const BufferView zero = f.view(Floats(16, 0));
  for (int i = 0; i < 20; ++i) {
    const BufferView arguments[] = {state, zero};
    state = f.executor->execute(f.id, arguments)->outputs[0];
  }
  // Behind everything that is queued.
  const BufferView arguments[] = {state, zero};
  std::vector<BufferView> outputs;
  ASSERT_TRUE(f.executor->execute_now(f.id, arguments, outputs).has_value());
  EXPECT_EQ(read(outputs[0]), Floats(16, std::ldexp(1.f, 21)));
}

TEST(Executor, WaitsForEventsAndDrainsWithADeadline) {
  const Fixture f(chain(16));
  EventSource gate;
  const Event events[] = {gate.event()};
  const BufferView arguments[] = {f.view(ramp(16)), f.view(ramp(16))};
  const StatusOr<Execution> run = f.executor->execute(f.id, arguments, {.wait_for = events});
  EXPECT_EQ(f.executor->drain(std::chrono::milliseconds(5)).error().code, Code::deadline_exceeded);
  EXPECT_FALSE(run->done.ready());
  gate.succeed();
  EXPECT_TRUE(f.executor->drain().has_value());
  EXPECT_TRUE(run->done.ready());
}

TEST(Executor, DestructionFinishesWhatIsQueued) {
  Plan main{"main", {}, {kBytes}, 0, {Launch{.kernel = "slow"}}};
  Event done;
  {
    const Fixture f(module_of({main}, {"main", 0, {}, {{floats(kTile), -1}}}));
    f.executor->execute(f.id, {}).value();
    done = f.executor->execute(f.id, {})->done;
  }
  EXPECT_TRUE(done.ready());
}

TEST(Executor, OutputsOutliveEverything) {
  BufferView output;
  {
    const Fixture f(chain(16));
    const BufferView arguments[] = {f.view(ramp(16)), f.view(ramp(16))};
    output = f.executor->execute(f.id, arguments)->outputs[0];
  }
  EXPECT_EQ(read(output), expected_chain(ramp(16), ramp(16)));
}

TEST(Executor, ManyThreadsAndTwoExecutors) {
  const auto instance = make_instance(2);
  const DeviceCluster cluster = DeviceCluster::local(instance);
  const auto first = *Executor::create(cluster, {chain(16 * 64)});
  const auto second = *Executor::create(cluster, {chain(16 * 64)});
  const Device device = instance->devices()[0];
  const Dims dims{16 * 64};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const Floats a = ramp(16 * 64, static_cast<float>(t)), b = ramp(16 * 64);
      for (int i = 0; i < 50; ++i) {
        const BufferView arguments[] = {
            *BufferView::from_host(device, DType::f32, dims, std::as_bytes(std::span(a))),
            *BufferView::from_host(device, DType::f32, dims, std::as_bytes(std::span(b)))};
        Executor& one = *(i % 2 == 0 ? first : second);
        Executor& other = *(i % 2 == 0 ? second : first);
        const BufferView chained[] = {one.execute(*one.find("chain"), arguments)->outputs[0],
                                      arguments[1]};
        std::vector<BufferView> outputs;
        ASSERT_TRUE(other.execute_now(*other.find("chain"), chained, outputs).has_value());
        ASSERT_EQ(read(outputs[0]), expected_chain(expected_chain(a, b), b));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Executor, WorkspaceIsKeptAndCanBeGivenBack) {
  const Fixture f(chain(1 << 16));
  run_one(f, {ramp(1 << 16), ramp(1 << 16)});
  EXPECT_GE(f.executor->statistics().workspace_bytes, (1u << 18) + kBytes);
  const std::uint64_t in_use = f.device().memory().in_use;
  f.executor->release_workspace();
  EXPECT_EQ(f.executor->statistics().workspace_bytes, 0u);
  EXPECT_LT(f.device().memory().in_use, in_use);
  run_one(f, {ramp(1 << 16), ramp(1 << 16)});
}

TEST(DeviceCluster, OneDeviceOfItsOwnInstance) {
  const auto instance = make_instance(), other = make_instance();
  EXPECT_TRUE(DeviceCluster::create(instance, instance->devices()).has_value());
  EXPECT_EQ(DeviceCluster::create(instance, other->devices()).error().code, Code::invalid_argument);
  EXPECT_EQ(DeviceCluster::create(instance, {}).error().code, Code::invalid_argument);
  const Device two[] = {instance->devices()[0], instance->devices()[0]};
  EXPECT_EQ(DeviceCluster::create(instance, two).error().code, Code::unimplemented);
  const DeviceCluster local = DeviceCluster::local(instance);
  EXPECT_EQ(local.network().size(), 1);
  EXPECT_EQ(local.network().rank(), 0);
  EXPECT_EQ(local.network().link(0, 0).link_class, Link::Class::same_device);
}

}  // namespace
}  // namespace hyperion::runtime
