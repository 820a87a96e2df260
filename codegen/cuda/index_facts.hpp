// index_facts.hpp: what is known about the integers of a kernel before it runs: ranges, divisors, and how vectors of
// them lie.
//
// A *run* is so many neighbouring lanes, beginning at a multiple of their number, along which a vector keeps its value
// or counts up by one: lane numbers modulo 32 count in runs of 32, divided by 32 they are constant in such.
//
// Addresses are i64 in the IR. A GPU computes with 32 bits three times as fast, and moves 16 bytes at once only from
// where 16 bytes begin; both want to be proven, and this is the proof.
#pragma once

#include <cstdint>
#include <limits>
#include <map>

#include "ir/module.hpp"

namespace hyperion::codegen {

struct IndexFact {
  std::int64_t low = std::numeric_limits<std::int64_t>::min();
  std::int64_t high = std::numeric_limits<std::int64_t>::max();  // inclusive
  std::int64_t divisor = 1;  // of a scalar, and of a vector's element where a run begins

  bool fits_int() const {
    return low >= std::numeric_limits<std::int32_t>::min() && high <= std::numeric_limits<std::int32_t>::max();
  }
};

class IndexFacts {
 public:
  explicit IndexFacts(const ir::Function& kernel) : kernel_(kernel) { visit(kernel.body()); }

  // Of an i64 value; nothing is known of most that come from memory.
  IndexFact of(ir::ValueId value) const;
  // Whether a vector counts up by one along each chunk of so many, aligned lanes.
  bool is_consecutive(ir::ValueId vector, std::int64_t chunk) const;
  // Whether a mask is the same for all lanes of a chunk.
  bool is_uniform(ir::ValueId mask, std::int64_t chunk) const;

 private:
  struct Lanes {
    std::int64_t step = 0;  // from lane to lane of a run
    std::int64_t run = 1;
  };
  // Of a scalar, one run of all lanes; of a vector that nothing is known of, runs of one.
  Lanes lanes(ir::ValueId value) const;
  Lanes lanes_of(const ir::Op& op) const;

  // A mask `first + lane < bound` changes where gcd(first, bound) allows, and where a run ends; and-ed ones have the
  // gcd of both.
  void visit(ir::BlockId block);
  void visit(const ir::Op& op);
  void visit_loop(const ir::Op& op);
  void visit_anchor(const ir::Op& op);
  void visit_lines(const ir::Op& op);
  void visit_mask(const ir::Op& op);
  IndexFact affine(const ir::Op& op) const;

  const ir::Function& kernel_;
  std::map<ir::ValueId, IndexFact> facts_;
  std::map<ir::ValueId, Lanes> lanes_;                    // of vectors
  std::map<ir::ValueId, std::int64_t> mask_granularity_;  // lanes between which a mask may change are multiples of it
};

}  // namespace hyperion::codegen
