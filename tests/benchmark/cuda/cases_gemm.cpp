// Products. Letters say how each operand is stored: N as it is read, row-major, T the other way round.
#include <cmath>

#include "frontend/hyperion.hpp"
#include "tests/benchmark/cuda/cases.hpp"

namespace hyperion::benchmark {
namespace {

struct Number {
  const char* name;
  DType dtype;
  bool fast = false;
};
constexpr Number kBf16{"bf16", DType::bf16}, kF16{"f16", DType::f16}, kTf32{"tf32", DType::f32, true},
    kF32{"f32", DType::f32};

struct Product {
  std::int64_t m, n, k;
};

// What the operands' own rounding and the sum's contribute; tf32 rounds each factor to 11 bits.
double sum_tolerance(const Number& number, double value, double magnitude, double k) {
  const double factors = number.fast ? 0x1p-9 * std::sqrt(k) : 0;
  return rounding(number.dtype) * std::fabs(value) + 4e-6 * magnitude + factors;
}

Case product(const Number& number, const std::string& layout, Product p) {
  const bool lhs_transposed = layout[0] == 'T', rhs_transposed = layout[1] == 'T';
  Case c{.suite = "gemm",
         .name = layout,
         .shape = std::to_string(p.m) + "x" + std::to_string(p.n) + "x" + std::to_string(p.k),
         .dtype = number.name,
         .unit = "TFLOP/s",
         .work = 2.0 * static_cast<double>(p.m * p.n) * static_cast<double>(p.k)};
  c.how.fast = number.fast;
  c.inputs = {{lhs_transposed ? Shape{p.k, p.m} : Shape{p.m, p.k}, number.dtype},
              {rhs_transposed ? Shape{p.n, p.k} : Shape{p.k, p.n}, number.dtype}};
  c.program = [=](const std::vector<Tensor>& t) {
    return std::vector<Tensor>{
        matmul(lhs_transposed ? t[0].transpose() : t[0], rhs_transposed ? t[1].transpose() : t[1])};
  };
  c.reference = [=, at = host_elements(c.inputs)](int, std::int64_t index) {
    const std::int64_t i = index / p.n, j = index % p.n;
    double sum = 0, magnitude = 0;
    for (std::int64_t k = 0; k < p.k; ++k) {
      const double term = at(0, lhs_transposed ? k * p.m + i : i * p.k + k) *
                          at(1, rhs_transposed ? j * p.k + k : k * p.n + j);
      sum += term, magnitude += std::fabs(term);
    }
    return Expected{sum, sum_tolerance(number, sum, magnitude, static_cast<double>(p.k))};
  };
  return c;
}

// gelu(x w^T + b), as a linear layer with its activation.
Case product_with_epilogue(const Number& number, Product p) {
  Case c = product(number, "NT", p);
  c.name = "NT + bias + gelu";
  c.inputs.push_back({{p.n}, number.dtype});
  c.program = [](const std::vector<Tensor>& t) {
    return std::vector<Tensor>{nn::gelu(matmul(t[0], t[1].transpose()) + t[2])};
  };
  c.reference = [plain = c.reference, p, number, at = host_elements(c.inputs)](int output, std::int64_t index) {
    const Expected sum = *plain(output, index);
    const double x = sum.value + at(2, index % p.n);
    return Expected{0.5 * x * (1 + std::erf(x / std::sqrt(2.0))),
                    1.2 * sum.tolerance + 2 * rounding(number.dtype) * (std::fabs(x) + 1)};
  };
  return c;
}

}  // namespace

std::vector<Case> gemm_cases(Scale scale) {
  std::vector<Case> cases;
  const auto add = [&](const Number& number, const std::string& layout, Product p) {
    cases.push_back(product(number, layout, {scale(p.m), scale(p.n), scale(p.k)}));
  };
  // GPT-2 at 16384 tokens: QKV, projection, two layers of the MLP, the head; a weight's gradient.
  const Product gpt2[] = {{16384, 2304, 768}, {16384, 768, 768},   {16384, 3072, 768},
                          {16384, 768, 3072}, {16384, 50304, 768}, {768, 50304, 16384}};
  for (const std::int64_t n : {512, 1024, 2048, 4096, 8192}) {
    for (const char* layout : {"NN", "NT", "TN", "TT"}) add(kBf16, layout, {n, n, n});
  }
  for (const Product& p : gpt2) add(kBf16, "NN", p);
  for (const Product& p : gpt2) add(kBf16, p.k == 16384 ? "TN" : "NT", p);
  for (const Product& p : gpt2) {
    if (p.k != 16384 && p.n != 50304) add(kBf16, "TN", {p.n, p.k, p.m});
  }
  add(kBf16, "NN", {4096, 4096, 512});
  for (const std::int64_t m : {1, 16, 64}) {
    add(kBf16, "NN", {m, 4096, 4096});
    add(kBf16, "NT", {m, 4096, 4096});
  }
  for (const char* layout : {"NN", "NT"}) {
    add(kBf16, layout, {1000, 1000, 1000});
    add(kBf16, layout, {4095, 4097, 4093});
    add(kBf16, layout, {129, 1025, 775});
  }
  const Product with_epilogue[] = {
      {4096, 4096, 4096}, {8192, 8192, 8192}, {16384, 3072, 768}, {16384, 768, 768}, {16384, 768, 3072}};
  for (const Product& p : with_epilogue) {
    cases.push_back(product_with_epilogue(kBf16, {scale(p.m), scale(p.n), scale(p.k)}));
  }
  for (const Number& number : {kF16, kTf32, kF32}) {
    for (const std::int64_t n : {512, 1024, 2048, 4096, 8192}) {
      for (const char* layout : {"NN", "NT", "TN", "TT"}) {
        // One layout tells what the largest does where units are slow.
        if (n < 8192 || layout == std::string("NN")) add(number, layout, {n, n, n});
      }
    }
  }
  return cases;
}

}  // namespace hyperion::benchmark
