// index_facts.hpp: what is known about the integers of a kernel before it runs: ranges, divisors, and how vectors of them lie.
//
// Addresses are i64 in the IR. A GPU computes with 32 bits three times as fast, and moves 16 bytes at once only from
// where 16 bytes begin; both want to be proven, and this is the proof.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <set>

#include "ir/module.hpp"

namespace hyperion::codegen {

struct IndexFact {
  std::int64_t low = std::numeric_limits<std::int64_t>::min();
  std::int64_t high = std::numeric_limits<std::int64_t>::max();  // inclusive
  std::int64_t divisor = 1;  // of a scalar, and of what a vector adds to its lane number

  bool fits_int() const {
    return low >= std::numeric_limits<std::int32_t>::min() && high <= std::numeric_limits<std::int32_t>::max();
  }
};

class IndexFacts {
 public:
  explicit IndexFacts(const ir::Function& kernel) : kernel_(kernel) { visit(kernel.body()); }

  // Of an i64 value; nothing is known of most that come from memory.
  IndexFact of(ir::ValueId value) const;
  // Whether a mask is the same for all lanes of a chunk of so many, aligned lanes.
  bool is_uniform(ir::ValueId mask, std::int64_t chunk) const;

 private:
  // A mask `first + lane < bound` changes where gcd(first, bound) allows; and-ed ones have the gcd of both.
  void visit(ir::BlockId block);
  void visit(const ir::Op& op);
  void visit_loop(const ir::Op& op);
  void visit_anchor(const ir::Op& op);
  void visit_mask(const ir::Op& op);
  IndexFact affine(const ir::Op& op) const;

  const ir::Function& kernel_;
  std::map<ir::ValueId, IndexFact> facts_;
  std::set<ir::ValueId> consecutive_;                  // vectors of first + lane number
  std::map<ir::ValueId, std::int64_t> mask_granularity_;  // lanes between which a mask may change are multiples of it
};

}  // namespace hyperion::codegen
