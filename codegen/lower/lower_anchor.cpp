#include "codegen/lower/lower_anchor.hpp"

namespace hyperion::codegen {

std::optional<Lowered> lower_anchor(const ir::Function&, const LoweringTarget&) { return std::nullopt; }

}  // namespace hyperion::codegen
