#include "passes/simplify/rules/rules.hpp"

namespace hyperion::passes {

// Sums absorb negations, products push them outwards, constants meet, powers of two divide by multiplying.
std::string_view scalar_rules() {
  return R"hyr(
rule add.zero : Z, int B               add(%x, 0) => %x
rule add.negative_zero : B             add(%x, -0) => %x
rule sub.zero : B                      sub(%x, 0) => %x
rule sub.negative_zero : Z, int B      sub(%x, -0) => %x
rule sub.self : R, int B               sub(%x, %x) => 0
rule sub.from_zero : Z, int B          sub(0, %x) => neg(%x)              if signed(%x)
rule sub.from_negative_zero : B        sub(-0, %x) => neg(%x)             if floating(%x)
rule neg.neg : B                       neg(neg(%x)) => %x
rule neg.sub : Z, int B                neg(sub(%x, %y)) => sub(%y, %x)
rule add.neg : B                       add(%x, neg(%y)) => sub(%x, %y)
rule sub.neg : B                       sub(%x, neg(%y)) => add(%x, %y)
rule add.constants : R, int B          add(add(%x, %c), %d) => add(%x, add(%c, %d))    if constant(%c), constant(%d), not constant(%x)

rule mul.one : B                       mul(%x, 1) => %x
rule mul.minus_one : B                 mul(%x, -1) => neg(%x)             if signed(%x)
rule mul.zero : R, int B               mul(%x, 0) => 0
rule mul.two : B                       mul(%x, 2) => add(%x, %x)          if floating(%x)
rule mul.neg_neg : B                   mul(neg(%x), neg(%y)) => mul(%x, %y)
rule mul.neg : B                       mul(neg(%x), %y) => neg(mul(%x, %y))
rule mul.abs_abs : B                   mul(abs(%x), abs(%x)) => mul(%x, %x)
rule mul.sqrt_sqrt : R                 mul(sqrt(%x), sqrt(%x)) => %x
rule mul.exp_exp : R                   mul(exp(%x), exp(%y)) => exp(add(%x, %y))
rule mul.constants : R, int B          mul(mul(%x, %c), %d) => mul(%x, mul(%c, %d))    if constant(%c), constant(%d), not constant(%x)
rule add.common_factor : R, int B      add(mul(%x, %y), mul(%x, %z)) => mul(%x, add(%y, %z))

rule div.one : B                       div(%x, 1) => %x
rule div.minus_one : B                 div(%x, -1) => neg(%x)             if signed(%x)
rule div.power_of_two : B              div(%x, %c) => mul(%x, reciprocal(%c))          if exact_reciprocal(%c)
rule div.constant : R                  div(%x, %c) => mul(%x, reciprocal(%c))          if floating(%x)
rule div.neg : B                       div(neg(%x), %y) => neg(div(%x, %y))            if floating(%x)
rule div.neg_neg : B                   div(neg(%x), neg(%y)) => div(%x, %y)            if floating(%x)
rule div.div : R                       div(div(%x, %y), %z) => div(%x, mul(%y, %z))    if floating(%x)

rule fma.zero : Z, int B               fma(%x, %y, 0) => mul(%x, %y)
rule fma.one : B                       fma(%x, 1, %z) => add(%x, %z)
rule fma.contract : R                  add(mul(%x, %y), %z) => fma(%x, %y, %z)         if floating(%x)

rule log.exp : R                       log(exp(%x)) => %x
rule exp.log : R                       exp(log(%x)) => %x
rule rsqrt.reciprocal : R              div(1, sqrt(%x)) => rsqrt(%x)
rule rsqrt.square : R                  mul(rsqrt(%x), rsqrt(%x)) => div(1, %x)

rule abs.abs : B                       abs(abs(%x)) => abs(%x)
rule abs.neg : B                       abs(neg(%x)) => abs(%x)
rule max.self : B                      max(%x, %x) => %x
rule min.self : B                      min(%x, %x) => %x
rule max.lowest : B                    max(%x, -inf) => %x
rule min.highest : B                   min(%x, inf) => %x
rule max.again : B                     max(max(%x, %y), %y) => max(%x, %y)
rule min.again : B                     min(min(%x, %y), %y) => min(%x, %y)
rule max.constants : B                 max(max(%x, %c), %d) => max(%x, max(%c, %d))    if constant(%c), constant(%d), not constant(%x)
rule min.constants : B                 min(min(%x, %c), %d) => min(%x, min(%c, %d))    if constant(%c), constant(%d), not constant(%x)
rule floor.floor : B                   floor(floor(%x)) => floor(%x)
rule ceil.ceil : B                     ceil(ceil(%x)) => ceil(%x)
rule round.round : B                   round(round(%x)) => round(%x)
rule trunc.trunc : B                   trunc(trunc(%x)) => trunc(%x)

rule cast.same : B                     cast(%x) {dtype = d} => %x                      if same_dtype(%x, d)
rule cast.cast : B                     cast(cast(%x) {dtype = u}) {dtype = t} => cast(%x) {dtype = t}    if widens(%x, u)
rule bitcast.same : B                  bitcast(%x) {dtype = d} => %x                   if same_dtype(%x, d)
rule bitcast.bitcast : B               bitcast(bitcast(%x) {dtype = u}) {dtype = t} => bitcast(%x) {dtype = t}
)hyr";
}

}  // namespace hyperion::passes
