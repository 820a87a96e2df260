// async_program.hpp: who does what in a kernel whose loads and products run by themselves: the roles of a block, the
// memory they share, and the barriers between them, as data.
//
// On Hopper a block is split: one role asks the tensor memory accelerator for tiles, others feed tiles to the tensor
// cores, and barriers in shared memory say when a tile has arrived (`full`) and when it may be overwritten (`empty`). A
// mistake there is a deadlock or a wrong number once in a thousand runs. So the structure is data first: verify() plays
// it on the CPU, in many orders, and only what it accepts is printed.
//
// Before Hopper a block is not split. All its warps copy pieces of the tiles to come, each waits for its own, and when
// all have met, everybody's pieces are there to be multiplied: a role with `members`.
//
//   ring     stages of shared memory, each holding a tile of every operand
//   cursor   a role's place in the ring: stage and phase; advances together with the loop over depth
//
// Memory model, barriers and instructions: PTX ISA 8.0, sections on mbarrier, cp.async(.bulk.tensor), wgmma and mma.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hyperion::codegen {

enum class AsyncKind : std::uint8_t {
  // The structure of a role.
  for_tiles,    // body, once for each tile of this block (of every `step`th, from number `first`, with consumers taking
                // turns)
  for_depth,    // body, once for each step along depth
  after_first,  // body, in all iterations of the loop over depth but the first
  // The ring.
  wait,    // until the barrier's phase at the cursor has completed
  expect,  // arrives at the barrier, which then waits for `bytes` more
  load,  // tile of `operand` into the cursor's stage; counts its bytes at the barrier, in every block that receives it
  arrive,   // at the barrier, of the stage `lag` behind the cursor; in every block of the cluster
  advance,  // the cursor, by one stage
  skip,     // the cursor, by the stages of one tile: another consumer's
  drain,    // waits until every stage has been given back, so that no block leaves while others arrive at it
  // The ring, where every member brings its own piece of a tile. `ahead`: of this many steps of depth from here, into
  // the
  // stage as far ahead of the cursor; nothing where depth has ended.
  copy,  // starts to copy the piece of `operand`
  fetch,
  keep,           // the same by way of registers: reads the piece; writes it to the stage
  commit_copies,  // the copies since the last commit are a group, be it empty
  wait_copies,    // until at most `pending` of this member's groups are under way
  meet,           // until all members are here: then all have what any of them waited for
  // Tensor cores.
  fence,            // registers before products that write them
  multiply,         // the cursor's stage into the accumulators; done when it returns, if the role has members
  commit,           // the products since the last commit are a group
  wait_multiplies,  // until at most `pending` groups are under way
  // The result.
  turn_wait,
  turn_pass,  // consumers' turns at the tensor cores
  epilogue,   // reads the accumulators; lays them out over the ring, if the role has members
  // The result by way of staging buffers, which are the role's own and taken one after another.
  for_pieces,   // body, once for each piece of the result
  wait_stores,  // until at most `pending` of this role's stores still read their buffers
  stage,        // reads the accumulators of a piece, writes them to the next buffer
  publish,      // what was staged, to the asynchronous engines
  store,        // starts to store what was staged last
};

struct AsyncStatement {
  AsyncKind kind;
  int barrier = 0;  // index into AsyncProgram::barriers
  int operand = 0;
  int bytes = 0;  // expect: all of a stage. load: of this load, into each block that receives it
  int pending = 0;
  int lag = 0;
  int ahead = 0;
  bool multicast = false;  // load: into every block of the cluster, each loading its share
  std::vector<AsyncStatement> body;
};

struct AsyncRole {
  std::string name;
  int threads = 128;                  // that run it
  int members = 0;                    // parts of the role that run side by side and meet: its warps; 0: the role is one
  int arrivals = 1;                   // of one `arrive` of this role, at each block
  int registers = 0;                  // a thread; 0: as launched
  int first_tile = 0, tile_step = 1;  // of the block's tiles
  bool starts_free = false;           // its cursor's phase at first: true for the one that waits for empty stages
  std::vector<AsyncStatement> body;
};

struct AsyncBarrier {
  std::string name;
  int arrivals = 1;  // that complete a phase
};

struct AsyncProgram {
  int stages = 4;
  int staging_buffers = 0;             // of each role that stages its results
  int pieces = 1;                      // of a role's result
  int cluster = 1;                     // blocks
  std::vector<int> operand_bytes;      // of each operand, in a stage of one block
  std::vector<AsyncBarrier> barriers;  // one of each for every stage
  std::vector<AsyncRole> roles;
  int shared_bytes = 0;        // in all
  int launch_registers = 168;  // a thread, before roles change it
  int threads = 384;
  int blocks = 1;  // that share a multiprocessor's registers
};

// What does not fit: shared memory, registers, threads.
std::vector<std::string> resource_faults(const AsyncProgram& program, int shared_limit);

// What is wrong with it; empty: nothing was found. Limits: `shared_limit` bytes a block, 64 Ki registers a
// multiprocessor. Plays `rounds` random interleavings of two and three tiles and several depths, in one cluster.
std::vector<std::string> verify(const AsyncProgram& program, int shared_limit, int rounds = 24);

}  // namespace hyperion::codegen
