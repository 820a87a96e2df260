#include "codegen/cuda/tensor_loads.hpp"

#include <algorithm>
#include <cstdlib>

#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

using runtime::cuda::TensorMapParameter;

constexpr int kMostLines = 256;  // of a box

const TensorOperand& operand_of(const TensorProblem& problem, bool is_lhs) {
  return is_lhs ? problem.lhs : problem.rhs;
}
std::int64_t free_of(const TensorProblem& problem, bool is_lhs) { return is_lhs ? problem.rows : problem.columns; }

std::uint64_t padded(std::int64_t bytes) { return static_cast<std::uint64_t>(divide_up(bytes, 16) * 16); }

// Lines in the box that one load brings.
int box_lines(const TensorProblem& problem, bool is_lhs, int extent) {
  return operand_of(problem, is_lhs).is_along_depth() ? std::min(extent, kMostLines) : stage_depth(problem);
}

TensorMapParameter empty_map(const TensorProblem& problem, const TensorOperand& operand) {
  TensorMapParameter map{.buffer = static_cast<std::uint32_t>(operand.buffer)};
  map.type = tensor_map_type(problem.dtype);
  return map;
}

// ---- images ---------------------------------------------------------------------------------------------------

// What the last window's beginning is beyond the last element of its axis.
std::int64_t last_window(const TensorImage::Axis& axis) {
  return (axis.output - 1) * axis.stride - axis.padding - (axis.input - 1);
}

bool can_walk(const TensorImage::Axis& axis) {
  // The map has so many bits for them, of images with two spatial axes.
  constexpr std::int64_t kCorner = 128, kOffset = 256, kStep = 8;
  const auto is_corner = [](std::int64_t place) { return place >= -kCorner && place < kCorner; };
  return axis.output >= 1 && axis.input >= 1 && axis.stride >= 1 && axis.stride <= kStep && axis.dilation >= 1 &&
         (axis.kernel - 1) * axis.dilation < kOffset && is_corner(-axis.padding) && is_corner(last_window(axis));
}

// Adds a dimension. A step along one element is never taken, but the driver wants one all the same.
void add_dim(TensorMapParameter& map, std::int64_t size, std::int64_t step_bytes) {
  const std::uint64_t whole = map.dims.empty() ? 0
                              : map.byte_strides.empty()
                                  ? map.dims[0] * 4  // of the largest element
                                  : map.dims.back() * map.byte_strides.back();
  if (!map.dims.empty()) map.byte_strides.push_back(padded(size == 1 ? static_cast<std::int64_t>(whole) : step_bytes));
  map.dims.push_back(static_cast<std::uint64_t>(size));
}

TensorMapParameter map_of_image(const TensorProblem& problem, int extent) {
  const TensorImage& image = *problem.image;
  const TensorImage::Axis &h = image.height, &w = image.width;
  const std::int64_t images = problem.rows / (h.output * w.output);
  TensorMapParameter map = empty_map(problem, problem.lhs);
  const std::int64_t bytes = element_bytes(problem);
  add_dim(map, image.channels, bytes);
  add_dim(map, w.input, w.lhs * bytes);
  add_dim(map, h.input, h.lhs * bytes);
  add_dim(map, images, image.image * bytes);
  map.box = {static_cast<std::uint32_t>(stage_depth(problem)), static_cast<std::uint32_t>(extent)};
  for (const TensorImage::Axis* axis : {&w, &h}) {
    map.windows.first.push_back(static_cast<std::int32_t>(-axis->padding));
    map.windows.last.push_back(static_cast<std::int32_t>(last_window(*axis)));
    map.windows.steps.push_back(static_cast<std::uint32_t>(axis->stride));
  }
  return map;
}

// Channels and columns, and the places of the kernel.
TensorMapParameter map_of_weights(const TensorProblem& problem, int extent) {
  const TensorImage& image = *problem.image;
  const bool along_depth = problem.rhs.is_along_depth();
  const std::int64_t bytes = element_bytes(problem);
  TensorMapParameter map = empty_map(problem, problem.rhs);
  add_dim(map, along_depth ? image.channels : problem.columns, bytes);
  add_dim(map, along_depth ? problem.columns : image.channels,
          (along_depth ? problem.rhs.free : problem.rhs.depth) * bytes);
  add_dim(map, image.width.kernel, std::abs(image.width.rhs) * bytes);
  add_dim(map, image.height.kernel, std::abs(image.height.rhs) * bytes);
  map.box = {static_cast<std::uint32_t>(stage_depth(problem)),
             static_cast<std::uint32_t>(box_lines(problem, false, extent)), 1, 1};
  return map;
}

bool is_image_loadable(const TensorProblem& problem) {
  const TensorImage& image = *problem.image;
  const TensorImage::Axis &h = image.height, &w = image.width;
  const bool along_depth = problem.rhs.is_along_depth();
  if (problem.batches != 1 || problem.lhs.depth != 1 || !can_walk(h) || !can_walk(w)) return false;
  if (!along_depth && (problem.rhs.free != 1 || problem.dtype == DType::f32)) return false;
  const auto is_step = [&](std::int64_t elements, std::int64_t size) {
    return size == 1 || (elements != 0 && elements * element_bytes(problem) % 16 == 0);
  };
  return is_step(w.lhs, w.input) && is_step(h.lhs, h.input) &&
         is_step(image.image, problem.rows / (h.output * w.output)) && is_step(w.rhs, w.kernel) &&
         is_step(h.rhs, h.kernel) &&
         is_step(along_depth ? problem.rhs.free : problem.rhs.depth, along_depth ? problem.columns : image.channels);
}

}  // namespace

// ---- sizes ----------------------------------------------------------------------------------------------------

std::int64_t depth_steps(const TensorProblem& problem) {
  if (!problem.image) return divide_up(problem.depth, stage_depth(problem));
  return problem.image->height.kernel * problem.image->width.kernel *
         divide_up(problem.image->channels, stage_depth(problem));
}

int box_count(const TensorProblem& problem, bool is_lhs, int extent) {
  const bool along_depth = operand_of(problem, is_lhs).is_along_depth();
  return along_depth ? (extent + kMostLines - 1) / kMostLines : extent / stage_depth(problem);
}

// ---- maps -----------------------------------------------------------------------------------------------------

bool is_loadable(const TensorProblem& problem) {
  if (problem.image) return is_image_loadable(problem);
  const auto is_readable = [&](bool is_lhs) {
    const TensorOperand& operand = operand_of(problem, is_lhs);
    const std::int64_t bytes = element_bytes(problem);
    const bool along_depth = operand.is_along_depth();
    if (!along_depth && (operand.free != 1 || problem.dtype == DType::f32)) return false;
    const std::int64_t stride = along_depth ? operand.free : operand.depth,
                       outer = along_depth ? free_of(problem, is_lhs) : problem.depth;
    return (outer == 1 || stride * bytes % 16 == 0) && operand.batch * bytes % 16 == 0 && stride >= 0;
  };
  return is_readable(true) && is_readable(false);
}

runtime::cuda::CUtensorMapDataType tensor_map_type(DType dtype) {
  return dtype == DType::bf16  ? runtime::cuda::CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
         : dtype == DType::f16 ? runtime::cuda::CU_TENSOR_MAP_DATA_TYPE_FLOAT16
                               : runtime::cuda::CU_TENSOR_MAP_DATA_TYPE_TFLOAT32;
}

TensorMapParameter tensor_map(const TensorProblem& problem, bool is_lhs, int extent) {
  if (problem.image) return is_lhs ? map_of_image(problem, extent) : map_of_weights(problem, extent);
  const TensorOperand& operand = operand_of(problem, is_lhs);
  const auto bytes = static_cast<std::int64_t>(element_bytes(problem));
  TensorMapParameter map = empty_map(problem, operand);
  const std::int64_t free = free_of(problem, is_lhs), inner = operand.is_along_depth() ? problem.depth : free,
                     outer = operand.is_along_depth() ? free : problem.depth;
  const std::int64_t stride = operand.is_along_depth() ? operand.free : operand.depth;
  map.dims = {static_cast<std::uint64_t>(inner), static_cast<std::uint64_t>(outer)};
  // A single row has no stride; the driver wants one all the same.
  map.byte_strides = {padded((outer == 1 ? inner : stride) * bytes)};
  map.box = {static_cast<std::uint32_t>(stage_depth(problem)),
             static_cast<std::uint32_t>(box_lines(problem, is_lhs, extent))};
  if (problem.batches > 1) {
    map.dims.push_back(static_cast<std::uint64_t>(operand.batch == 0 ? 1 : problem.batches));
    map.byte_strides.push_back(
        padded(operand.batch == 0 ? static_cast<std::int64_t>(map.byte_strides[0]) * outer : operand.batch * bytes));
    map.box.push_back(1);
  }
  return map;
}

// ---- text -----------------------------------------------------------------------------------------------------

void print_place_of_tile(KernelLines& out, const TensorProblem& problem) {
  if (!problem.image) return;
  const TensorImage::Axis &h = problem.image->height, &w = problem.image->width;
  out.line(format("const int image = first_row / {0}, window = first_row % {0};", h.output * w.output));
  out.line(format("const int window_row = window / {} * {} - {}, window_column = window % {} * {} - {};", w.output,
                  h.stride, h.padding, w.output, w.stride, w.padding));
}

void print_place_of_step(KernelLines& out, const TensorProblem& problem) {
  if (!problem.image) return;
  const std::int64_t blocks = divide_up(problem.image->channels, stage_depth(problem));
  const std::int64_t width = problem.image->width.kernel;
  out.line(format("const int channel = k % {0} * {1}, row_of_kernel = k / {2}, column_of_kernel = k / {0} % {3};", blocks,
                  stage_depth(problem), blocks * width, width));
}

void print_load(KernelLines& out, const TensorProblem& problem, const TileLoad& load) {
  const TensorOperand& operand = operand_of(problem, load.is_lhs);
  const int each = operand.is_along_depth() ? std::min(load.extent, kMostLines) : stage_depth(problem);
  // Blocks of a cluster bring neighbouring shares.
  const bool is_shared = load.sharers > 1;
  const std::string share = is_shared ? format(" + static_cast<int>(rank) * {}", load.extent) : "";
  const std::string to = format("{} + {}{}", load.stage, load.base + load.box * each * kRowBytes,
                                is_shared ? format(" + rank * {}", load.extent * kRowBytes) : "");
  if (problem.image && load.is_lhs) {
    const TensorImage::Axis &h = problem.image->height, &w = problem.image->width;
    return out.line(
        format("load_pixels({}, lhs_map, {}, channel, window_column, window_row, image, column_of_kernel * {}, "
               "row_of_kernel * {});",
               to, load.barrier, w.dilation, h.dilation));
  }
  const std::string free = format("first_{}{} + {}", load.is_lhs ? "row" : "column", share, load.box * each);
  const std::string depth = problem.image ? "channel" : format("k * {}", stage_depth(problem));
  std::string outer;
  if (problem.image) {
    // A kernel that is walked from its end has negative steps.
    const auto place = [](const TensorImage::Axis& axis, const char* name) {
      return axis.rhs < 0 ? format("{} - {}", axis.kernel - 1, name) : std::string(name);
    };
    outer = format(", {}, {}", place(problem.image->width, "column_of_kernel"),
                   place(problem.image->height, "row_of_kernel"));
  } else if (problem.batches > 1) {
    outer = operand.batch == 0 ? ", 0" : ", batch_";
  }
  out.line(format("{}{}, {}, {}, {}, {}{});",
                  is_shared ? format("load_tile_for({}, ", (1 << load.sharers) - 1) : "load_tile(", to,
                  load.is_lhs ? "lhs_map" : "rhs_map", load.barrier, operand.is_along_depth() ? depth : free,
                  operand.is_along_depth() ? free : depth, outer));
}

}  // namespace hyperion::codegen
