#include "passes/autodiff/gradcheck.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "ir/interpreter.hpp"
#include "ir/support/format.hpp"
#include "passes/autodiff/jvp.hpp"
#include "passes/autodiff/vjp.hpp"

namespace hyperion::passes {
namespace {

using Literals = std::vector<LiteralPtr>;
using Numbers = std::vector<double>;

bool is_f64(const LiteralPtr& literal) { return literal->type().dtype() == DType::f64; }

Numbers numbers_of(const LiteralPtr& literal) {
  const std::vector<std::byte> bytes = literal->dense_bytes();
  Numbers numbers(bytes.size() / sizeof(double));
  if (!bytes.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

LiteralPtr literal_of(Type type, const Numbers& numbers) {
  return Literal::make(type, std::as_bytes(std::span(numbers)));
}

double inner_product(const LiteralPtr& a, const LiteralPtr& b) {
  const Numbers x = numbers_of(a), y = numbers_of(b);
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

double relative_error(double a, double b, double scale) {
  const double error = std::abs(a - b) / std::max(1.0, scale);
  return std::isnan(error) ? INFINITY : error;
}

class Checker {
 public:
  Checker(const ir::Module& module, const GradcheckOptions& options, GradcheckReport& report)
      : module_(module.clone()), options_(options), report_(report), random_(options.seed) {}

  StatusOr<void> check(const ir::Function& original, const Literals& x, int order) {
    const ir::Function& f = *module_->find(original.name);
    std::vector<bool> active;
    for (const LiteralPtr& argument : x) active.push_back(is_f64(argument));
    const ir::Function& forward = jvp(*module_, f, active, module_->unique_name(f.name + "_forward"));
    const auto derived = try_vjp(*module_, f, active, module_->unique_name(f.name + "_reverse"));
    if (!derived) {
      return error_status(Code::unimplemented, format("no reverse mode: {}", derived.error().text()), {},
                          "a loop whose length is known is a scan");
    }
    const ir::Function& reverse = **derived;
    for (int k = 0; k < options_.directions; ++k) HYP_TRY_VOID(check_direction(f, forward, reverse, x));
    if (order <= 1 || !report_.passed) return {};
    Literals point = x;
    HYP_TRY(const Literals y, run(f, x));
    for (const LiteralPtr& result : y) {
      if (is_f64(result)) point.push_back(random_like(result));
    }
    return check(reverse, point, order - 1);
  }

 private:
  StatusOr<Literals> run(const ir::Function& f, const Literals& arguments) {
    return ir::interpret(*module_, f, arguments);
  }

  StatusOr<void> check_direction(const ir::Function& f, const ir::Function& forward, const ir::Function& reverse,
                                 const Literals& x) {
    Literals direction;
    for (const LiteralPtr& argument : x) {
      if (is_f64(argument)) direction.push_back(random_like(argument));
    }
    Literals dual = x;
    dual.insert(dual.end(), direction.begin(), direction.end());
    HYP_TRY(const Literals both, run(forward, dual));
    HYP_TRY_VOID(compare_with_differences(f, x, direction, both));
    return compare_with_reverse(f, reverse, x, direction, both);
  }

  StatusOr<void> compare_with_differences(const ir::Function& f, const Literals& x, const Literals& direction,
                                          const Literals& both) {
    // Two central differences of steps h and h/2 cancel each other's leading error.
    const double h = options_.step;
    HYP_TRY(const std::vector<Numbers> coarse, difference(f, x, direction, h));
    HYP_TRY(const std::vector<Numbers> fine, difference(f, x, direction, h / 2));
    const std::size_t first_tangent = f.results().size();
    for (std::size_t r = 0; r < coarse.size(); ++r) {
      const Numbers tangent = numbers_of(both[first_tangent + r]);
      double scale = 0;
      for (double value : tangent) scale = std::max(scale, std::abs(value));
      for (std::size_t i = 0; i < tangent.size(); ++i) {
        const double expected = (4 * fine[r][i] - coarse[r][i]) / 3;
        const double error = relative_error(tangent[i], expected, scale);
        report_.forward_error = std::max(report_.forward_error, error);
        if (error > options_.forward_tolerance) {
          fail(format("@{}: tangent {} element {}: jvp gives {}, differences give {}", f.name, r, i, tangent[i],
                      expected));
        }
      }
    }
    return {};
  }

  // For each f64 result: (f(x + h d) - f(x - h d)) / 2h.
  StatusOr<std::vector<Numbers>> difference(const ir::Function& f, const Literals& x, const Literals& direction,
                                            double h) {
    HYP_TRY(const Literals above, run(f, moved(x, direction, h)));
    HYP_TRY(const Literals below, run(f, moved(x, direction, -h)));
    std::vector<Numbers> slopes;
    for (std::size_t r = 0; r < above.size(); ++r) {
      if (!is_f64(above[r])) continue;
      Numbers slope = numbers_of(above[r]);
      const Numbers low = numbers_of(below[r]);
      for (std::size_t i = 0; i < slope.size(); ++i) slope[i] = (slope[i] - low[i]) / (2 * h);
      slopes.push_back(std::move(slope));
    }
    return slopes;
  }

  StatusOr<void> compare_with_reverse(const ir::Function& f, const ir::Function& reverse, const Literals& x,
                                      const Literals& direction, const Literals& both) {
    const std::size_t results = f.results().size();
    Literals arguments = x;
    double forward_product = 0, scale = 0;
    for (std::size_t r = results; r < both.size(); ++r) {
      arguments.push_back(random_like(both[r]));
      forward_product += inner_product(arguments.back(), both[r]);
      scale += std::sqrt(inner_product(both[r], both[r]));
    }
    HYP_TRY(const Literals back, run(reverse, arguments));
    double reverse_product = 0;
    for (std::size_t k = 0; k < direction.size(); ++k) {
      reverse_product += inner_product(back[results + k], direction[k]);
    }
    const double error = relative_error(forward_product, reverse_product, scale);
    report_.reverse_error = std::max(report_.reverse_error, error);
    if (error > options_.reverse_tolerance) {
      fail(format("@{}: <y, jvp d> = {}, <vjp y, d> = {}", f.name, forward_product, reverse_product));
    }
    return {};
  }

  Literals moved(const Literals& x, const Literals& direction, double h) {
    Literals out;
    std::size_t next = 0;
    for (const LiteralPtr& argument : x) {
      if (!is_f64(argument)) {
        out.push_back(argument);
        continue;
      }
      Numbers numbers = numbers_of(argument);
      const Numbers d = numbers_of(direction[next++]);
      for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] += h * d[i];
      out.push_back(literal_of(argument->type(), numbers));
    }
    return out;
  }

  LiteralPtr random_like(const LiteralPtr& like) {
    Numbers numbers(static_cast<std::size_t>(like->type().element_count()));
    std::uniform_real_distribution<double> distribution(-1, 1);
    for (double& number : numbers) number = distribution(random_);
    return literal_of(like->type(), numbers);
  }

  void fail(std::string message) {
    if (report_.passed) report_.message = std::move(message);
    report_.passed = false;
  }

  std::unique_ptr<ir::Module> module_;
  const GradcheckOptions& options_;
  GradcheckReport& report_;
  std::mt19937_64 random_;
};

}  // namespace

StatusOr<GradcheckReport> gradcheck(const ir::Module& module, const ir::Function& f,
                                    std::span<const LiteralPtr> arguments, const GradcheckOptions& options) {
  for (const LiteralPtr& argument : arguments) {
    const DType dtype = argument->type().dtype();
    if (is_floating(dtype) && dtype != DType::f64) {
      return error_status(Code::invalid_argument, format("gradcheck works in f64, an argument is {}", dtype_name(dtype)),
                          "@" + f.name, "write the function for f64");
    }
  }
  GradcheckReport report;
  Checker checker(module, options, report);
  HYP_TRY_VOID(checker.check(f, {arguments.begin(), arguments.end()}, options.order));
  return report;
}

}  // namespace hyperion::passes
