// Products and convolutions of operands that a map computes: the map in the contraction's kernel, beside the map as a
// kernel of its own.
//
//   hyperion_prologue_benchmark [--only SUBSTRING] [THREADS]...
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "codegen/driver/compile.hpp"
#include "codegen/llvm/code_loader.hpp"
#include "ir/support/format.hpp"
#include "ir/text/parse.hpp"
#include "runtime/executor.hpp"
#include "runtime/instance.hpp"
#include "tests/benchmark/peers/bench.hpp"

namespace hyperion::benchmark {
namespace {

struct Case {
  std::string name, shape, text;
  double flops = 0;
};

// `lhs` and `rhs`: an op of one operand, "cast" from bf16, or "plain".
Case product(const std::string& lhs, const std::string& rhs, int m, int n, int k) {
  std::string parameters, body;
  const auto factor = [&](const std::string& kind, const std::string& name, const std::string& sizes) {
    const bool plain = kind == "plain", cast = kind == "cast";
    parameters += format("{}%{}{}: {}[{}]", parameters.empty() ? "" : ", ", name, plain ? "" : "_in",
                         cast ? "bf16" : "f32", sizes);
    if (!plain) body += format("    %{0} = {1} %{0}_in{2}\n", name, kind, cast ? " {dtype = f32}" : "");
  };
  factor(lhs, "x", format("{}, {}", m, k));
  factor(rhs, "w", format("{}, {}", k, n));
  return {.name = format("dot {} {}", lhs, rhs),
          .shape = format("{}x{}x{}", m, n, k),
          .text = format("hyperion 1\nmodule @m {{\n  func @f({}) -> f32[{}, {}] {{\n{}    %y = dot %x, %w "
                         "{{lhs_contract = [1], rhs_contract = [0]}}\n    return %y\n  }}\n}}\n",
                         parameters, m, n, body),
          .flops = 2.0 * m * n * k};
}

Case convolution(int batch, int size, int in, int out, int kernel) {
  return {.name = "conv relu plain",
          .shape = format("{}x{}x{}x{}, {}x{}x{}", batch, size, size, in, kernel, kernel, out),
          .text = format("hyperion 1\nmodule @m {{\n  func @f(%x: f32[{0}, {1}, {1}, {2}], %w: f32[{4}, {4}, {2}, {3}]) "
                         "-> f32[{0}, {1}, {1}, {3}] {{\n    %z = relu %x\n    %y = conv %z, %w {{dilations = [1, 1], "
                         "layout = \"channels_last\", strides = [1, 1], padding_low = [{5}, {5}], padding_high = [{5}, "
                         "{5}]}}\n    return %y\n  }}\n}}\n",
                         batch, size, in, out, kernel, kernel / 2),
          .flops = 2.0 * batch * size * size * in * out * kernel * kernel};
}

template <class T>
T value_of(StatusOr<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s\n", result.error().text().c_str());
  std::exit(1);
}

// The compiled function with operands and results of its own.
class Runnable {
 public:
  Runnable(const Case& one, bool prologues, int threads) {
    Diagnostics diagnostics;
    auto module = ir::parse(one.text, "benchmark.hir", diagnostics);
    if (!module) {
      std::fprintf(stderr, "%s%s", one.text.c_str(), diagnostics.render().c_str());
      std::exit(1);
    }
    const std::vector<Type> types = (*module)->find("f")->parameter_types();
    codegen::DriverOptions options{.threads = threads};
    options.fusion.prologues = prologues;
    auto compiled = value_of(codegen::compile(**module, "f", options));
    const auto instance = runtime::Instance::create({.threads = threads});
    instance->set_code_loader(codegen::llvm_code_loader());
    const runtime::Device device = instance->devices()[0];
    const auto cluster = value_of(runtime::DeviceCluster::create(instance, std::span(&device, 1)));
    executor_ = value_of(
        runtime::Executor::create(cluster, {std::make_shared<const runtime::Module>(std::move(compiled))}));
    std::mt19937 random(1);
    for (const Type& type : types) {
      std::vector<std::byte> bytes(type.bytes());
      const std::size_t size = byte_size(type.dtype());
      for (std::size_t at = 0; at < bytes.size(); at += size) {
        element_from_double(type.dtype(), static_cast<double>(random() % 2001) * 1e-3 - 1, &bytes[at]);
      }
      inputs_.push_back(value_of(runtime::BufferView::from_host(device, type.dtype(), type.sizes(), bytes)));
    }
  }

  void run() {
    if (!executor_->execute_now(*executor_->find("f"), inputs_, outputs_)) std::exit(1);
  }

 private:
  std::shared_ptr<runtime::Executor> executor_;
  std::vector<runtime::BufferView> inputs_, outputs_;
};

void measure(Report& report, const Case& one, int threads) {
  Runnable joined(one, true, threads), apart(one, false, threads);
  const std::vector<double> seconds = race({timed("joined", [&] { joined.run(); }, threads),
                                            timed("apart", [&] { apart.run(); }, threads)});
  report.add({.suite = "prologue",
              .name = one.name,
              .shape = one.shape,
              .threads = threads,
              .median = one.flops / seconds[0] * 1e-9,
              .unit = "GFLOP/s",
              .peer = "kernel of its own",
              .peer_median = one.flops / seconds[1] * 1e-9});
}

}  // namespace
}  // namespace hyperion::benchmark

int main(int argc, char** argv) {
  using namespace hyperion::benchmark;
  std::vector<Case> cases;
  const int shapes[][3] = {{1, 1024, 1024}, {8, 1024, 1024}, {64, 1024, 1024}, {256, 256, 256},
                           {1024, 16, 1024}, {1024, 1024, 64}, {1024, 128, 1024}, {1024, 256, 1024},
                           {1024, 512, 1024}, {1024, 1024, 1024}};
  const char* kinds[][2] = {{"relu", "plain"}, {"plain", "relu"}, {"cast", "cast"}, {"exp", "plain"}, {"plain", "exp"}};
  for (const auto& kind : kinds) {
    for (const auto& shape : shapes) cases.push_back(product(kind[0], kind[1], shape[0], shape[1], shape[2]));
  }
  cases.push_back(convolution(8, 56, 64, 64, 3));
  cases.push_back(convolution(8, 56, 64, 64, 1));
  cases.push_back(convolution(8, 14, 256, 256, 3));
  cases.push_back(convolution(32, 28, 16, 32, 3));
  std::vector<int> threads;
  std::string only;
  for (int k = 1; k < argc; ++k) {
    if (std::string(argv[k]) == "--only" && k + 1 < argc) only = argv[++k];
    else threads.push_back(std::max(std::atoi(argv[k]), 1));
  }
  if (threads.empty()) threads = {1, 2};
  Report report;
  for (int count : threads) {
    for (const Case& one : cases) {
      if ((one.name + " " + one.shape).contains(only)) measure(report, one, count);
    }
  }
  return 0;
}
