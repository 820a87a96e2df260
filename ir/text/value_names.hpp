// value_names.hpp: under which name each value of a function prints, and which constants print in
// place.
#pragma once

#include <string>
#include <vector>

#include "ir/module.hpp"

namespace hyperion::ir {

class ValueNames {
 public:
  explicit ValueNames(const Function& function);

  // "%x", "%12", or the literal of a constant that prints in place.
  const std::string& operator[](ValueId value) const { return names_[value.index]; }
  // Whether the op is a constant that prints as an operand of its user, and so has no line of its
  // own.
  bool is_inline(OpId op) const { return op.index < inline_.size() && inline_[op.index]; }

 private:
  void number(BlockId block);
  void mark_inline_constants(OpId user);
  bool may_be_inline(ValueId value, const Op& user) const;

  const Function& function_;
  std::vector<std::string> names_;
  std::vector<bool> inline_;
  std::size_t next_number_ = 0;
};

}  // namespace hyperion::ir
