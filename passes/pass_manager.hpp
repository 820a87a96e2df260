// pass_manager.hpp: pipelines as values, and running them under instrumentation.
//
// A pipeline is what its text says: `canonicalize{policy=fast}, @after_canonicalize, cse, dce`. Passes run from left to
// right; `@name` is a phase, a named place at which plugins insert and tools stop or resume. The printed form holds every
// option that differs from its default, reads back as the same pipeline, and is hashed into cache keys and reproducers.
//
//   HYP_TRY(const Pipeline pipeline, Pipeline::parse("canonicalize, dce", diagnostics));
//   HYP_TRY(const Changed changed, run(pipeline, module, diagnostics));
//
// Grammar:  pipeline = [step {"," step}]     step = name ["{" {option "=" value [","]} "}"]  |  "@" name
//           value = number | true | false | word | "text"
//
// Everything that is not transformation is an Instrumentation: printing, timing, verifying, bisection, tracing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/support/hash.hpp"
#include "passes/pass.hpp"
#include "passes/rewriter.hpp"

namespace hyperion::passes {

struct Step {
  const PassDefinition* pass = nullptr;  // null: a phase
  ir::Attributes options = {};           // complete
  std::string phase = {};                // without the @

  bool is_phase() const { return pass == nullptr; }
  std::string text() const;  // "canonicalize{policy=fast}", "@after_fuse"
};

class Pipeline {
 public:
  // Reports pass.syntax, pass.unknown and pass.option, with the place in `text` marked.
  static Result<Pipeline> parse(std::string_view text, Diagnostics& diagnostics);

  // Builders for pipelines written in C++. REQUIRES: the pass and its options exist; options left out keep defaults.
  Pipeline& add(std::string_view pass, ir::Attributes options = {});
  Pipeline& phase(std::string_view name);
  Pipeline& append(const Pipeline& other);
  // Inserts behind the phase. ENSURES: false if there is no such phase.
  bool insert_at(std::string_view phase, const Pipeline& steps);

  const std::vector<Step>& steps() const { return steps_; }
  std::string text() const;
  Hash128 hash() const;

 private:
  std::vector<Step> steps_;
};

// What is told about one step of a run. `index` counts passes that were offered, so that "stop after the n-th" can be
// reproduced.
struct PassEvent {
  const Step& step;
  std::size_t index;
  const ir::Module& module;
};

// All hooks are optional. Hooks run in the order the instrumentations were given, `after` in reverse.
class Instrumentation : public RewriteListener {
 public:
  virtual bool should_run(const PassEvent&) { return true; }  // bisection
  virtual void before_pass(const PassEvent&) {}
  // A failure stops the pipeline; the hook has reported why.
  virtual Result<> after_pass(const PassEvent&, Changed, Diagnostics&) { return {}; }
  virtual void failed_pass(const PassEvent&) {}
  virtual void reached_phase(std::string_view, const ir::Module&) {}
  void rewritten(const RewriteEvent&) override {}
};

struct RunOptions {
  std::vector<Instrumentation*> instrumentations = {};
  // Verify the module after each pass that changed it.
#ifdef NDEBUG
  bool verify_each = false;
#else
  bool verify_each = true;
#endif
};

Result<Changed> run(const Pipeline& pipeline, ir::Module& module, Diagnostics& diagnostics,
                    const RunOptions& options = {});

// Wall time per step, in order of running.
class Timing : public Instrumentation {
 public:
  struct Row {
    std::string step;
    double milliseconds = 0;
    std::size_t rewrites = 0;
    bool changed = false;
  };
  const std::vector<Row>& rows() const { return rows_; }
  std::string table() const;  // aligned, with a total

  void before_pass(const PassEvent& event) override;
  Result<> after_pass(const PassEvent& event, Changed changed, Diagnostics& diagnostics) override;
  void rewritten(const RewriteEvent&) override { ++rewrites_; }

 private:
  std::vector<Row> rows_;
  std::int64_t started_ns_ = 0;
  std::size_t rewrites_ = 0;
};

// Runs the first `limit` passes only: what hyperion-opt bisects with.
class RunLimit : public Instrumentation {
 public:
  explicit RunLimit(std::size_t limit) : limit_(limit) {}
  bool should_run(const PassEvent& event) override { return event.index < limit_; }

 private:
  std::size_t limit_;
};

}  // namespace hyperion::passes
