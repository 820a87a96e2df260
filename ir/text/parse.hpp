// parse.hpp: .hir text as a module, checked against inference on the way.
//
//   file       = "hyperion" "1" "module" @name "{" function* "}" [ constants ]
//   function   = ("func" | "kernel") @name "(" [ parameter, ... ] ")" [ "->" type, ... ]
//                [ "attributes" attributes ] [ location ] "{" op* "}"
//   parameter  = %name ":" [ role ] type [ location ]
//   role       = "in" | "out" | "inout"                          (kernels always, funcs never)
//   op         = [ %name, ... "=" ] head [ attributes ] [ ":" type, ... ] [ location ] block*
//   head       = "constant" payload | name @callee "(" [ operand, ... ] ")"
//              | name [ operand, ... ]
//   operand    = %name | element     (an element: a constant of the last value operand's type)
//   block      = "(" [ %name ":" type, ... ] ")" "{" op* "}"
//   payload    = element                                         (one that stands for all)
//              | "[" [ element, ... ] "]" | "hash"
//   attributes = "{" name "=" value, ... "}"
//   value      = true | false | number | "text" | dtype | @name | [ "dims" ] "[" [ dim, ... ] "]"
//              | "literal" payload ":" type
//   type       = dtype "[" [ dim, ... ] "]"
//   dim        = [ - ] term (+|-) term ...
//   term       = number [ "*" (name | number) ] | name
//   location   = "loc" "(" place ")" | "loc" "(" "fused" "[" place, ... "]" ")"
//   place      = "file" ":" line ":" column
//   constants  = "constants" "{" ( "hash" "=" "hex digits" ... )* "}"
//
// Written types are checked against inference; leaving them out is allowed, except for constants.
// Functions may stand in any order, but not call themselves. Every value is visible from its
// definition to the end of its block.
//
// Errors: each names a range of the text. After one, the parser goes on with the next op, and ops
// that use a value whose definition was wrong are passed over in silence. No input crashes it:
// nothing recurses on the input, sizes are limited (see below), and every constant's bytes are
// checked against its hash.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "ir/module.hpp"

namespace hyperion::ir {

// Limits on what text may ask for, far above real programs and far below where sizes overflow.
// kMaxDimension also bounds numbers in attribute lists.
inline constexpr std::int64_t kMaxDimension = std::int64_t{1} << 40;
inline constexpr std::int64_t kMaxElements = std::int64_t{1} << 48;  // of one tensor
inline constexpr std::size_t kMaxNesting = 64;                       // of blocks in blocks
inline constexpr std::size_t kMaxErrors = 50;  // after which the parser gives up

// `source_name` is the file's name in messages; `diagnostics` learns the text, so that it can quote
// lines.
Result<std::unique_ptr<Module>> parse(std::string_view text, std::string source_name,
                                      Diagnostics& diagnostics);

}  // namespace hyperion::ir
