// kernel_translator.hpp: the ops of a kernel's blocks as CUDA C++. Internal to codegen/cuda.
#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "codegen/cpp/cpp_scalars.hpp"
#include "codegen/cuda/index_facts.hpp"
#include "codegen/lower/lower.hpp"
#include "ir/module.hpp"
#include "ir/support/format.hpp"
#include "runtime/cuda/object.hpp"

namespace hyperion::codegen {

class CudaKernelTranslator {
 public:
  // `team` holds the vectors.
  CudaKernelTranslator(const ir::Function& kernel, Team team, CppScalarFunctions& scalars)
      : kernel_(kernel), team_(team), facts_(kernel), scalars_(scalars) {}

  // Names for values that the surroundings define.
  void define_name(ir::ValueId value, std::string name) { names_[value] = std::move(name); }
  const std::string& name(ir::ValueId id);
  std::string pointer_type(std::size_t k) const;  // "const float*"
  std::string parameter(std::size_t k, bool restrict_pointer);
  std::vector<std::string> parameters(bool restrict_pointers);
  // int for what is proven to fit.
  std::string type(ir::ValueId id) const;
  // The value as a scalar, or element i of it in a loop over registers.
  std::string element(ir::ValueId id);

  // How the tile's number is computed; stores of threads for which `live` is false must not happen (empty: all live).
  struct Tile {
    std::string number, live;
  };
  // Ops of a block up to its terminator, at this depth of indentation. An anchor's body is left out.
  std::string translate(ir::BlockId block, const Tile& tile, std::size_t depth);
  // A block of an anchor: one thread holds its vectors, `valid` of whose lanes exist (empty: all). What a block yields is
  // left to who calls.
  std::string translate_body(ir::BlockId block, const std::string& valid, std::size_t depth);

  // The same block's loads of neighbouring elements, as prefetches of where they begin, with what computes that.
  std::string translate_prefetches(ir::BlockId block, std::size_t depth);
  // The body of an anchor whose vectors of four sums are held by two neighbouring threads; what it stores is left in
  // `word` instead.
  CudaKernelTranslator for_pairs() const {
    CudaKernelTranslator out = *this;
    out.team_ = {.threads = 2, .chunk = 2};
    return out;
  }
  // `place`: what the body's batch, row and column are called.
  std::string translate_staged(ir::BlockId block, const std::array<std::string, 3>& place, std::size_t depth);

  // Elements of shared memory that reductions take, as declarations for the head of the kernel.
  const std::string& shared_declarations() const { return shared_; }
  std::int64_t shared_bytes() const { return shared_bytes_; }
  const std::string& refused() const { return refused_; }

 private:
  bool is_vector(ir::ValueId id) const { return kernel_.type(id).rank() == 1; }
  int registers(ir::ValueId id) const { return static_cast<int>(kernel_.type(id).element_count()) / team_.threads; }
  DType dtype(ir::ValueId id) const { return kernel_.type(id).dtype(); }
  bool is_int(ir::ValueId id) const { return dtype(id) == DType::i64 && facts_.of(id).fits_int(); }
  // For an op that computes in 64 bits from what may be an int.
  std::string widened(ir::ValueId id);

  void line(const std::string& text) { out_ += std::string(2 * depth_, ' ') + text + "\n"; }
  void open(const std::string& text) { line(text + " {"), ++depth_; }
  void close() { --depth_, line("}"); }
  void define(ir::ValueId id, const std::string& text);

  void block(ir::BlockId id);
  void translate(const ir::Op& op);
  // Declares shared memory, `extents` after its name and for each team of a block; gives the name of this team's.
  std::string declare_shared(std::string_view name, DType dtype, std::initializer_list<int> extents,
                             std::string_view alignment = "");
  void constant(const ir::Op& op);
  void affine(const ir::Op& op);
  void load(const ir::Op& op);
  void store(const ir::Op& op);
  void stage(ir::ValueId value);
  void reduce(const ir::Op& op);
  void reduce_columns(const ir::Op& op);
  std::string combination(const ir::Op& op) const;
  std::string array(ir::ValueId vector);
  void elementwise(const ir::Op& op);
  bool is_zero(ir::ValueId id) const;
  void transpose_lanes(const ir::Op& op);
  void loop(const ir::Op& op);
  bool is_short_loop(const ir::Op& op) const;
  void yield(const ir::Op& op);

  // Whether chunks at this offset may be moved as one each.
  bool moves_chunks(ir::ValueId offset, const ir::Op& op, std::size_t mask_operand) const;
  std::string mask_of(const ir::Op& op, std::size_t mask_operand) const;
  std::string conditions(const ir::Op& op, std::size_t mask_operand, bool stores);
  std::string lane_text() const { return format("lane<{}, {}>(i, thread)", team_.threads, team_.chunk); }

  const ir::Function& kernel_;
  Team team_;
  IndexFacts facts_;
  CppScalarFunctions& scalars_;
  Tile tile_;
  bool is_staged_ = false;  // stores leave their elements where somebody else takes them
  std::string valid_;       // of the lanes in an anchor's body; empty: not in one
  std::map<ir::ValueId, std::string> names_;
  std::map<ir::ValueId, std::string> inline_;  // values that are text wherever they are used
  std::set<ir::ValueId> scalar_vectors_;       // vectors all of whose lanes are one scalar's
  std::set<std::string> taken_;
  std::string out_, shared_, refused_;
  std::size_t depth_ = 1, next_ = 0, shared_count_ = 0;
  std::int64_t shared_bytes_ = 0;
};

std::string cuda_identifier(const std::string& name);

// The first lines of a kernel whose threads each hold vectors of their own: up to `before`, what they compute first.
std::string open_cuda_kernel(int threads, const std::string& name, const std::string& parameters,
                             const std::string& before);
// A kernel's parameters when they are its launch's first buffers, in order.
void add_buffers(runtime::cuda::KernelEntry& entry, std::size_t count);

// Whether a kernel is built around the op, whose blocks are translated on their own.
bool is_cuda_anchor(const ir::Op& op);

}  // namespace hyperion::codegen
