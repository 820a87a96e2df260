// graph_internal.hpp: what graph.cpp and evaluate.cpp share: the life of a node after it was recorded.
#pragma once

#include "frontend/graph.hpp"

namespace hyperion::frontend {

// A node that was recorded and not evaluated, and how many references it had before this one was taken.
struct PendingNode {
  NodeRef node;
  std::uint32_t references = 0;
};
// All of them, oldest first.
std::vector<PendingNode> pending_nodes();

// Gives a node its values; it forgets how they came to be. REQUIRES: graph_mutex() is held.
void settle(Node* node, std::vector<Array> values);

// Evaluates every node that the program still holds. Called when too many nodes are pending.
void evaluate_held(Location where);

// When little could be evaluated (a trace is open), the next attempt waits for that many nodes more.
void relax_threshold();
void restore_threshold();

std::uint64_t recorded_op_count();

}  // namespace hyperion::frontend
