// erf_inv.cpp: inverse of the error function.
//
// erf_inv(x) = x P(w) with w = -log(1 - x^2): P is a polynomial in w near 0 and in sqrt(w) towards the ends, where the
// function grows like sqrt(w).
#include <limits>

#include "ir/logic/scalar.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

// f32: in w up to 5, then in sqrt(w) - 3.125.
constexpr double kNear32[] = {
    -0x1.2e0d3cp-27, 0x1.daa6fp-23, -0x1.0945a2p-19, 0x1.0b4cf4p-18, 0x1.75d7f8p-15, -0x1.0b598ep-13,
    -0x1.31f5f6p-9, 0x1.7a6d2p-7, 0x1.db2a1p-3, 0x1.c5bf88p-1};
constexpr double kFar32[] = {
    0x1.089752p-13, -0x1.718952p-13, -0x1.4e1b8p-12, 0x1.587858p-10, -0x1.4ab63cp-9, 0x1.ef7bcp-9, -0x1.5b62a4p-8,
    0x1.cdfa7cp-8, 0x1.00f3b6p0, 0x1.7aaa3cp1};
// f64: in w - 3.125 up to 6.25, in sqrt(w) - 3.25 up to 16, then in sqrt(w) - 5.05.
constexpr double kNear64[] = {
    -0x1.7b82c383152d6p-63, 0x1.449f4fd7affd8p-60, 0x1.8d4f3ab1142b4p-57, -0x1.2a04681f8a17bp-53,
    0x1.0e13e4f7d0579p-55, 0x1.dab028acba4ep-48, -0x1.6e1872fe9296bp-45, -0x1.6d6dcac29d67fp-44,
    0x1.72bc31ef26314p-39, -0x1.c895ee45cdbe1p-37, -0x1.dc5fb191d489ep-35, 0x1.20f4dfd12500ap-30,
    -0x1.1a9e0e396246ep-28, -0x1.f36ce24bc1dcap-26, 0x1.c6b4f4acb588bp-22, -0x1.6e8a54046f889p-20,
    -0x1.d1d1f7aff315bp-17, 0x1.879c2a20fd013p-13, -0x1.845769485e382p-11, -0x1.8b6c33114f449p-8,
    0x1.ebd80d9b13e45p-3, 0x1.a755e7c99ae86p0};
constexpr double kMiddle64[] = {
    0x1.bb155053d6abp-29, 0x1.864f52160a55fp-24, -0x1.2a375d7254119p-22, 0x1.345fc02459ee8p-26,
    0x1.941d761a526b2p-20, -0x1.0d58bf3671137p-18, 0x1.882bdec5a71ccp-19, 0x1.a298bbadc32c7p-17,
    -0x1.8cee069844ae7p-15, 0x1.1e6859bdd23a7p-14, 0x1.932c67e84de4p-16, -0x1.7448a929c75cbp-12,
    0x1.f3cc560ce38cdp-11, -0x1.ba92412fcff5bp-10, 0x1.468eeca3e5289p-9, -0x1.ebadabb8a2015p-9, 0x1.5ffcfe5b7a341p-8,
    0x1.0158a6d641d3bp0, 0x1.8abcc380d5a47p1};
constexpr double kFar64[] = {
    -0x1.225851be374b9p-36, 0x1.fb5923d9d10ccp-36, 0x1.6be2a72ea7f36p-34, -0x1.a8f972f093a19p-32,
    0x1.1d28f2c64d80ap-30, -0x1.69b3989fb5ce5p-29, 0x1.8fd08e66db7acp-28, -0x1.81105c6bd8629p-27,
    0x1.76c2a844a2384p-26, -0x1.d7dd7fd788c41p-25, 0x1.b0fae8b63ecf9p-23, -0x1.e6fcefef13421p-21,
    0x1.1971d90524f03p-18, -0x1.34460829cb367p-16, 0x1.2acdb4cfff355p-14, -0x1.a415b090d7396p-13,
    -0x1.6437de5581094p-13, 0x1.02a209f638a19p0, 0x1.39a07f9e2524cp2};

Scalar expand_erf_inv(const ExpandContext& c) {
  const Scalar x = c[0], magnitude = abs(x), one = c.constant(1.0);
  const Scalar w = -call("log", fma(-x, x, one));
  const Scalar root = sqrt(w);
  Scalar p = x;
  if (c.is_f32()) {
    p = select(w < c.constant(5.0), polynomial(w, kNear32), polynomial(root - 3.125, kFar32));
  } else {
    const Scalar outer =
        select(w < c.constant(16.0), polynomial(root - 3.25, kMiddle64), polynomial(root - 5.05, kFar64));
    p = select(w < c.constant(6.25), polynomial(w - 3.125, kNear64), outer);
  }
  const Scalar infinity = c.constant(std::numeric_limits<double>::infinity());
  return x * select(magnitude == one, infinity, p);
}

}  // namespace

OpDefinition op_erf_inv() {
  OpDefinition op = unary_op("erf_inv", "Inverse of erf; infinite at -1 and 1, NaN beyond.", floating_dtype,
                             "a floating-point type");
  op.expand = expand_erf_inv;
  op.ulp_f32 = 2.5;
  op.ulp_f64 = 5;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) {
    const Value y = c.result();
    return only(c.tangent() * (unary("exp", y * y) * 0.88622692545275801365));  // sqrt(pi)/2
  };
  op.example = "erf_inv %x";
  return op;
}

}  // namespace hyperion::ir::ops
