// pipelines.hpp: the pipelines that people get when they name none.
//
// What follows here runs on every target, down to where ops are grouped. Grouping, lowering and planning memory are steps
// of codegen/driver, which knows the target.
//
// Phases, in order: after_record, after_canonicalize, before_fuse. Plugins insert there (Pipeline::insert_at).
#pragma once

#include "passes/pass_manager.hpp"
#include "passes/simplify/rule.hpp"

namespace hyperion::passes {

// In what sense the optimized program equals the recorded one: strict, the same bits; fast, over the real numbers.
Pipeline default_pipeline(Tag policy);
inline Pipeline strict_pipeline() { return default_pipeline(Tag::same_bits); }
inline Pipeline fast_pipeline() { return default_pipeline(Tag::same_over_reals); }

}  // namespace hyperion::passes
