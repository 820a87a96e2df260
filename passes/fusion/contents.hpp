// contents.hpp: what the kernel of a group consists of. Internal to passes/fusion.
//
// Besides its own ops a group holds copies: of the views it reads through, always; and of ops of other groups that are
// computed again here because that takes less time than to bring their results from memory (recompute.hpp). What it
// then still lacks are its inputs; and what other groups or the function itself take as inputs are its outputs.
#pragma once

#include <set>
#include <utility>
#include <vector>

#include "ir/module.hpp"
#include "passes/fusion/groups.hpp"

namespace hyperion::passes {

class GroupContents {
 public:
  struct Inside {
    std::vector<ir::OpId> ops;  // producers before their readers
    std::vector<ir::ValueId> inputs;
  };

  // Adds groups to `grouping` for views whose value must lie in memory.
  GroupContents(const ir::Function& f, Grouping grouping);

  const Grouping& grouping() const { return grouping_; }
  std::int32_t group_of(ir::OpId id) const { return grouping_.group_of[id.index]; }
  OpRole role(ir::OpId id) const { return roles_[id.index]; }
  bool is_view(ir::OpId id) const { return role(id) == OpRole::view; }

  Inside inside(std::int32_t group) const;
  // From now on this group computes `op` for itself.
  void repeat(ir::OpId op, std::int32_t group) { repeated_.insert({group, op.index}); }
  // Its own group no longer computes it.
  void discard(ir::OpId op);

 private:
  void add_groups_of_materialized_views();
  bool is_copied_view(ir::OpId producer, const Group& group) const;

  const ir::Function& f_;
  Grouping grouping_;
  std::vector<OpRole> roles_;
  std::set<std::pair<std::int32_t, std::uint32_t>> repeated_;  // group, op
  std::int32_t nowhere_ = -1;                                  // an empty group for what is discarded; none yet
};

}  // namespace hyperion::passes
