// compile_log.hpp: what NVRTC and its assembler say about a program, as figures.
//
// With -Xptxas=-v the assembler prints, for each kernel, registers, stack, spills, shared memory
// and barriers. Advisories, numbered C75xx, say that it gave up on something that the source relies
// on: register budgets ignored, wgmma serialised. They come even where warnings are off. A schedule
// that promises none of that must be dropped when it meets one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hyperion::runtime::cuda {

struct KernelFigures {
  std::string name;
  int registers = 0;
  int barriers = 0;
  std::uint64_t stack_bytes = 0;
  std::uint64_t spill_store_bytes = 0;
  std::uint64_t spill_load_bytes = 0;
  std::uint64_t shared_bytes = 0;  // static
  std::uint64_t constant_bytes = 0;

  bool spills() const { return spill_store_bytes + spill_load_bytes != 0; }
  friend bool operator==(const KernelFigures&, const KernelFigures&) = default;
};

struct Advisory {
  std::string code;  // "C7510"
  std::string text;  // the whole line
  friend bool operator==(const Advisory&, const Advisory&) = default;
};

struct CompileLog {
  std::vector<KernelFigures> kernels;
  std::vector<Advisory> advisories;
  friend bool operator==(const CompileLog&, const CompileLog&) = default;
};

// Unknown lines are ignored.
CompileLog read_compile_log(std::string_view log);

}  // namespace hyperion::runtime::cuda
