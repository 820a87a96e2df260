// contraction_convolution_nest.hpp: the emitter behind emit_convolution. Internal to codegen/llvm:
// contraction_convolution.cpp decides sizes and emits the micro-kernels,
// contraction_convolution_nest.cpp the loops.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "codegen/llvm/contraction_nest.hpp"
#include "codegen/llvm/contraction_taps.hpp"

namespace hyperion::codegen {

// Emits one plan. Read from emit() at the end; `Tile` narrows on the way down to a micro-kernel
// call.
class ConvolutionEmitter {
 public:
  ConvolutionEmitter(IrModule& module, DType compute, const ConvolutionSpec& spec,
                     const ContractionHooks& hooks, const ConvolutionSchedule& schedule);
  ConvolutionPlan emit();

 private:
  struct Tile {
    llvm::Value* buffers;
    llvm::Value* scratch;
    llvm::Value* image;  // 0 when rows run along the batch
    llvm::Value* group;
    llvm::Value *row_begin, *row_end;  // of the output
    llvm::Value *strip_begin, *strip_end;
    llvm::Value* lhs;  // of this image and group
    llvm::Value* rhs;  // of this group
    Values outputs;    // of this image and group
    llvm::Value *tap_begin, *tap_end, *first, *last;
    llvm::Value* height = nullptr;
    llvm::Value* strip_rhs = nullptr;
    llvm::Value* column = nullptr;
    bool last_strip = false;
  };

  bool is_blocked() const { return schedule_.tap_block > 0; }
  bool along_batch() const { return schedule_.rows_along_batch; }
  int strip_width() const { return schedule_.tile_vectors * e_.lanes; }
  std::int64_t lhs_bytes(std::int64_t elements) const {
    return elements * storage_bytes(spec_.lhs.dtype);
  }
  DepthStreams streams() const;
  TileShape tile_shape(int rows, bool last_strip) const;
  ContractionOutput as_tile(const ConvolutionOutput& to) const;
  ConvolutionOutput partial_layout() const;
  std::int64_t partial_bytes() const;
  std::int64_t mapped_bytes() const;

  llvm::Function* micro(const TapPattern& pattern, int rows, bool last_strip);
  Values emit_taps(llvm::Function* f, const TileShape& shape, const TapPattern& pattern,
                   Values acc);
  Values emit_static_run(const TileShape& shape, const TapRun& run, llvm::Value* lhs,
                         llvm::Value* rhs, Values acc);
  Values emit_dynamic_taps(const TileShape& shape, llvm::Value* width, llvm::Value* lhs,
                           llvm::Value* rhs, Values acc);
  llvm::Value* meets_input(const WindowAxis& axis, llvm::Value* p);

  void map_lhs();
  llvm::Value* emit_mapped_lhs(const Tile& tile);
  void emit_packing_launch();
  void emit_main();
  void emit_block(Tile tile);
  void emit_strip(Tile tile, llvm::Value* strip, bool last_strip);
  void emit_row(Tile tile);
  void emit_row_along_width(const Tile& tile);
  void emit_row_along_batch(const Tile& tile);
  void call_micro(const Tile& tile, const TapPattern& pattern, int rows, llvm::Value* lhs,
                  llvm::Value* width, llvm::Value* row);

  // Rows of the input that the prologue has mapped into scratch memory, after the partial sums.
  struct MappedLhs {
    bool lanes_along_depth = true;
    std::int64_t rows = 0;  // at most, of one parallel tile
  };

  ConvolutionSpec spec_;  // with a prologue of lhs, its strides are those of the mapped rows
  const ContractionHooks& hooks_;
  ConvolutionSchedule schedule_;
  Emit e_;
  std::optional<MappedLhs> mapped_lhs_;
  std::int64_t strips_ = 0;
  bool partials_in_output_ = false;
  // Bytes between weights of neighbouring taps, channels, strips and groups, as the micro-kernel
  // reads them.
  std::int64_t rhs_tap_h_ = 0, rhs_tap_w_ = 0, rhs_depth_ = 0, rhs_strip_ = 0, rhs_group_ = 0;
  std::map<std::pair<TapPattern, std::pair<int, bool>>, llvm::Function*> micros_;
};

}  // namespace hyperion::codegen
