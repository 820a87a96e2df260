#include "codegen/cuda/tensor_text.hpp"

#include "ir/support/format.hpp"

namespace hyperion::codegen {

void print_walk(KernelLines& out, const TileWalk& walk) {
  const std::int64_t band = walk.group * walk.across;
  out.line("// Rows of tiles in groups, a group column by column.");
  out.open("const auto place_of = [&](int tile, int& batch_, int& first_row, int& first_column)");
  out.line(format("batch_ = tile / {0};", walk.down * walk.across));
  out.line(format("const int place = tile % {}, band = place / {}, in_band = place % {};", walk.down * walk.across,
                  band, band));
  out.line(format("const int high = min({}, {} - band * {});", walk.group, walk.down, walk.group));
  out.line(format("first_row = ((band * {} + in_band % high) * {} + static_cast<int>(rank)) * {};", walk.group,
                  walk.cluster, walk.rows));
  out.line(format("first_column = in_band / high * {};", walk.columns));
  out.close("};");
}

// Each warp turns a slab of 16 rows so that a thread has four neighbouring columns, and neighbouring threads write
// neighbouring addresses: stored from where they are, pairs by pairs, products of small depth took 1.7 times as long.
// The loop over a slab stays a loop: written out, it was slower.
void print_epilogue(KernelLines& out, const FragmentLayout& layout, std::int64_t rows, std::int64_t columns,
                    const std::string& finish) {
  out.line(format("float* const slab = {};", layout.slab));
  out.line(format("const int own_row = {}, own_column = {};", layout.row, layout.column));
  out.open(format("HYP_EACH(g, {}) HYP_EACH(c, {})", layout.bands, layout.columns / kSlab));
  out.line("__syncwarp();");
  out.open("HYP_EACH(j, 4) HYP_EACH(h, 2)");
  out.line(
      format("*reinterpret_cast<float2*>(slab + (lane_ / 4 + 8 * h) * {} + 8 * j + 2 * (lane_ % 4)) =", kSlabStride));
  out.line("    make_float2(sums_of_tile[g][c * 16 + j * 4 + h * 2], sums_of_tile[g][c * 16 + j * 4 + h * 2 + 1]);");
  out.close();
  out.line("__syncwarp();");
  out.line("#pragma unroll 1");
  out.open("for (int p = 0; p < 4; ++p)");
  out.line("const int row_of_slab = p * 4 + lane_ / 8, column_of_slab = lane_ % 8 * 4;");
  out.line(
      format("const int at_row = own_row + g * {} + row_of_slab, at_column = own_column + c * {} + column_of_slab;",
             layout.rows_apart, kSlab));
  out.line(format("if (at_row >= {} || at_column >= {}) continue;", rows, columns));
  out.line(format("const float4 four = *reinterpret_cast<const float4*>(slab + row_of_slab * {} + column_of_slab);",
                  kSlabStride));
  out.line("const float sums[4] = {four.x, four.y, four.z, four.w};");
  out.add(finish);
  out.close();
  out.close();
}

}  // namespace hyperion::codegen
