// Tensors on GPUs, which are made of host memory here: where things live, what meets what, and what is copied when.
#include "frontend/device.hpp"

#include <gtest/gtest.h>

#include <sstream>
#include <thread>

#include "frontend/hyperion.hpp"
#include "frontend/testing.hpp"
#include "tests/support/fake_gpus.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion {
namespace {

using testing::error_of;
using testing_support::ScopedFakeGpus;
using testing_support::TempFolder;
using Floats = std::vector<float>;

const Device kHost;

class DeviceTest : public ::testing::Test {
 protected:
  const ScopedFakeGpus gpus_{2};
  const ScopedDevice here_{kHost};  // whatever the environment says
  const Device gpu_ = "cuda", other_gpu_ = "cuda:1";

  Tensor on_gpu(const Floats& values) const {
    const ScopedDevice scope(gpu_);
    return from_vector(values, {static_cast<std::int64_t>(values.size())});
  }
};

// ---- Names and defaults ----

TEST_F(DeviceTest, IsAKindAndANumber) {
  EXPECT_EQ(kHost.name(), "cpu:0");
  EXPECT_EQ(other_gpu_.kind(), "cuda");
  EXPECT_EQ(other_gpu_.ordinal(), 1);
  EXPECT_EQ(Device("cuda:0"), gpu_);
  EXPECT_NE(gpu_, other_gpu_);
  std::ostringstream text;
  text << other_gpu_;
  EXPECT_EQ(text.str(), "cuda:1");
  EXPECT_FALSE(Device::parse("cuda:70000"));
  EXPECT_EQ(error_of([] { Device("gpu"); }),
            "frontend/device_test.cpp:<line>: error: 'gpu' names no device [device.name]\n"
            "  hint: write a kind (cpu, cuda) or a kind and a number, as cuda:1");
}

TEST_F(DeviceTest, ScopesNest) {
  EXPECT_EQ(default_device(), kHost);
  {
    const ScopedDevice outer(gpu_);
    EXPECT_EQ(zeros({2}).device(), gpu_);
    {
      const ScopedDevice inner(other_gpu_);
      EXPECT_EQ(tensor({1.0, 2.0}).device(), other_gpu_);
    }
    EXPECT_EQ(default_device(), gpu_);
  }
  EXPECT_EQ(default_device(), kHost);
}

TEST_F(DeviceTest, AScopeBelongsToItsThread) {
  const ScopedDevice scope(gpu_);
  Device seen = gpu_;
  std::thread([&] { seen = default_device(); }).join();
  EXPECT_NE(seen, Device("cuda:1"));
  std::thread([&] {
    const ScopedDevice own(other_gpu_);
    seen = default_device();
  }).join();
  EXPECT_EQ(seen, other_gpu_);
  EXPECT_EQ(default_device(), gpu_);
}

TEST(DefaultDevice, IsThatOfTheProcess) {
  const Device before = default_device();
  {
    const ScopedFakeGpus gpus(1);
    set_default_device("cuda");
    EXPECT_EQ(default_device(), Device("cuda:0"));
    Device seen;
    std::thread([&] { seen = default_device(); }).join();
    EXPECT_EQ(seen, Device("cuda:0"));
    // There is no second one, whether or not this machine has a driver.
    const std::string error = error_of([] { set_default_device("cuda:201"); });
    EXPECT_NE(error.find("frontend/device_test.cpp:<line>: "), std::string::npos) << error;
    EXPECT_EQ(default_device(), Device("cuda:0"));
    EXPECT_NE(error_of([] { set_default_device("cpu:1"); }).find("there is no cpu:1, only cpu:0"),
              std::string::npos);
    set_default_device(kHost);
  }
  set_default_device(before);
}

// ---- Where tensors live ----

TEST_F(DeviceTest, DataStaysWhereItIsMade) {
  const Tensor x = on_gpu({1, 2, 3});
  EXPECT_EQ(x.device(), gpu_);
  const Tensor y = x * 2.0 + 1.0;
  EXPECT_EQ(y.device(), gpu_);
  EXPECT_EQ(y.to_vector<float>(), (Floats{3, 5, 7}));
  EXPECT_EQ(y.ref().value()->buffer().device().name(), "cuda:0");
  EXPECT_EQ(y.text(), "[3. 5. 7.]");
  EXPECT_EQ(sum(y).item<float>(), 15);
  EXPECT_EQ(y.device(), gpu_);
}

TEST_F(DeviceTest, BytesAreCopiedOnce) {
  const Tensor x = on_gpu({1, 2, 3});
  const auto bytes = x.bytes();
  const std::size_t downloads = gpus_.downloads();
  EXPECT_EQ(x.bytes().data(), bytes.data());
  EXPECT_EQ(gpus_.downloads(), downloads);
  float second;
  std::memcpy(&second, bytes.data() + sizeof second, sizeof second);
  EXPECT_EQ(second, 2);
}

TEST_F(DeviceTest, RandomTensorsFollowTheirKey) {
  const Floats expected = random::normal(random::key(7), {5}).to_vector<float>();
  random::Key key;
  {
    const ScopedDevice scope(gpu_);
    key = random::key(7);
  }
  const Tensor drawn = random::normal(key, {5});
  EXPECT_EQ(drawn.device(), gpu_);
  EXPECT_EQ(drawn.to_vector<float>(), expected);
  EXPECT_EQ(random::fold_in(random::split<2>(key)[1], 3).bits.device(), gpu_);
}

TEST_F(DeviceTest, MovingCopies) {
  const Tensor x = tensor({1.0, 2.0});
  const Tensor there = x.to(gpu_);
  EXPECT_EQ(there.device(), gpu_);
  EXPECT_EQ(there.to("cuda:1").to(kHost).to_vector<float>(), (Floats{1, 2}));
  EXPECT_EQ(x.device(), kHost);
  const std::size_t uploads = gpus_.uploads();
  EXPECT_EQ(there.to("cuda:0").ref().get(), there.ref().get());
  EXPECT_EQ(gpus_.uploads(), uploads);
}

TEST_F(DeviceTest, WhatIsPendingIsComputedBeforeItMoves) {
  const Tensor x = on_gpu({1, 2});
  const Tensor pending = x + 1.0;
  const Tensor home = pending.to(kHost);
  EXPECT_EQ(pending.ref().value()->buffer().device().name(), "cuda:0");
  EXPECT_EQ((home * 2.0).to_vector<float>(), (Floats{4, 6}));
  EXPECT_EQ((home * 2.0).device(), kHost);
}

TEST_F(DeviceTest, MissingDevicesAreNamedWhereTheyAreWanted) {
  const Tensor x = tensor({1.0});
  const std::string error = error_of([&] { x.to("cpu:3"); });
  EXPECT_EQ(error, "frontend/device_test.cpp:<line>: not_found: there is no cpu:3, only cpu:0");
}

// ---- What meets what ----

TEST_F(DeviceTest, TwoDevicesDoNotMeet) {
  const Tensor x = on_gpu({1, 2}), y = tensor({1.0, 2.0});
  EXPECT_EQ(error_of([&] { x + y; }),
            "frontend/device_test.cpp:<line>: error: add: operand 0 is on cuda:0, operand 1 on cpu:0 [tensor.device]\n"
            "  hint: copy one to the other's device first, as in x.to(\"cuda:0\")");
  EXPECT_EQ((x + y.to(x.device())).to_vector<float>(), (Floats{2, 4}));
  const std::string error = error_of([&] { concatenate({x * 2.0, y.to(other_gpu_)}); });
  EXPECT_NE(error.find("concatenate: operand 0 is on cuda:0, operand 1 on cuda:1 [tensor.device]"),
            std::string::npos)
      << error;
}

TEST_F(DeviceTest, NumbersMeetEverything) {
  const Tensor mask = tril(ones({2, 2}));  // free, though its own device is the host
  const Tensor x = on_gpu({1, 2, 3, 4}).reshape({2, 2});
  EXPECT_EQ((x * mask).device(), gpu_);
  EXPECT_EQ((mask * x).to_vector<float>(), (Floats{1, 0, 3, 4}));
  // Whether somebody has looked at it makes no difference.
  EXPECT_EQ(mask.to_vector<float>(), (Floats{1, 0, 1, 1}));
  EXPECT_EQ(mask.device(), kHost);
  EXPECT_EQ((mask + x).to_vector<float>(), (Floats{2, 2, 4, 5}));
  EXPECT_EQ((tensor({{1.0, 1.0}, {1.0, 1.0}}) + mask).to_vector<float>(), (Floats{2, 1, 2, 2}));
}

TEST_F(DeviceTest, FreeTensorsKeepTheirDefault) {
  Tensor z;
  {
    const ScopedDevice scope(gpu_);
    z = zeros({2});
  }
  EXPECT_EQ((1.0 + z * 2.0).device(), gpu_);
  EXPECT_EQ(ones_like(z).device(), gpu_);
  EXPECT_EQ(ones_like(z).to_vector<float>(), (Floats{1, 1}));
  EXPECT_EQ(zeros_like(on_gpu({1})).device(), gpu_);
}

TEST_F(DeviceTest, PlacingIsWhatToDoes) {
  const Tensor z = ones({2}).to(gpu_);
  EXPECT_NE(error_of([&] { z + tensor({1.0, 2.0}); }).find("operand 0 is on cuda:0"), std::string::npos);
}

TEST_F(DeviceTest, EachDeviceEvaluatesItsOwn) {
  const Tensor z = arange(3, DType::f32);
  const Tensor a = on_gpu({1, 2, 3}) + z, b = tensor({4.0, 5.0, 6.0}) + z;
  const frontend::NodeRef both[] = {a.ref(), b.ref()};
  frontend::evaluate(both, {});
  EXPECT_EQ(a.ref().value()->buffer().device().name(), "cuda:0");
  EXPECT_EQ(b.ref().value()->buffer().device().name(), "cpu:0");
  EXPECT_EQ(a.to_vector<float>(), (Floats{1, 3, 5}));
  EXPECT_EQ(b.to_vector<float>(), (Floats{4, 6, 8}));
}

TEST_F(DeviceTest, LongGraphsOfTwoDevicesAreEvaluatedOnTheWay) {
  const std::size_t limit = frontend::node_limit();
  frontend::set_node_limit(8);
  Tensor a = on_gpu({1}), b = tensor({1.0});
  for (int k = 0; k < 40; ++k) {
    a = a + 1.0;
    b = b + 1.0;
  }
  EXPECT_LT(frontend::unevaluated_node_count(), 40u);
  frontend::set_node_limit(limit);
  EXPECT_EQ(a.item<float>(), 41);
  EXPECT_EQ(b.item<float>(), 41);
}

// ---- Transforms ----

TEST_F(DeviceTest, CompiledFunctionsRunWhereTheirArgumentsAre) {
  const auto f = jit([](const Tensor& x) { return x * 2.0 + arange(2, DType::f32); });
  const Tensor x = tensor({1.0, 2.0});
  const Tensor here = f(x), there = f(x.to(gpu_)), far = f(x.to(other_gpu_));
  EXPECT_EQ(f.trace_count(), 3u);
  f(x.to(gpu_));
  EXPECT_EQ(f.trace_count(), 3u);
  EXPECT_EQ(here.device(), kHost);
  EXPECT_EQ(there.device(), gpu_);
  EXPECT_EQ(there.ref().value()->buffer().device().name(), "cuda:0");
  EXPECT_EQ(far.ref().value()->buffer().device().name(), "cuda:1");
  for (const Tensor& y : {here, there, far}) EXPECT_EQ(y.to_vector<float>(), (Floats{2, 5}));
}

TEST_F(DeviceTest, CapturesAreOnTheDeviceOfTheArguments) {
  const Tensor w = tensor({10.0, 20.0}), z = ones({2});
  z.eval();
  const auto f = jit([&](const Tensor& x) { return x + w; });
  EXPECT_EQ(f(tensor({1.0, 2.0})).to_vector<float>(), (Floats{11, 22}));
  const std::string two_devices = error_of([&] { f(on_gpu({1, 2})); }, 2);
  EXPECT_EQ(two_devices,
            "frontend/device_test.cpp:<line>: error: jit: argument 0 is on cuda:0, a captured tensor on cpu:0 "
            "[tensor.device]\n"
            "  hint: copy one to the other's device first, as in x.to(\"cuda:0\")");
  const auto g = jit([&](const Tensor& x) { return x + z; });
  EXPECT_EQ(g(on_gpu({1, 2})).to_vector<float>(), (Floats{2, 3}));
  EXPECT_EQ(g(tensor({1.0, 2.0})).to_vector<float>(), (Floats{2, 3}));
}

TEST_F(DeviceTest, DataMadeInsideIsWhereTheArgumentsAre) {
  const auto f = jit([](const Tensor& x) { return x + tensor({1.0, 2.0}); });
  for (const Device& device : {kHost, gpu_, other_gpu_}) {
    EXPECT_EQ(f(ones({2}).to(device)).to_vector<float>(), (Floats{2, 3}));
  }
  const auto loss = [](const Tensor& x) { return sum(x * tensor({1.0, 2.0})); };
  EXPECT_EQ(grad(loss)(on_gpu({1, 1})).to_vector<float>(), (Floats{1, 2}));
  EXPECT_EQ(default_device(), kHost);
}

TEST_F(DeviceTest, NothingMovesInsideATracedFunction) {
  const auto stay = jit([&](const Tensor& x) { return x.to(x.device()) + 1.0; });
  EXPECT_EQ(stay(on_gpu({1})).item<float>(), 2);
  const auto move = jit([&](const Tensor& x) { return x.to(kHost); });
  const std::string moved = error_of([&] { move(on_gpu({1})); }, 1);
  EXPECT_EQ(moved,
            "frontend/device_test.cpp:<line>: error: to: a tensor of a function being traced is on cuda:0 and cannot "
            "move to cpu:0 [trace.device]\n"
            "  hint: move the function's arguments before the call, or its results after it");
}

TEST_F(DeviceTest, DerivativesAndLoopsStay) {
  const Tensor x = on_gpu({1, 2, 3});
  const auto loss = [](const Tensor& v) { return sum(v * v * v); };
  const auto [value, gradient] = value_and_grad(loss)(x);
  EXPECT_EQ(gradient.device(), gpu_);
  EXPECT_EQ(gradient.to_vector<float>(), (Floats{3, 12, 27}));
  EXPECT_EQ(hessian(loss)(x).device(), gpu_);
  EXPECT_EQ(vmap([](const Tensor& v) { return v * 2.0; })(x).to_vector<float>(), (Floats{2, 4, 6}));
  const auto [total, all] =
      scan([](const Tensor& c, const Tensor& v) { return std::pair(c + v, c * v); }, zeros({}), x);
  EXPECT_EQ(total.device(), gpu_);
  EXPECT_EQ(total.item<float>(), 6);
  EXPECT_EQ(all.to_vector<float>(), (Floats{0, 2, 9}));
}

TEST_F(DeviceTest, DonatedTensorsAreSpentThereToo) {
  const auto f = jit([](const Tensor& x) { return x + 1.0; }, {.donate = {0}});
  const Tensor x = on_gpu({1, 2});
  x.bytes();
  EXPECT_EQ(f(x).to_vector<float>(), (Floats{2, 3}));
  EXPECT_NE(error_of([&] { x.bytes(); }).find("was donated"), std::string::npos);
}

// ---- Training ----

struct Net {
  nn::Linear first, second;
  Tensor operator()(const Tensor& x) const { return second(nn::relu(first(x))); }
};
struct Training {
  Net net;
  optim::State<Net> state;
};

constexpr optim::AdamW kRule{.weight_decay = 0.1};

Training start_on(Device device) {
  const ScopedDevice scope(device);
  const auto [a, b] = random::split<2>(random::key(3));
  const Net net{nn::Linear::create(a, 4, 8), nn::Linear::create(b, 8, 3)};
  return {net, {}};
}

Training train(Training run, int steps) {
  const Device device = run.net.first.weight.device();
  const ScopedDevice scope(device);
  const auto step = jit(
      [](const Net& net, const optim::State<Net>& state, const Tensor& x, const Tensor& y) {
        const auto loss = [&](const Net& inner) { return nn::cross_entropy(inner(x), y); };
        return optim::update(kRule, net, value_and_grad(loss)(net).gradient, state);
      },
      {.donate = {0, 1}});
  const Tensor x = random::normal(random::key(5), {6, 4}), y = tensor({0, 1, 2, 0, 1, 2});
  for (int k = 0; k < steps; ++k) {
    std::tie(run.net, run.state) = step(std::exchange(run.net, {}), std::exchange(run.state, {}), x, y);
  }
  return run;
}

TEST_F(DeviceTest, OptimizerStateIsWhereTheParametersAre) {
  Training run = start_on(gpu_);
  run.state = optim::start(kRule, run.net, 0.01);  // outside of any scope
  for (const Tensor& t : tree::flatten(run.state).tensors) EXPECT_EQ(t.device(), gpu_);
  Training host = start_on(kHost);
  host.state = optim::start(kRule, host.net, 0.01);
  const Tensor weight = train(run, 3).net.first.weight;
  EXPECT_EQ(weight.device(), gpu_);
  EXPECT_EQ(weight.to_vector<float>(), train(host, 3).net.first.weight.to_vector<float>());
}

TEST_F(DeviceTest, CheckpointsMoveBetweenKindsOfDevice) {
  const TempFolder folder;
  const std::string path = folder.path("run.safetensors");
  const auto fresh = [&](Device device) {
    Training run = start_on(device);
    run.state = optim::start(kRule, run.net, 0.01);
    return run;
  };
  const Floats expected = train(fresh(kHost), 4).net.second.weight.to_vector<float>();
  checkpoints::save(path, train(fresh(gpu_), 2));
  for (const Device& device : {kHost, gpu_, other_gpu_}) {
    const Training loaded = checkpoints::load(path, fresh(device));
    for (const Tensor& t : tree::flatten(loaded).tensors) EXPECT_EQ(t.device(), device);
    EXPECT_EQ(train(loaded, 2).net.second.weight.to_vector<float>(), expected);
  }
}

TEST_F(DeviceTest, NothingIsLeftBehind) {
  {
    const Tensor x = on_gpu({1, 2, 3});
    EXPECT_EQ(sum(x * 2.0).item<float>(), 12);
    x.bytes();
  }
  EXPECT_EQ(frontend::instance()->device("cuda")->memory().in_use, 0u);
}

}  // namespace
}  // namespace hyperion
