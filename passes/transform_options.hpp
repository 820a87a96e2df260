// transform_options.hpp: what the passes that turn one function into another (jvp, vjp, transpose, vmap) and `fuse` have in
// common: naming the function, choosing parameters, and refusing what the transform itself REQUIRES. Text comes from
// users, so nothing here is checked by HYP_CHECK.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "passes/pass.hpp"
#include "passes/selection.hpp"

namespace hyperion::passes {

// {function = "", name = "", `selection` = ""}.
std::vector<ir::AttributeSpec> transform_options(std::string_view selection, std::string_view selection_doc,
                                                 std::string_view name_doc);

struct Transformed {
  ir::Function* function;
  Selection selection;
  std::string name;  // free in the module
};

// Reads those options. An empty function is the only func of the module; an empty selection is every parameter that
// `may_select`; an empty name is that of the function with the pass's name behind. Reports pass.option, and pass.symbolic
// for types without numbers.
Result<Transformed> read_transform(ir::Module& module, const ir::Attributes& options, std::string_view selection,
                                   bool (*may_select)(Type), PassContext& context);

// Whether all dimensions in the func are numbers; reports pass.symbolic.
Result<> require_static(const ir::Function& function, PassContext& context);

}  // namespace hyperion::passes
