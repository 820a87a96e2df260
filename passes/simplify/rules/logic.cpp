#include "passes/simplify/rules/rules.hpp"

namespace hyperion::passes {

// Choices, comparisons and boolean algebra.
std::string_view logic_rules() {
  return R"hyr(
rule select.same : B          select(%p, %x, %x) => %x
rule select.true : B          select(1, %x, %y) => %x
rule select.false : B         select(0, %x, %y) => %y
rule select.not : B           select(not(%p), %x, %y) => select(%p, %y, %x)
rule select.predicate : B     select(%p, 1, 0) => %p                if boolean(%root)
rule select.not_predicate : B select(%p, 0, 1) => not(%p)           if boolean(%root)
rule select.again_true : B    select(%p, select(%p, %x, %y), %z) => select(%p, %x, %z)
rule select.again_false : B   select(%p, %x, select(%p, %y, %z)) => select(%p, %x, %z)

rule compare.not : B          not(compare(%x, %y) {direction = d}) => compare(%x, %y) {direction = negated(d, %x)}
rule compare.self_lt : B      compare(%x, %x) {direction = "lt"} => 0
rule compare.self_gt : B      compare(%x, %x) {direction = "gt"} => 0
rule compare.self_eq : B      compare(%x, %x) {direction = "eq"} => 1    if not floating(%x)
rule compare.self_ne : B      compare(%x, %x) {direction = "ne"} => 0    if not floating(%x)
rule compare.self_le : B      compare(%x, %x) {direction = "le"} => compare(%x, %x) {direction = "eq"}
rule compare.self_ge : B      compare(%x, %x) {direction = "ge"} => compare(%x, %x) {direction = "eq"}

rule not.not : B              not(not(%x)) => %x
rule and.self : B             and(%x, %x) => %x
rule or.self : B              or(%x, %x) => %x
rule xor.self : B             xor(%x, %x) => 0
rule and.zero : B             and(%x, 0) => 0
rule or.zero : B              or(%x, 0) => %x
rule xor.zero : B             xor(%x, 0) => %x
rule and.true : B             and(%p, 1) => %p                      if boolean(%p)
rule or.true : B              or(%p, 1) => 1                        if boolean(%p)
rule xor.true : B             xor(%p, 1) => not(%p)                 if boolean(%p)
rule and.complement : B       and(%x, not(%x)) => 0
rule xor.complement : B       xor(not(%x), not(%y)) => xor(%x, %y)
rule and.absorb : B           and(%x, or(%x, %y)) => %x
rule or.absorb : B            or(%x, and(%x, %y)) => %x
rule and.not_not : B          and(not(%x), not(%y)) => not(or(%x, %y))
rule or.not_not : B           or(not(%x), not(%y)) => not(and(%x, %y))
rule shl.zero : B             shl(%x, 0) => %x
rule shr.zero : B             shr(%x, 0) => %x
)hyr";
}

}  // namespace hyperion::passes
