#include "codegen/driver/join_launches.hpp"

#include <algorithm>
#include <vector>

#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

using runtime::Launch;
using runtime::Slot;

constexpr std::uint64_t kMostMovedBytes = 4 << 20;  // read and written by a launch that is moved
// The time stays linear in launches:
constexpr std::size_t kFarthest = 16;      // groups that are looked back at
constexpr std::size_t kMostMembers = 256;  // of a group

struct Member {
  const Launch* launch = nullptr;
  std::size_t inputs = 0;
  std::span<const Slot> reads() const { return std::span(launch->buffers).first(inputs); }
  std::span<const Slot> writes() const { return std::span(launch->buffers).subspan(inputs); }
};

// What is done at one place of the new plan: launches to be joined, or one instruction that stays alone.
struct Group {
  std::vector<Member> members;
  const runtime::Instruction* other = nullptr;
};

class Joiner {
 public:
  Joiner(const JoinablePlan& plan, CodeGenerator& code) : plan_(plan), code_(code) {}

  void run() {
    for (std::size_t k = 0; k < plan_.plan.instructions.size(); ++k) {
      const runtime::Instruction& instruction = plan_.plan.instructions[k];
      const auto* launch = std::get_if<Launch>(&instruction);
      if (launch == nullptr)
        groups_.push_back({.members = {}, .other = &instruction});
      else
        place({launch, plan_.inputs[k]});
    }
    std::vector<runtime::Instruction> instructions;
    for (Group& group : groups_) {
      if (group.other != nullptr)
        instructions.push_back(*group.other);
      else if (group.members.size() == 1)
        instructions.emplace_back(*group.members[0].launch);
      else
        instructions.emplace_back(joined(group.members));
    }
    plan_.plan.instructions = std::move(instructions);
  }

 private:
  void place(const Member& member) {
    // Earlier, with a group that everything since then is independent of.
    const std::size_t end = groups_.size(), begin = end > kFarthest ? end - kFarthest : 0;
    for (std::size_t k = end; k-- > begin;) {
      const bool is_independent = independent(groups_[k], member);
      if (is_independent && (k + 1 == end || is_small(member)) && fits(groups_[k], member)) {
        groups_[k].members.push_back(member);
        return;
      }
      if (!is_independent) break;
    }
    // Or a group comes here, if all since then are independent of it.
    for (std::size_t k = end; k-- > begin;) {
      if (groups_[k].other != nullptr) break;
      if (!std::ranges::all_of(groups_[k].members, is_small) || !is_small(member) || !independent(groups_[k], member) ||
          !fits(groups_[k], member) || !may_move_to_end(k)) {
        continue;
      }
      Group moved = std::move(groups_[k]);
      groups_.erase(groups_.begin() + static_cast<std::ptrdiff_t>(k));
      moved.members.push_back(member);
      groups_.push_back(std::move(moved));
      return;
    }
    groups_.push_back({.members = {member}, .other = nullptr});
  }

  static bool is_small(const Member& member) { return member.launch->bytes <= kMostMovedBytes; }

  bool may_move_to_end(std::size_t k) const {
    for (std::size_t later = k + 1; later < groups_.size(); ++later) {
      for (const Member& member : groups_[k].members) {
        if (!independent(groups_[later], member)) return false;
      }
    }
    return true;
  }

  bool fits(const Group& group, const Member& member) const {
    if (group.members.size() == kMostMembers) return false;
    std::vector<std::string> symbols{member.launch->kernel};
    for (const Member& each : group.members) symbols.push_back(each.launch->kernel);
    return code_.may_join(symbols);
  }

  // Launches of one kernel behind one another.
  static std::vector<Member> sorted(std::vector<Member> members) {
    std::ranges::stable_sort(members, {}, [](const Member& m) { return std::string_view(m.launch->kernel); });
    return members;
  }

  bool independent(const Group& group, const Member& member) const {
    if (group.other != nullptr) return false;
    return std::ranges::none_of(group.members, [&](const Member& each) {
      return touches(each.writes(), member.launch->buffers) || touches(member.writes(), each.launch->buffers);
    });
  }

  bool touches(std::span<const Slot> written, std::span<const Slot> others) const {
    return std::ranges::any_of(written, [&](const Slot& a) {
      return std::ranges::any_of(others, [&](const Slot& b) { return overlap(a, b); });
    });
  }

  bool overlap(const Slot& a, const Slot& b) const {
    if (a.bytes == 0 || b.bytes == 0) return false;
    if (a.kind == b.kind && a.index == b.index) {
      return a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
    }
    return may_share(a, b) || may_share(b, a);
  }
  // An output may lie where its donor did.
  bool may_share(const Slot& output, const Slot& argument) const {
    return output.kind == Slot::Kind::output && argument.kind == Slot::Kind::argument &&
           output.index < plan_.donors.size() &&
           plan_.donors[output.index] == static_cast<std::int32_t>(argument.index);
  }

  Launch joined(const std::vector<Member>& members) {
    const std::vector<Member> all = sorted(members);
    std::vector<std::string> symbols, labels;
    Launch out{.kernel = "",
               .buffers = {},
               .tiles = 0,
               .label = "",
               .location = members[0].launch->location,
               .unit = members[0].launch->unit};
    for (const Member& member : all) {
      const Launch& launch = *member.launch;
      symbols.push_back(launch.kernel);
      out.buffers.insert(out.buffers.end(), launch.buffers.begin(), launch.buffers.end());
      out.tiles += launch.tiles;
      out.flops += launch.flops;
      out.bytes += launch.bytes;
      if (labels.empty() || labels.back() != launch.label) labels.push_back(launch.label);
    }
    out.kernel = code_.join(symbols);
    out.label = labels.size() == 1 ? format("{} x {}", all.size(), labels[0])
                                   : format("{} launches: {}", all.size(), fmt::join(labels, ", "));
    return out;
  }

  const JoinablePlan& plan_;
  CodeGenerator& code_;
  std::vector<Group> groups_;
};

}  // namespace

void join_launches(const JoinablePlan& plan, CodeGenerator& code) {
  if (code.joins_launches()) Joiner(plan, code).run();
}

std::set<std::string> launched_symbols(std::span<const runtime::Plan> plans) {
  std::set<std::string> symbols;
  for (const runtime::Plan& plan : plans) {
    for (const runtime::Instruction& instruction : plan.instructions) {
      if (const auto* launch = std::get_if<Launch>(&instruction)) symbols.insert(launch->kernel);
    }
  }
  return symbols;
}

}  // namespace hyperion::codegen
