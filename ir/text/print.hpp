// print.hpp: a module as .hir text. The grammar is in parse.hpp.
//
// The text depends on the structure, names and locations of the module and on nothing else: not on
// ids, addresses or hash seeds. For every module m that verifies, print(parse(print(m))) is
// print(m), byte for byte.
//
//   - Values print under their user's name, the others as %0, %1, ... in order of definition.
//   - An unnamed splat constant that stands directly before the one elementwise op that uses it,
//   has that op's
//     location, and the type of that op's last other operand, prints as a literal in the place of
//     the operand. These are exactly the cases in which the parser creates that same constant
//     again.
//   - Attributes print sorted by name, without those that have their default value.
//   - Consecutive ops align their types and locations, as far as kAlignedColumns; longer lines
//   stand alone, so that one
//     long line does not push the others away.
//   - Constants of up to kMaxInlineElements elements print inline, longer ones as a content hash;
//   their bytes follow in
//     the file's `constants { }` section.
#pragma once

#include <string>

#include "ir/module.hpp"

namespace hyperion::ir {

// Sixteen elements fit on one line of a dump beside a name and a type.
inline constexpr std::int64_t kMaxInlineElements = 16;
// Nothing is padded beyond this column: a little more than half of the 100 columns that our own
// sources have.
inline constexpr std::size_t kAlignedColumns = 56;
// A function header longer than this has one parameter a line.
inline constexpr std::size_t kMaxHeaderColumns = 100;

struct PrintOptions {
  bool locations = true;
  bool defaults = false;  // also print attributes that have their default value
  bool users = false;     // after each op, as a comment: the values computed from it
};

// A whole file, header and constants included: what parse() reads.
std::string print(const Module& module, const PrintOptions& options = {});
// The function alone, for a dump or a message.
std::string print(const Function& function, const PrintOptions& options = {});
// The op alone, on one line without indentation.
std::string print_op(const Function& function, OpId op, const PrintOptions& options = {});

}  // namespace hyperion::ir
