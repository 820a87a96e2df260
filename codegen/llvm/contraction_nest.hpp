// contraction_nest.hpp: the emitter behind emit_contraction. Internal to codegen/llvm:
// contraction.cpp decides sizes and emits the micro-kernels, contraction_nest.cpp the loops around
// them.
#pragma once

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>

#include "codegen/llvm/contraction_micro.hpp"
#include "codegen/llvm/contraction_pack.hpp"

namespace hyperion::codegen {

inline std::int64_t product(const std::vector<std::int64_t>& extents) {
  return std::accumulate(extents.begin(), extents.end(), std::int64_t{1}, std::multiplies<>());
}

// Emits one plan. Read from emit() at the end.
class ContractionEmitter {
 public:
  ContractionEmitter(IrModule& module, DType compute, const ContractionSpec& spec,
                     const ContractionHooks& hooks, const ContractionSchedule& schedule);
  ContractionPlan emit();

 private:
  // Pointers and indices of the parallel tile being emitted.
  struct Tile {
    llvm::Value* buffers;
    llvm::Value* scratch;
    llvm::Value* batch;
    llvm::Value* lhs;  // of this batch
    llvm::Value* rhs;  // of this batch, or its packed form
    Values outputs;    // of this batch
    llvm::Value* row_tile_begin;
    llvm::Value* row_tile_end;
    llvm::Value* first_row;
    llvm::Value* strip_begin;
    llvm::Value* strip_end;
  };
  struct DepthBlock {
    llvm::Value* begin;
    llvm::Value* count;
    llvm::Value* first;
    llvm::Value* last;
  };

  struct Strip {
    llvm::Value* column;
    llvm::Value* rhs;   // what the micro-kernel reads
    llvm::Value* copy;  // where it copies that to, if it does
    bool is_last;
  };

  bool is_blocked() const { return depth_blocks_ > 1; }
  bool partials_in_output() const {
    return spec_.output_may_hold_partials && spec_.outputs[0].dtype == compute_;
  }
  int strip_width() const { return schedule_.tile_vectors * e_.lanes; }
  TileShape tile_shape(int rows, bool last_strip) const;
  ContractionOutput partial_layout() const;
  DepthStreams streams(bool copies_rhs) const;
  // The first tile that reads a strip packs it on the way, unless packing changes more than the
  // place.
  bool copies_strips() const {
    return schedule_.rhs == RhsPacking::strip && !hooks_.rhs_prologue && spec_.rhs.free == 1 &&
           spec_.rhs.dtype == compute_;
  }

  llvm::Function* emit_micro(const TileShape& shape, bool copies_rhs);
  llvm::Function* micro(bool larger, bool last_strip, bool copies_rhs);
  void emit_main();
  void emit_tile(const Tile& tile);
  void emit_depth_block(const Tile& tile, const DepthBlock& block);
  void emit_strip(const Tile& tile, const DepthBlock& block, llvm::Value* index, bool is_last);
  void emit_row_tiles(const Tile& tile, const DepthBlock& block, const Strip& strip,
                      llvm::Value* begin, llvm::Value* end, bool copies_rhs);
  void call_micro(const Tile& tile, const DepthBlock& block, const Strip& strip,
                  llvm::Value* row_tile, llvm::Function* f);
  void emit_rhs_packing_launch();
  llvm::Value* batch_offset(llvm::Value* base, llvm::Value* batch, std::int64_t offset,
                            const std::vector<std::int64_t>& strides, std::int64_t bytes);
  llvm::Value* lhs_of_tile(const Tile& tile, const DepthBlock& block, llvm::Value* row_tile,
                           llvm::Value* row);

  const ContractionSpec& spec_;
  const ContractionHooks& hooks_;
  ContractionSchedule schedule_;
  const DType compute_;
  Emit e_;
  RowTiles row_tiles_;
  std::int64_t strips_ = 0;
  std::int64_t depth_block_ = 0;
  std::int64_t depth_blocks_ = 1;
  std::int64_t batches_ = 1;
  std::int64_t rhs_batches_ = 1;
  std::optional<PackedLhs> packed_lhs_;
  llvm::Function* pack_lhs_ = nullptr;
  llvm::Function* pack_rhs_[2] = {nullptr, nullptr};  // full strips, the last strip
  llvm::Function* micro_[2][2][2] = {};               // [larger tile][last strip][copies rhs]
  std::int64_t lhs_scratch_ = 0, rhs_scratch_ = 0, partial_scratch_ = 0;
};

}  // namespace hyperion::codegen
