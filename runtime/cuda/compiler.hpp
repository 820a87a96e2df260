// compiler.hpp: CUDA C++ in, machine code of one GPU architecture out.
//
//   auto compiler = Compiler::create({.cache = &cache});
//   auto program = (*compiler)->compile({.name = "scale.cu", .source = text, .architecture =
//   "sm_90a"}); program->cubin, program->log.kernels[0].registers
//
// No GPU is needed: a machine without one compiles for any architecture that its NVRTC knows.
//
// A program is known by its content: hash of source, options, architecture and the compiler's
// version. What is in the disk cache is not compiled again.
//
// The same options always stand in front (standard_options()); a request adds its own. Kernels are
// `extern "C"`, so that their names are what the source says.
//
// Thread safety: all functions.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/support/hash.hpp"
#include "ir/support/status.hpp"
#include "runtime/cache.hpp"
#include "runtime/cpu/thread_pool.hpp"
#include "runtime/cuda/compile_log.hpp"
#include "runtime/cuda/nvrtc.hpp"

namespace hyperion::runtime::cuda {

// What every program is compiled with by this version of NVRTC.
std::vector<std::string> standard_options(int nvrtc_version);

struct CompileRequest {
  std::string name;  // in messages: "softmax.cu"
  std::string source;
  std::string architecture;  // "sm_90a"
  std::vector<std::string> options;
};

struct Program {
  std::string name;
  std::vector<std::byte> cubin;
  std::string log_text;
  CompileLog log;
  bool from_cache = false;
  double seconds = 0;  // of this thread, to compile or to find it in the cache
};

struct CompilerOptions {
  // Null: found by Nvrtc::load() when first needed.
  std::shared_ptr<Nvrtc> nvrtc;
  // Null: nothing is kept. Must outlive the compiler.
  DiskCache* cache = nullptr;
};

class Compiler {
 public:
  explicit Compiler(CompilerOptions options = {}) : options_(std::move(options)) {}

  // no_nvrtc, architecture, nvrtc_builtins, or compile with NVRTC's own report.
  StatusOr<Program> compile(const CompileRequest& request);

  // All at once on the pool's threads, the caller's among them; one result for each request.
  std::vector<StatusOr<Program>> compile_all(std::span<const CompileRequest> requests,
                                             ThreadPool& pool);

  // The compiler itself, opened if need be.
  StatusOr<std::shared_ptr<Nvrtc>> nvrtc();

  static Hash128 key(const CompileRequest& request, int nvrtc_version);

 private:
  StatusOr<Program> compile_now(Nvrtc& nvrtc, const CompileRequest& request);

  CompilerOptions options_;
  std::mutex mutex_;  // guards options_.nvrtc
};

}  // namespace hyperion::runtime::cuda
