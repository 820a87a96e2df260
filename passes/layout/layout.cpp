// layout: convolutions read their channels innermost. The transpositions that this puts around each of them meet and
// cancel in the canonicalize that follows; what is left stands at the ends of a chain of convolutions.
#include "passes/simplify/canonicalize.hpp"

namespace hyperion::passes {

PassDefinition pass_layout() {
  return {.name = "layout",
          .doc = "Turns convolutions from channels_first to channels_last.",
          .run = [](ir::Module& module, const ir::Attributes&, PassContext& context) -> Result<Changed> {
            Changed changed = Changed::no;
            for (const auto& function : module.functions()) {
              if (function->kind != ir::FunctionKind::func) continue;
              changed |= canonicalize(module, *function, {.rules = layout_rules(), .fold = false}, context);
            }
            return changed;
          }};
}

}  // namespace hyperion::passes
