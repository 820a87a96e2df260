// Every elementary function against long double, within the error its op states; and every elementwise op's record.
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <numbers>
#include <random>

#include "ir/literal.hpp"
#include "ir/logic/scalar_program.hpp"
#include "ir/primitive_semantics.hpp"

namespace hyperion::ir {
namespace {

using Real = long double;
constexpr Real kPi = std::numbers::pi_v<Real>;

// ---- references that the standard library lacks ---------------------------------------------------------------

Real digamma(Real x) {
  if (x < 0.5L) {
    const Real distance = x - std::rint(x);
    return distance == 0 ? NAN : digamma(1 - x) - kPi / std::tan(kPi * distance);
  }
  Real below = 0;
  for (; x < 40; x += 1) below += 1 / x;
  const Real square = 1 / (x * x);
  Real series = 0;
  for (Real term : {-1.L / 12, 691.L / 32760, -1.L / 132, 1.L / 240, -1.L / 252, 1.L / 120, -1.L / 12}) {
    series = (series + term) * square;
  }
  return std::log(x) - 0.5L / x + series - below;
}

Real erf_inv(Real x) {
  const Real magnitude = std::fabs(x);
  if (x == 0) return x;
  if (!(magnitude < 1)) return magnitude == 1 ? x * INFINITY : NAN;
  const Real w = -std::log((1 - magnitude) * (1 + magnitude));
  Real y = w < 5 ? magnitude * (0.886L + 0.23L * w) : std::sqrt(w) - 0.3L;
  for (int step = 0; step < 60; ++step) {  // Halley's iteration, on whichever of erf and erfc is the smaller
    const Real error = magnitude < 0.5L ? std::erf(y) - magnitude : (1 - magnitude) - std::erfc(y);
    const Real newton = error / (2 / std::sqrt(kPi) * std::exp(-y * y));
    const Real change = newton / (1 + y * newton);
    y -= change;
    if (std::fabs(change) < 1e-19L * y) break;
  }
  return std::copysign(y, x);
}

// ---- what is tested -------------------------------------------------------------------------------------------

struct Subject {
  std::string_view op;
  Real (*exact)(Real);
  double low, high;   // where most of the samples lie
  double floor = 0;   // the error is relative to max(|result|, floor)
};

#define HYP_UNARY(name) #name, [](Real x) -> Real { return std::name(x); }
const Subject kSubjects[] = {
    {HYP_UNARY(exp), -750, 712},   {HYP_UNARY(expm1), -60, 712},  {HYP_UNARY(log), 0, 10},
    {HYP_UNARY(log1p), -1, 10},    {HYP_UNARY(sin), -100, 100},   {HYP_UNARY(cos), -100, 100},
    {HYP_UNARY(tan), -100, 100},   {HYP_UNARY(asin), -1, 1},      {HYP_UNARY(acos), -1, 1},
    {HYP_UNARY(atan), -10, 10},    {HYP_UNARY(sinh), -712, 712},  {HYP_UNARY(cosh), -712, 712},
    {HYP_UNARY(tanh), -20, 20},    {HYP_UNARY(asinh), -10, 10},   {HYP_UNARY(acosh), 1, 10},
    {HYP_UNARY(atanh), -1, 1},     {HYP_UNARY(erf), -6, 6},       {"erf_inv", erf_inv, -1, 1},
    {HYP_UNARY(lgamma), -10, 30, 16}, {"digamma", digamma, -10, 30, 32}, {HYP_UNARY(sqrt), 0, 100},
    {"rsqrt", [](Real x) -> Real { return 1 / std::sqrt(x); }, 0, 100},
};
#undef HYP_UNARY

template <class T>
constexpr std::array<double, 36> kSpecial = {
    0.0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 4, 10, -10, 0.25, 88.72283, 88.72284, -87.33655, -103.97, 709.78271289338,
    709.7827128934, -745.13321910194, 710.475860073, 1e22, -1e22, INFINITY, -INFINITY, NAN, 0x1.921fb6p0,
    0x1.921fb54442d18p0, 0x1.921fb54442d18p1, 0x1.6ac5b262ca1ffp849, std::numeric_limits<T>::min(),
    std::numeric_limits<T>::denorm_min(), -std::numeric_limits<T>::denorm_min(), std::numeric_limits<T>::max(),
    -std::numeric_limits<T>::max()};

template <class T>
using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;

// Every special value, then in turn: any bits, the interesting interval, all magnitudes near one.
template <class T>
T sample(std::mt19937_64& random, std::size_t k, double low, double high) {
  if (k < kSpecial<T>.size()) return static_cast<T>(kSpecial<T>[k]);
  const double unit = static_cast<double>(random() >> 11) * 0x1p-53;
  switch (k % 3) {
    case 0: return std::bit_cast<T>(static_cast<Bits<T>>(random()));
    case 1: return static_cast<T>(low + (high - low) * unit);
    default: return static_cast<T>(std::ldexp((random() & 1) != 0 ? 1 + unit : -1 - unit,
                                              static_cast<int>(random() % 40) - 30));
  }
}

// |got - exact| in units in the last place of the format; 0 for equal infinities and for NaN twice.
template <class T>
double error_in_ulps(T got, Real exact, double floor) {
  if (std::isnan(exact) || std::isnan(got)) return std::isnan(exact) && std::isnan(got) ? 0 : INFINITY;
  const T rounded = static_cast<T>(exact);
  if (std::isinf(rounded) || std::isinf(got)) {
    if (rounded == got) return 0;
    // Next to the overflow bound, one step more or less is one unit.
    const T largest = std::numeric_limits<T>::max();
    return std::fabs(rounded) >= largest && std::fabs(got) >= largest ? 1 : INFINITY;
  }
  if (got == 0 && exact == 0) return std::signbit(got) == std::signbit(exact) ? 0 : INFINITY;
  int exponent = 0;
  std::frexp(std::max(std::fabs(exact), static_cast<Real>(floor)), &exponent);
  const int unit = std::max(exponent - std::numeric_limits<T>::digits,
                            std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits);
  return static_cast<double>(std::fabs(static_cast<Real>(got) - exact) / std::ldexp(Real{1}, unit));
}

template <class T>
class Function {
 public:
  explicit Function(std::string_view name) : definition_(op(name)) {
    const std::vector<DType> arguments(definition_.operands.size(), dtype_of<T>());
    program_ = &scalar_program(definition_, arguments, dtype_of<T>());
    registers_.resize(register_count(*program_));
  }
  T operator()(T x, T y = 0) {
    registers_[0] = std::bit_cast<Bits<T>>(x);
    if (program_->arguments.size() > 1) registers_[1] = std::bit_cast<Bits<T>>(y);
    return std::bit_cast<T>(static_cast<Bits<T>>(evaluate_program(*program_, registers_)));
  }
  double stated() const {
    const double ulp = sizeof(T) == 8 ? definition_.ulp_f64 : definition_.ulp_f32;
    return ulp == 0 ? 0.5 : ulp;  // 0: correctly rounded
  }

 private:
  const OpDefinition& definition_;
  const ScalarProgram* program_;
  std::vector<std::uint64_t> registers_;
};

class ElementaryFunction : public testing::TestWithParam<Subject> {};

template <class T>
void expect_within_stated_error(const Subject& subject, std::size_t samples) {
  Function<T> function(subject.op);
  std::mt19937_64 random(17);
  double worst = -1;
  T worst_at = 0;
  for (std::size_t k = 0; k < samples; ++k) {
    const T x = sample<T>(random, k, subject.low, subject.high);
    const double error = error_in_ulps(function(x), subject.exact(x), subject.floor);
    if (error > worst) worst = error, worst_at = x;
  }
  EXPECT_LE(worst, function.stated()) << subject.op << " at " << worst_at << ": got " << function(worst_at) << ", exact "
                                      << subject.exact(worst_at);
}

TEST_P(ElementaryFunction, F32IsWithinItsStatedError) { expect_within_stated_error<float>(GetParam(), 15000); }
TEST_P(ElementaryFunction, F64IsWithinItsStatedError) { expect_within_stated_error<double>(GetParam(), 15000); }

// Small floats are computed in f32 and rounded once, so they are all but correctly rounded.
TEST_P(ElementaryFunction, SmallFloatsAreRoundedOnce) {
  const Subject& subject = GetParam();
  for (DType dtype : {DType::f16, DType::bf16}) {
    const ScalarProgram& program = scalar_program(op(subject.op), std::array{dtype}, dtype);
    std::vector<std::uint64_t> registers(register_count(program));
    Function<float> wide(subject.op);
    for (std::uint32_t bits = 0; bits < 0x10000; bits += 37) {
      registers[0] = bits;
      const std::uint64_t got = evaluate_program(program, registers);
      const auto x = static_cast<float>(element_to_double(dtype, reinterpret_cast<const std::byte*>(&bits)));
      std::uint64_t expected = 0;
      element_from_double(dtype, wide(x), reinterpret_cast<std::byte*>(&expected));
      const double a = element_to_double(dtype, reinterpret_cast<const std::byte*>(&got));
      const double b = element_to_double(dtype, reinterpret_cast<const std::byte*>(&expected));
      ASSERT_TRUE(got == expected || (std::isnan(a) && std::isnan(b))) << subject.op << " at " << x;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Scalar, ElementaryFunction, testing::ValuesIn(kSubjects),
                         [](const auto& info) { return std::string(info.param.op); });

// ---- functions of two arguments -------------------------------------------------------------------------------

template <class T>
void expect_power_within_stated_error() {
  Function<T> power("pow"), angle("atan2");
  std::mt19937_64 random(3);
  constexpr double kLargest = sizeof(T) == 8 ? 700 : 85;
  for (int k = 0; k < 20000; ++k) {
    T x = sample<T>(random, 100 + static_cast<std::size_t>(k), 0, 3), y = sample<T>(random, 101 + k, -20, 20);
    if (k % 4 == 0) {  // results over the whole range, from any base
      const double unit = static_cast<double>(random() >> 11) * 0x1p-52 - 1;
      x = std::fabs(x);
      y = static_cast<T>(kLargest * unit / std::log(static_cast<double>(x)));
    }
    ASSERT_LE(error_in_ulps(power(x, y), std::pow(static_cast<Real>(x), static_cast<Real>(y)), 0), power.stated())
        << x << " to the power " << y;
    ASSERT_LE(error_in_ulps(angle(y, x), std::atan2(static_cast<Real>(y), static_cast<Real>(x)), 0), angle.stated())
        << "atan2 " << y << ", " << x;
  }
}

TEST(ElementaryFunction2, PowAndAtan2F32) { expect_power_within_stated_error<float>(); }
TEST(ElementaryFunction2, PowAndAtan2F64) { expect_power_within_stated_error<double>(); }

TEST(ElementaryFunction2, SpecialCasesAreThoseOfC) {
  Function<double> power("pow"), angle("atan2"), next("nextafter");
  Function<float> power32("pow"), next32("nextafter");
  const double values[] = {0.0,  -0.0, 1,   -1,       2,         -2,  3,     -3,     0.5,    -0.5,
                           2.5,  -2.5, INFINITY, -INFINITY, NAN, 1e308, -1e308, 5e-324, -5e-324, 9007199254740993.0};
  const auto same = [](auto got, auto want) {
    return std::isnan(want) ? std::isnan(got)
                            : got == want ? std::signbit(got) == std::signbit(want)
                                          : std::fabs(got - want) <= 2 * std::numeric_limits<decltype(want)>::epsilon() *
                                                                         std::fabs(want);
  };
  for (double x : values) {
    for (double y : values) {
      EXPECT_TRUE(same(power(x, y), std::pow(x, y))) << x << " to the power " << y << ": " << power(x, y);
      EXPECT_TRUE(same(angle(x, y), std::atan2(x, y))) << "atan2 " << x << ", " << y << ": " << angle(x, y);
      EXPECT_TRUE(same(next(x, y), std::nextafter(x, y))) << "nextafter " << x << ", " << y << ": " << next(x, y);
      const auto a = static_cast<float>(x), b = static_cast<float>(y);
      EXPECT_TRUE(same(power32(a, b), std::pow(a, b))) << a << " to the power " << b << ": " << power32(a, b);
      EXPECT_TRUE(same(next32(a, b), std::nextafter(a, b))) << "nextafter " << a << ", " << b;
    }
  }
}

TEST(ElementaryFunction2, NextafterStepsInItsOwnFormat) {
  const auto next = [](DType dtype, std::uint64_t x, std::uint64_t y) {
    const ScalarProgram& program = scalar_program(op("nextafter"), std::array{dtype, dtype}, dtype);
    std::vector<std::uint64_t> registers(register_count(program));
    registers[0] = x;
    registers[1] = y;
    return evaluate_program(program, registers);
  };
  EXPECT_EQ(next(DType::f16, 0x3c00, 0x7c00), 0x3c01u);
  EXPECT_EQ(next(DType::f16, 0x3c00, 0x0000), 0x3bffu);
  EXPECT_EQ(next(DType::f16, 0x0000, 0xfc00), 0x8001u);
  EXPECT_EQ(next(DType::f16, 0xbc00, 0xfc00), 0xbc01u);
  EXPECT_EQ(next(DType::bf16, 0x7f7f, 0x7f80), 0x7f80u);
  EXPECT_EQ(next(DType::f8e5m2, 0x01, 0x80), 0x00u);
}

TEST(ElementaryFunction2, SignAndIsFinite) {
  Function<double> sign("sign");
  EXPECT_EQ(sign(3.5), 1);
  EXPECT_EQ(sign(-INFINITY), -1);
  EXPECT_TRUE(std::signbit(sign(-0.0)) && sign(-0.0) == 0);
  EXPECT_TRUE(std::isnan(sign(NAN)));
  const std::uint64_t minus_five = 0xfb;
  const ScalarProgram& program = scalar_program(op("sign"), std::array{DType::i8}, DType::i8);
  std::vector<std::uint64_t> registers(register_count(program));
  registers[0] = minus_five;
  EXPECT_EQ(evaluate_program(program, registers), 0xffu);
  const ScalarProgram& finite = scalar_program(op("is_finite"), std::array{DType::f32}, DType::bool_);
  registers.resize(register_count(finite));
  for (const auto& [x, expected] : {std::pair(1e38f, 1u), std::pair(-INFINITY, 0u), std::pair(NAN, 0u)}) {
    registers[0] = std::bit_cast<std::uint32_t>(x);
    EXPECT_EQ(evaluate_program(finite, registers), expected);
  }
}

// ---- the records ----------------------------------------------------------------------------------------------

TEST(ElementwiseOps, AreComplete) {
  for (const OpDefinition* op : all_ops()) {
    if (!op->is_elementwise) continue;
    EXPECT_NE(op->primitive != Primitive::none, op->expand != nullptr) << op->name << ": primitive or expansion";
    EXPECT_FALSE(op->doc.empty()) << op->name;
    EXPECT_FALSE(op->example.empty()) << op->name;
    // An op that takes every element type has nothing to demand.
    EXPECT_TRUE(op->expands_any_dtype || !op->constraints.empty()) << op->name;
    EXPECT_TRUE(op->infer) << op->name;
    for (const OperandSpec& operand : op->operands) EXPECT_FALSE(operand.doc.empty()) << op->name << " " << operand.name;
    for (const AttributeSpec& attribute : op->attributes) {
      EXPECT_FALSE(attribute.doc.empty()) << op->name << " " << attribute.name;
    }
    EXPECT_TRUE(op->linearity == Linearity::none || op->transpose) << op->name << ": a linear op has a transpose";
    if (op->expand != nullptr && op->ulp_f32 == 0) {
      EXPECT_FALSE(op->is_expensive) << op->name << ": an approximation states its error";
    }
  }
}

}  // namespace
}  // namespace hyperion::ir
