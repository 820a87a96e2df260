#include "passes/pipelines.hpp"

namespace hyperion::passes {
namespace {

std::string policy_name(Tag policy) {
  switch (policy) {
    case Tag::same_bits: return "strict";
    case Tag::same_but_sign_of_zero: return "signless_zero";
    case Tag::same_over_reals: return "fast";
  }
  return "strict";
}

}  // namespace

Pipeline default_pipeline(Tag policy, const std::string& entry) {
  Pipeline p;
  p.phase("after_record");
  // Derivatives and checkpoints arrive as calls, models as composites. Written out, both are ops that rules can see
  // together; barriers, not calls, keep recomputation apart from what it recomputes.
  p.add("inline", {{"entry", entry}}).add("expand");
  // A recorded graph repeats what its user repeated, and derivative rules more so. Equal ops merge first, so that rules
  // that want one value twice (x - x, select(p, x, x)) find it.
  p.add("cse").add("canonicalize", {{"policy", policy_name(policy)}});
  p.phase("after_canonicalize");
  // Convolutions turn to the layout their kernels read; the second canonicalize cancels the transpositions between them,
  // and takes those at contractions in.
  p.add("layout").add("canonicalize", {{"policy", policy_name(policy)}});
  // Rewriting made new equal ops, and left behind what nobody uses.
  p.add("cse").add("dce");
  p.phase("before_fuse");
  return p;
}

}  // namespace hyperion::passes
