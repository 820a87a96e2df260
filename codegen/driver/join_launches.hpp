// join_launches.hpp: launches of a plan that do not depend on one another become one.
//
// A launch costs a GPU a microsecond or two, whatever it does; an optimizer's update of 147 parameters is 147 launches
// of which most do next to nothing. One kernel whose blocks choose what they belong to does them all at once.
//
// A launch joins the nearest group before it that it is independent of, if nothing between them stands in its way; or
// that group is done later, with it, if nothing between them needs it. Large launches stay where they are, so that what
// they read is still in the cache of those before them.
#pragma once

#include <set>
#include <span>
#include <string>

#include "codegen/driver/code_generator.hpp"
#include "runtime/plan.hpp"

namespace hyperion::codegen {

// A plan's instructions, with what the plan itself does not say.
struct JoinablePlan {
  runtime::Plan& plan;
  std::span<const std::size_t>
      inputs;  // of each instruction that is a launch: how many of its first buffers it only reads
  std::span<const std::int32_t> donors;  // of each output: the argument whose memory it may take over, or -1
};
void join_launches(const JoinablePlan& plan, CodeGenerator& code);

// All kernels that a module's plans launch.
std::set<std::string> launched_symbols(std::span<const runtime::Plan> plans);

}  // namespace hyperion::codegen
