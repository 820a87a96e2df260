// pipelines.hpp: the pipelines that people get when they name none.
//
// What follows here runs on every target, down to where ops are grouped. Grouping, lowering and planning memory are steps
// of codegen/driver, which knows the target.
//
// Phases, in order: after_record, after_canonicalize, before_fuse. Plugins insert there (Pipeline::insert_at).
#pragma once

#include <string>

#include "passes/pass_manager.hpp"
#include "passes/simplify/rule.hpp"

namespace hyperion::passes {

// In what sense the optimized program equals the recorded one: strict, the same bits; fast, over the real numbers.
// `entry`: functions that it does not reach are erased early, so that nobody spends time on them; empty keeps all.
Pipeline default_pipeline(Tag policy, const std::string& entry = {});
inline Pipeline strict_pipeline(const std::string& entry = {}) { return default_pipeline(Tag::same_bits, entry); }
inline Pipeline fast_pipeline(const std::string& entry = {}) { return default_pipeline(Tag::same_over_reals, entry); }

}  // namespace hyperion::passes
