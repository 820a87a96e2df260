// cuda_testing.hpp: what this machine can do for CUDA: print, compile, or run. Tests go as far as it allows.
#pragma once

#include <gtest/gtest.h>

#include <optional>

#include "codegen/driver/run.hpp"
#include "codegen/driver/target_of.hpp"
#include "runtime/cuda/compiler.hpp"
#include "runtime/cuda/nvrtc.hpp"

namespace hyperion::testing_support {

inline bool has_nvrtc() {
  static const bool found = runtime::cuda::Nvrtc::load().has_value();
  return found;
}

// The first GPU; null where there is none.
inline const codegen::RunSite* gpu() {
  static const std::optional<codegen::RunSite> site = []() -> std::optional<codegen::RunSite> {
    auto opened = codegen::RunSite::open("cuda:0");
    return opened ? std::optional(*std::move(opened)) : std::nullopt;
  }();
  return site ? &*site : nullptr;
}

// Of the GPU here, or of an H200.
inline codegen::CudaTarget cuda_target(bool bitwise) {
  codegen::CudaTarget target = *codegen::cuda_target("sm_90a");
  if (gpu() != nullptr) target = std::get<codegen::CudaTarget>(*codegen::target_of(gpu()->device));
  target.bitwise = bitwise;
  return target;
}

// Up to what a machine can do without a GPU: kernels are verified, printed, and compiled if there is an NVRTC.
inline void expect_code(const ir::Module& module, const codegen::DriverOptions& options,
                        const std::string& function = "samples") {
  codegen::StageListener listener{.wants_code = has_nvrtc()};
  listener.module = [&](codegen::Stage stage, const ir::Module& shown) {
    Diagnostics defects;
    if (stage == codegen::Stage::kernels) {
      EXPECT_TRUE(ir::verify(shown, defects)) << defects.render();
    }
  };
  const std::unique_ptr<ir::Module> copy = module.clone();
  const auto compiled = codegen::compile(*copy, function, options, listener);
  EXPECT_TRUE(compiled) << compiled.error().text();
}

// REQUIRES: has_nvrtc(). The source compiles without spills, and without advice from the assembler. `what`: for messages.
inline void expect_clean_code(const std::string& source, const std::string& architecture, const std::string& what) {
  runtime::cuda::Compiler compiler;
  const auto program = compiler.compile(
      {.name = "product.cu", .source = source, .architecture = architecture, .options = {"--fmad=false"}});
  ASSERT_TRUE(program) << what << "\n" << program.error().text();
  EXPECT_TRUE(program->log.advisories.empty()) << what << "\n" << program->log_text;
  for (const auto& kernel : program->log.kernels) EXPECT_FALSE(kernel.spills()) << what << "\n" << program->log_text;
}

}  // namespace hyperion::testing_support
