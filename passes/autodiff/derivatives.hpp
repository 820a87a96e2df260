// derivatives.hpp: what jvp and transpose share while one public transform runs: the functions derived so far.
//
// Checkpointed calls and control flow need derivatives of other functions as functions (ir::FunctionTransforms is how the
// rules of cond, while and scan ask for them, and for batched functions). Each is derived once; at the end
// of the transform, those that nothing calls are erased again, so only what the result uses stays in the module.
//
// Thread safety: one thread per module.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "ir/transforms.hpp"
#include "passes/autodiff/transpose.hpp"
#include "passes/selection.hpp"

namespace hyperion::passes {

class Derivatives final : public ir::FunctionTransforms {
 public:
  explicit Derivatives(ir::Module& module) : module_(module) {}
  ~Derivatives() override;  // erases derived functions without callers
  Derivatives(const Derivatives&) = delete;
  Derivatives& operator=(const Derivatives&) = delete;

  ir::Module& module() const override { return module_; }

  // The derived functions of passes/autodiff/{jvp,transpose}.hpp, under a name of our choosing.
  ir::Function& jvp(const ir::Function& f, const Selection& active);
  ir::Function& transpose(const ir::Function& f, const Selection& linear);

  // Writes them instead into a function that the caller names and keeps.
  ir::Function& write_jvp(const ir::Function& f, const Selection& active, std::string name);
  ir::Function& write_transpose(const ir::Function& f, const Selection& linear, std::string name);

  // The first op that transposing met and could not turn around. What was transposed since is not to be used.
  const std::optional<Irreversible>& irreversible() const { return irreversible_; }
  void cannot_reverse(Irreversible met) {
    if (!irreversible_) irreversible_ = std::move(met);
  }

  const ir::Function& jvp_of(const ir::Function& f, const std::vector<bool>& active) override { return jvp(f, active); }
  const ir::Function& transpose_of(const ir::Function& f, const std::vector<bool>& linear) override {
    return transpose(f, linear);
  }
  std::vector<bool> linear_results_of(const ir::Function& f, const std::vector<bool>& linear) override;
  const ir::Function& vmap_of(const ir::Function& f, const std::vector<bool>& batched, Dim size) override;
  const ir::Function& add(std::unique_ptr<ir::Function> function) override;

 private:
  using Key = std::tuple<std::string, std::string, Selection>;  // transform, function, positions

  ir::Module& module_;
  std::map<Key, ir::Function*> derived_;
  std::optional<Irreversible> irreversible_;
};

// A value with its tangent; an invalid tangent is zero.
struct Dual {
  ir::Value primal;
  ir::Value tangent;
};

// Appends the body of `f` on dual numbers. `keep_names`: results of ops keep their names (they must be free).
std::vector<Dual> emit_jvp(Derivatives& derivatives, ir::Builder& builder, const ir::Function& f,
                           std::span<const Dual> arguments, bool keep_names = false);

struct Transposed {
  std::vector<ir::Value> results;     // of `f`; invalid where linear
  std::vector<ir::Value> cotangents;  // of the parameters; invalid where not linear, or zero
};
// Appends the nonlinear ops of `f`, then its linear ops transposed. `arguments` are invalid where the parameter is linear,
// `cotangents` are those of the results, invalid where not linear, or zero.
Transposed emit_transpose(Derivatives& derivatives, ir::Builder& builder, const ir::Function& f,
                          const Selection& linear, std::span<const ir::Value> arguments,
                          std::span<const ir::Value> cotangents, bool keep_names = false);

}  // namespace hyperion::passes
