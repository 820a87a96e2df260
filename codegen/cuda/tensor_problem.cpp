#include "codegen/cuda/tensor_problem.hpp"

#include <cctype>
#include <charconv>
#include <tuple>

#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

constexpr std::int64_t kTileStep = 64, kStageBytes = 128, kLineBytes = 16;

std::int64_t rounded(std::int64_t size, std::int64_t step) { return (size + step - 1) / step * step; }

char letter(const TensorProblem& problem, const TensorOperand& operand, char along_depth, char across) {
  const bool is_along = operand.is_along_depth();
  const auto bytes = static_cast<std::int64_t>(byte_size(problem.dtype)) * (is_along ? operand.free : operand.depth);
  const char name = is_along ? along_depth : across;
  return bytes % kLineBytes == 0 ? name : static_cast<char>(std::tolower(name));
}

// Sizes between 1 and 2^31, as many as there are; none where something else stands.
std::vector<std::int64_t> parse_sizes(std::string_view text) {
  std::vector<std::int64_t> sizes;
  for (;;) {
    std::int64_t size = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
    if (error != std::errc() || size < 1 || size >= std::int64_t{1} << 31) return {};
    sizes.push_back(size);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty()) return sizes;
    if (text[0] != 'x') return {};
    text.remove_prefix(1);
  }
}

// Of "200704x64x64,3x3/1x1", rows, columns and channels, kernel, strides: one row of windows over one image.
std::optional<TensorProblem> problem_of_windows(const runtime::TuningProblem& name, DType dtype) {
  const std::string_view shape = name.shape;
  const std::size_t comma = shape.find(','), slash = shape.find('/');
  if (comma == shape.npos || slash == shape.npos || slash < comma) return std::nullopt;
  const std::vector<std::int64_t> sizes = parse_sizes(shape.substr(0, comma)),
                                  kernel = parse_sizes(shape.substr(comma + 1, slash - comma - 1)),
                                  strides = parse_sizes(shape.substr(slash + 1));
  if (sizes.size() != 3 || kernel.size() != 2 || strides.size() != 2) return std::nullopt;
  if (name.layouts != "NN" && name.layouts != "NT") return std::nullopt;
  const auto [rows, columns, channels] = std::tuple(sizes[0], sizes[1], sizes[2]);
  const bool along_depth = name.layouts[1] == 'T';
  const std::int64_t input = (rows - 1) * strides[1] + kernel[1], place = along_depth ? channels : channels * columns;
  return TensorProblem{
      .dtype = dtype,
      .rows = rows,
      .columns = columns,
      .depth = kernel[0] * kernel[1] * channels,
      .lhs = {.buffer = 0, .free = channels, .depth = 1},
      .rhs = {.buffer = 1,
              .free = along_depth ? kernel[0] * kernel[1] * channels : 1,
              .depth = along_depth ? 1 : columns},
      .image = TensorImage{
          .height = {.kernel = kernel[0],
                     .input = kernel[0],
                     .stride = strides[0],
                     .lhs = input * channels,
                     .rhs = kernel[1] * place},
          .width = {.output = rows, .kernel = kernel[1], .input = input, .stride = strides[1], .lhs = channels, .rhs = place},
          .channels = channels},
      .epilogue = name.epilogue,
      .may_round = dtype == DType::f32};
}

}  // namespace

TensorProblem dense_problem(DType dtype, std::string_view layout, std::int64_t rows, std::int64_t columns,
                            std::int64_t depth, std::int64_t batches) {
  const bool lhs = std::toupper(layout[0]) == 'N', rhs = std::toupper(layout[1]) == 'T';
  TensorProblem out{.dtype = dtype, .batches = batches, .rows = rows, .columns = columns, .depth = depth};
  const auto line = [](std::int64_t size, char name) { return size + (std::islower(name) != 0 ? 1 : 0); };
  const std::int64_t lhs_line = line(lhs ? depth : rows, layout[0]), rhs_line = line(rhs ? depth : columns, layout[1]);
  const std::int64_t lhs_batch = lhs_line * (lhs ? rows : depth), rhs_batch = rhs_line * (rhs ? columns : depth);
  out.lhs = {
      .buffer = 0, .free = lhs ? lhs_line : 1, .depth = lhs ? 1 : lhs_line, .batch = batches > 1 ? lhs_batch : 0};
  out.rhs = {
      .buffer = 1, .free = rhs ? rhs_line : 1, .depth = rhs ? 1 : rhs_line, .batch = batches > 1 ? rhs_batch : 0};
  return out;
}

runtime::TuningProblem problem_class(const TensorProblem& problem) {
  const std::int64_t stage_depth = kStageBytes / static_cast<std::int64_t>(byte_size(problem.dtype));
  if (problem.image) {
    const TensorImage::Axis &h = problem.image->height, &w = problem.image->width;
    return {.op = "convolve",
            .dtypes = std::string(dtype_name(problem.dtype)),
            .layouts = {'N', letter(problem, problem.rhs, 'T', 'N')},
            .shape = format("{}x{}x{},{}x{}/{}x{}", rounded(problem.rows, kTileStep), rounded(problem.columns, kTileStep),
                            rounded(problem.image->channels, stage_depth), h.kernel, w.kernel, h.stride, w.stride),
            .epilogue = problem.epilogue};
  }
  const std::string sizes = format("{}x{}x{}", rounded(problem.rows, kTileStep), rounded(problem.columns, kTileStep),
                                   rounded(problem.depth, stage_depth));
  return {.op = "contract",
          .dtypes = std::string(dtype_name(problem.dtype)),
          .layouts = {letter(problem, problem.lhs, 'N', 'T'), letter(problem, problem.rhs, 'T', 'N')},
          .shape = problem.batches > 1 ? format("{}x{}", problem.batches, sizes) : sizes,
          .epilogue = problem.epilogue};
}

std::optional<TensorProblem> problem_of(const runtime::TuningProblem& name) {
  constexpr std::string_view kLetters = "NTnt";
  const std::optional<DType> dtype = parse_dtype(name.dtypes);
  if (name.op == "convolve" && dtype) return problem_of_windows(name, *dtype);
  if (name.op != "contract" || !dtype || name.layouts.size() != 2) return std::nullopt;
  for (const char c : name.layouts) {
    if (!kLetters.contains(c)) return std::nullopt;
  }
  std::vector<std::int64_t> sizes = parse_sizes(name.shape);
  if (sizes.size() == 3) sizes.insert(sizes.begin(), 1);
  if (sizes.size() != 4) return std::nullopt;
  TensorProblem out = dense_problem(*dtype, name.layouts, sizes[1], sizes[2], sizes[3], sizes[0]);
  out.epilogue = name.epilogue;
  out.may_round = *dtype == DType::f32;  // or it would not be on the tensor cores
  return out;
}

}  // namespace hyperion::codegen
