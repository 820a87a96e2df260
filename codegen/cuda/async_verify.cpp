// The player behind verify(): blocks, roles and the hardware's own engines take steps in random order.
#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <random>

#include "codegen/cuda/async_program.hpp"
#include "codegen/cuda/async_staging.hpp"
#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

// A statement that a role has reached, with what its loops knew: roles are unrolled before they are played.
struct Step {
  const AsyncStatement* statement;
  int tile = 0, depth = 0;
};

void unroll(const std::vector<AsyncStatement>& body, const AsyncRole& role, int tiles, int depth, int pieces, Step at,
            std::vector<Step>& out) {
  for (const AsyncStatement& statement : body) {
    switch (statement.kind) {
      case AsyncKind::for_tiles:
        for (int tile = role.first_tile; tile < tiles; tile += role.tile_step)
          unroll(statement.body, role, tiles, depth, pieces, {nullptr, tile, 0}, out);
        break;
      case AsyncKind::for_depth:
        for (int k = 0; k < depth; ++k) unroll(statement.body, role, tiles, depth, pieces, {nullptr, at.tile, k}, out);
        break;
      case AsyncKind::after_first:
        if (at.depth > 0) unroll(statement.body, role, tiles, depth, pieces, at, out);
        break;
      case AsyncKind::for_pieces:
        for (int piece = 0; piece < pieces; ++piece) unroll(statement.body, role, tiles, depth, pieces, at, out);
        break;
      case AsyncKind::skip:
        out.push_back({&statement, at.tile, depth});
        break;
      default:
        out.push_back({&statement, at.tile, at.depth});
    }
  }
}

// What a stage's share of one operand holds: a piece of this tile at this depth, and how many of its bytes have
// arrived.
struct Slot {
  int tile = -1, depth = -1;
  int arrived = 0;
  int readers = 0;  // products under way
};

// The piece of an operand's tile that one member brings into a stage.
struct Piece {
  int tile = -1, depth = -1;
  bool has_arrived = false;  // its member has waited for it
  bool is_shared = false;    // and has met the others since
  std::vector<bool> read;    // by which members
};

struct BarrierState {
  int pending = 0;  // arrivals missing
  int bytes = 0;    // still to come; may run ahead of the expectation
  bool expected = false;
  int phase = 0;  // completed ones
};

struct Transfer {
  int operand, stage, barrier, bytes, tile, depth;
  std::vector<int> blocks;
};

class Player {
 public:
  Player(const AsyncProgram& program, int tiles, int depth, std::uint64_t seed)
      : program_(program), depth_(depth), random_(seed), blocks_(static_cast<std::size_t>(program.cluster)) {
    for (int b = 0; b < program.cluster; ++b) {
      Block& block = blocks_[static_cast<std::size_t>(b)];
      block.slots.assign(static_cast<std::size_t>(program.stages), std::vector<Slot>(program.operand_bytes.size()));
      for (const AsyncBarrier& barrier : program.barriers) {
        block.barriers.emplace_back(static_cast<std::size_t>(program.stages),
                                    BarrierState{.pending = barrier.arrivals});
      }
      for (const AsyncRole& role : program.roles) {
        for (int member = 0; member < std::max(role.members, 1); ++member) {
          Agent agent{.block = b, .member = member, .role = &role};
          agent.phase = role.starts_free ? 1 : 0;
          unroll(role.body, role, tiles, depth, program.pieces, {nullptr, 0, 0}, agent.steps);
          agent.staging = StagingArea(program.staging_buffers);
          agent.fetched.resize(program.operand_bytes.size());
          agents_.push_back(std::move(agent));
        }
        if (role.members == 0) continue;
        const auto members = static_cast<std::size_t>(role.members);
        const std::vector<Piece> pieces(members, Piece{.read = std::vector<bool>(members)});
        block.pieces.assign(static_cast<std::size_t>(program.stages),
                            std::vector(program.operand_bytes.size(), pieces));
      }
    }
  }

  std::string play() {
    while (fault_.empty()) {
      std::vector<std::size_t> ready;
      bool unfinished = false;
      for (std::size_t a = 0; a < agents_.size(); ++a) {
        if (agents_[a].is_done()) continue;
        unfinished = true;
        if (can_step(agents_[a])) ready.push_back(a);
      }
      const std::size_t choices = ready.size() + transfers_.size();
      if (choices == 0) {
        if (unfinished) fault_ = deadlock();
        break;
      }
      const std::size_t chosen = random_() % choices;
      if (chosen < ready.size())
        step(agents_[ready[chosen]]);
      else
        finish_transfer(chosen - ready.size());
    }
    if (fault_.empty()) check_end();
    return fault_;
  }

 private:
  struct Block {
    std::vector<std::vector<Slot>> slots;                 // by stage and operand
    std::vector<std::vector<std::vector<Piece>>> pieces;  // by stage, operand and member, where the role has members
    std::vector<std::vector<BarrierState>> barriers;
    std::map<int, int> turns;  // passed on, by the consumer that may go
    bool left = false;
  };
  struct Agent {
    int block = 0, member = 0;
    const AsyncRole* role = nullptr;
    std::vector<Step> steps;
    std::size_t next = 0;
    int stage = 0, phase = 0;
    bool fenced = false;
    std::vector<std::pair<int, std::size_t>> open;  // stage and operand of products not yet committed
    std::deque<std::vector<std::pair<int, std::size_t>>> groups;
    std::vector<Piece*> open_copies;  // not yet committed
    std::deque<std::vector<Piece*>> copy_groups;
    std::vector<std::pair<int, int>> fetched;  // of each operand: the tile and step that wait in registers
    StagingArea staging{0};
    bool is_done() const { return next == steps.size(); }
  };

  BarrierState& barrier(int block, int number, int stage) {
    return blocks_[static_cast<std::size_t>(block)]
        .barriers[static_cast<std::size_t>(number)][static_cast<std::size_t>(stage)];
  }
  Slot& slot(int block, int stage, std::size_t operand) {
    return blocks_[static_cast<std::size_t>(block)].slots[static_cast<std::size_t>(stage)][operand];
  }
  std::string where(const Agent& agent) const {
    const Step& step = agent.steps[std::min(agent.next, agent.steps.size() - 1)];
    const std::string member = agent.role->members > 0 ? format(", member {}", agent.member) : "";
    return format("{} of block {}{}, tile {}, step {} along depth", agent.role->name, agent.block, member, step.tile,
                  step.depth);
  }
  void fail(const Agent& agent, const std::string& what) {
    if (fault_.empty()) fault_ = format("{}: {}", where(agent), what);
  }

  // A wait for parity p passes when the phase of that parity has completed: the barrier is in one of the other parity.
  bool has_passed(int block, int number, int stage, int parity) {
    return barrier(block, number, stage).phase % 2 != parity;
  }

  bool can_step(const Agent& agent) {
    const AsyncStatement& s = *agent.steps[agent.next].statement;
    if (s.kind == AsyncKind::wait) return has_passed(agent.block, s.barrier, agent.stage, agent.phase);
    if (s.kind == AsyncKind::turn_wait) {
      return blocks_[static_cast<std::size_t>(agent.block)].turns[agent.role->first_tile] > 0 ||
             agent.steps[agent.next].tile == 0;
    }
    if (s.kind == AsyncKind::drain) {
      int stage = agent.stage, phase = agent.phase;
      for (int k = 0; k < program_.stages; ++k) {
        if (!has_passed(agent.block, s.barrier, stage, phase)) return false;
        if (++stage == program_.stages) stage = 0, phase ^= 1;
      }
    }
    if (s.kind == AsyncKind::meet) {
      return std::ranges::all_of(agents_, [&](const Agent& other) {
        return other.block != agent.block ||
               (!other.is_done() && other.steps[other.next].statement->kind == AsyncKind::meet);
      });
    }
    return true;
  }

  void complete(BarrierState& state, int number) {
    if (state.pending > 0 || state.bytes != 0) return;
    state.pending = program_.barriers[static_cast<std::size_t>(number)].arrivals;
    ++state.phase;
  }

  void arrive(const Agent& agent, int block, int number, int stage, int count) {
    BarrierState& state = barrier(block, number, stage);
    if (blocks_[static_cast<std::size_t>(block)].left)
      return fail(agent, format("arrives at block {}, which has left", block));
    if (state.pending < count) {
      return fail(agent, format("arrives {} times at barrier {} of stage {}, which waits for {}", count,
                                program_.barriers[static_cast<std::size_t>(number)].name, stage, state.pending));
    }
    state.pending -= count;
    complete(state, number);
  }

  void advance(Agent& agent) {
    if (++agent.stage == program_.stages) agent.stage = 0, agent.phase ^= 1;
  }

  void step(Agent& agent) {
    const Step at = agent.steps[agent.next];
    const AsyncStatement& s = *at.statement;
    switch (s.kind) {
      case AsyncKind::wait:
      case AsyncKind::drain:
      case AsyncKind::for_tiles:
      case AsyncKind::for_depth:
      case AsyncKind::after_first:
      case AsyncKind::for_pieces:
        break;
      case AsyncKind::expect: {
        barrier(agent.block, s.barrier, agent.stage).bytes += s.bytes;
        arrive(agent, agent.block, s.barrier, agent.stage, 1);
        break;
      }
      case AsyncKind::load:
        start_load(agent, s, at);
        break;
      case AsyncKind::arrive: {
        const int stage = (agent.stage + program_.stages - s.lag) % program_.stages;
        for (int block = 0; block < program_.cluster; ++block)
          arrive(agent, block, s.barrier, stage, agent.role->arrivals);
        break;
      }
      case AsyncKind::advance:
        advance(agent);
        break;
      case AsyncKind::skip:
        for (int k = 0; k < at.depth; ++k) advance(agent);
        break;
      case AsyncKind::fence:
        agent.fenced = true;
        break;
      case AsyncKind::multiply:
        agent.role->members > 0 ? multiply_pieces(agent, at) : multiply(agent, at);
        break;
      case AsyncKind::copy:
        if (Piece* piece = begin_piece(agent, s, at)) agent.open_copies.push_back(piece);
        break;
      case AsyncKind::fetch:
        agent.fetched[static_cast<std::size_t>(s.operand)] = {at.tile, at.depth + s.ahead};
        break;
      case AsyncKind::keep:
        if (Piece* piece = begin_piece(agent, s, at)) {
          if (agent.fetched[static_cast<std::size_t>(s.operand)] != std::pair(piece->tile, piece->depth)) {
            fail(agent, format("keeps operand {} of another step than it fetched", s.operand));
          }
          piece->has_arrived = true;
        }
        break;
      case AsyncKind::commit_copies:
        agent.copy_groups.push_back(std::exchange(agent.open_copies, {}));
        break;
      case AsyncKind::wait_copies:
        while (static_cast<int>(agent.copy_groups.size()) > s.pending) {
          for (Piece* piece : agent.copy_groups.front()) piece->has_arrived = true;
          agent.copy_groups.pop_front();
        }
        break;
      case AsyncKind::meet:
        return meet(agent.block);
      case AsyncKind::commit:
        agent.groups.push_back(std::exchange(agent.open, {}));
        agent.fenced = false;
        break;
      case AsyncKind::wait_multiplies:
        while (static_cast<int>(agent.groups.size()) > s.pending) {
          for (const auto& [stage, operand] : agent.groups.front()) --slot(agent.block, stage, operand).readers;
          agent.groups.pop_front();
        }
        break;
      case AsyncKind::turn_wait:
        if (at.tile != 0) --blocks_[static_cast<std::size_t>(agent.block)].turns[agent.role->first_tile];
        break;
      case AsyncKind::turn_pass: {
        const int next = (agent.role->first_tile + 1) % agent.role->tile_step;
        ++blocks_[static_cast<std::size_t>(agent.block)].turns[next];
        break;
      }
      case AsyncKind::epilogue:
        check_sums(agent);
        check_ring_is_free(agent);
        break;
      case AsyncKind::wait_stores:
        agent.staging.wait(s.pending);
        break;
      case AsyncKind::stage:
        check_sums(agent);
        agent.staging.write([&](const std::string& what) { fail(agent, what); });
        break;
      case AsyncKind::publish:
        agent.staging.publish();
        break;
      case AsyncKind::store:
        agent.staging.store([&](const std::string& what) { fail(agent, what); });
        break;
    }
    ++agent.next;
    if (agent.is_done()) leave(agent.block);
  }

  void leave(int block) {
    const bool all =
        std::ranges::all_of(agents_, [&](const Agent& agent) { return agent.block != block || agent.is_done(); });
    blocks_[static_cast<std::size_t>(block)].left = all;
  }

  void start_load(Agent& agent, const AsyncStatement& s, const Step& at) {
    Transfer transfer{s.operand, agent.stage, s.barrier, s.bytes, at.tile, at.depth, {}};
    for (int block = 0; block < program_.cluster; ++block) {
      if (block == agent.block || s.multicast) transfer.blocks.push_back(block);
    }
    for (int block : transfer.blocks) {
      Slot& into = slot(block, agent.stage, static_cast<std::size_t>(s.operand));
      if (into.readers > 0)
        return fail(agent, format("overwrites operand {} of stage {} in block {} while it is being read", s.operand,
                                  agent.stage, block));
      if (into.tile != at.tile || into.depth != at.depth) into = {.tile = at.tile, .depth = at.depth};
    }
    transfers_.push_back(std::move(transfer));
  }

  void finish_transfer(std::size_t number) {
    const Transfer done = transfers_[number];
    transfers_.erase(transfers_.begin() + static_cast<std::ptrdiff_t>(number));
    for (int block : done.blocks) {
      Slot& into = slot(block, done.stage, static_cast<std::size_t>(done.operand));
      if (into.tile == done.tile && into.depth == done.depth) into.arrived += done.bytes;
      BarrierState& state = barrier(block, done.barrier, done.stage);
      state.bytes -= done.bytes;
      complete(state, done.barrier);
    }
  }

  void multiply(Agent& agent, const Step& at) {
    if (!agent.fenced) return fail(agent, "multiplies without a fence before it");
    for (std::size_t operand = 0; operand < program_.operand_bytes.size(); ++operand) {
      Slot& from = slot(agent.block, agent.stage, operand);
      if (from.tile != at.tile || from.depth != at.depth) {
        return fail(agent, format("multiplies operand {} of stage {}, which holds tile {}, step {}", operand,
                                  agent.stage, from.tile, from.depth));
      }
      if (from.arrived != program_.operand_bytes[operand]) {
        return fail(agent, format("multiplies operand {} of stage {} when {} of its {} bytes have arrived", operand,
                                  agent.stage, from.arrived, program_.operand_bytes[operand]));
      }
      ++from.readers;
      agent.open.emplace_back(agent.stage, operand);
    }
  }

  // All members go on together, and see what any of them waited for.
  void meet(int block) {
    for (auto& operands : blocks_[static_cast<std::size_t>(block)].pieces) {
      for (auto& pieces : operands) {
        for (Piece& piece : pieces) piece.is_shared = piece.has_arrived;
      }
    }
    for (Agent& agent : agents_) {
      if (agent.block == block) ++agent.next;
    }
    leave(block);
  }

  // The member's piece of the step ahead; null where depth has ended.
  Piece* begin_piece(Agent& agent, const AsyncStatement& s, const Step& at) {
    if (at.depth + s.ahead >= depth_) return nullptr;
    const int stage = (agent.stage + s.ahead) % program_.stages;
    Piece& piece = blocks_[static_cast<std::size_t>(agent.block)].pieces[static_cast<std::size_t>(
        stage)][static_cast<std::size_t>(s.operand)][static_cast<std::size_t>(agent.member)];
    if (piece.tile >= 0 && std::ranges::count(piece.read, false) > 0) {
      fail(agent, format("overwrites operand {} of stage {} before all have read it", s.operand, stage));
      return nullptr;
    }
    piece = {.tile = at.tile, .depth = at.depth + s.ahead, .read = std::vector<bool>(piece.read.size())};
    return &piece;
  }

  void multiply_pieces(Agent& agent, const Step& at) {
    auto& operands = blocks_[static_cast<std::size_t>(agent.block)].pieces[static_cast<std::size_t>(agent.stage)];
    for (std::size_t operand = 0; operand < operands.size(); ++operand) {
      for (std::size_t member = 0; member < operands[operand].size(); ++member) {
        Piece& piece = operands[operand][member];
        const bool is_own = static_cast<int>(member) == agent.member;
        if (piece.tile != at.tile || piece.depth != at.depth) {
          return fail(agent, format("multiplies operand {} of stage {}, where member {} has brought tile {}, step {}",
                                    operand, agent.stage, member, piece.tile, piece.depth));
        }
        if (is_own ? !piece.has_arrived : !piece.is_shared) {
          return fail(agent,
                      format("multiplies operand {} of stage {} before the piece of member {} is sure to be there",
                             operand, agent.stage, member));
        }
        piece.read[static_cast<std::size_t>(agent.member)] = true;
      }
    }
  }

  void check_sums(const Agent& agent) {
    if (agent.groups.empty() && agent.open.empty()) return;
    fail(agent, "reads the accumulators while products are under way");
  }

  void check_ring_is_free(const Agent& agent) {
    for (const auto& operands : blocks_[static_cast<std::size_t>(agent.block)].pieces) {
      for (const auto& pieces : operands) {
        for (const Piece& piece : pieces) {
          if (piece.tile < 0) continue;
          if (!piece.has_arrived) return fail(agent, "lays sums over the ring while copies are under way");
          if (std::ranges::count(piece.read, false) > 0)
            return fail(agent, "lays sums over the ring while others read it");
        }
      }
    }
  }

  std::string deadlock() {
    for (const Agent& agent : agents_) {
      if (agent.is_done()) continue;
      const AsyncStatement& s = *agent.steps[agent.next].statement;
      if (s.kind == AsyncKind::meet) return format("deadlock: {} waits for the others", where(agent));
      const std::string what = s.kind == AsyncKind::wait || s.kind == AsyncKind::drain
                                   ? program_.barriers[static_cast<std::size_t>(s.barrier)].name
                                   : "its turn";
      return format("deadlock: {} waits for {} of stage {}", where(agent), what, agent.stage);
    }
    return "deadlock";
  }

  void check_end() {
    for (const Agent& agent : agents_) {
      if (!agent.groups.empty() || !agent.open.empty())
        fault_ = agent.role->name + " ends while products are under way";
      if (agent.staging.is_read()) fault_ = agent.role->name + " ends while stores read its buffers";
      if (!agent.open_copies.empty()) fault_ = agent.role->name + " ends with copies that no group has";
    }
    if (!transfers_.empty()) fault_ = "a load is under way when the block ends";
  }

  const AsyncProgram& program_;
  const int depth_;
  std::mt19937_64 random_;
  std::vector<Block> blocks_;
  std::vector<Agent> agents_;
  std::vector<Transfer> transfers_;
  std::string fault_;
};

}  // namespace

std::vector<std::string> verify(const AsyncProgram& program, int shared_limit, int rounds) {
  std::vector<std::string> faults = resource_faults(program, shared_limit);
  for (int round = 0; round < rounds && faults.empty(); ++round) {
    const int tiles = round % 4, depth = 1 + (round * 3) % (2 * program.stages + 2);
    const std::string fault = Player(program, tiles, depth, static_cast<std::uint64_t>(round) + 1).play();
    if (!fault.empty()) faults.push_back(format("{} tiles of depth {}: {}", tiles, depth, fault));
  }
  return faults;
}

}  // namespace hyperion::codegen
