// groups.hpp: which ops stand together; the decision part of fusion. Internal to passes/fusion.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/module.hpp"
#include "passes/fusion/fuse.hpp"

namespace hyperion::passes {

enum class GroupKind : std::uint8_t { map, row, column, contraction, single };

struct Group {
  GroupKind kind = GroupKind::map;
  std::vector<ir::OpId> ops;         // in program order
  std::vector<std::int64_t> domain;  // sizes of what is computed, without ones; of a row group, rows then columns
  std::size_t row_rank = 0;          // row groups: how many of them are rows
};

// What fusion knows of one op.
enum class OpRole : std::uint8_t {
  view,  // copied into every group that reads through it: pure views, splat constants, iota
  elementwise,
  row_reduction,
  column_reduction,
  contraction,
  single,  // another op with an index form: a group of its own
  opaque,  // stays in the function: control flow, data constants, return
};

OpRole role_of(const ir::Function& function, const ir::Op& op);

struct Grouping {
  std::vector<Group> groups;
  std::vector<std::int32_t> group_of;  // by OpId::index; -1: none
};

Grouping find_groups(const ir::Function& function, const FuseOptions& options);

}  // namespace hyperion::passes
