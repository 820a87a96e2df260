#include "runtime/cuda/compile_log.hpp"

#include <charconv>
#include <optional>

namespace hyperion::runtime::cuda {
namespace {

// The text between the first pair of quotes after `key`.
std::optional<std::string> quoted_after(std::string_view line, std::string_view key) {
  const std::size_t at = line.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const std::size_t begin = line.find('\'', at);
  if (begin == std::string_view::npos) return std::nullopt;
  const std::size_t end = line.find('\'', begin + 1);
  if (end == std::string_view::npos) return std::nullopt;
  return std::string(line.substr(begin + 1, end - begin - 1));
}

// The number that stands before `unit`: 64 in "Used 64 registers".
template <class T>
void read_before(std::string_view line, std::string_view unit, T& value) {
  const std::size_t end = line.find(unit);
  if (end == std::string_view::npos) return;
  std::size_t begin = end;
  while (begin > 0 && line[begin - 1] >= '0' && line[begin - 1] <= '9') --begin;
  std::from_chars(line.data() + begin, line.data() + end, value);
}

// "C7510" where a line has "(C7510)".
std::optional<std::string> advisory_code(std::string_view line) {
  const std::size_t at = line.find("(C75");
  if (at == std::string_view::npos) return std::nullopt;
  const std::size_t end = line.find(')', at);
  if (end == std::string_view::npos) return std::nullopt;
  return std::string(line.substr(at + 1, end - at - 1));
}

}  // namespace

CompileLog read_compile_log(std::string_view log) {
  CompileLog read;
  KernelFigures* kernel = nullptr;
  while (!log.empty()) {
    const std::string_view line = log.substr(0, log.find('\n'));
    log.remove_prefix(std::min(log.size(), line.size() + 1));
    if (auto code = advisory_code(line)) {
      read.advisories.push_back({*std::move(code), std::string(line)});
    } else if (auto name = quoted_after(line, "Compiling entry function ")) {
      kernel = &read.kernels.emplace_back();
      kernel->name = *std::move(name);
    } else if (kernel != nullptr && line.find("bytes stack frame") != std::string_view::npos) {
      read_before(line, " bytes stack frame", kernel->stack_bytes);
      read_before(line, " bytes spill stores", kernel->spill_store_bytes);
      read_before(line, " bytes spill loads", kernel->spill_load_bytes);
    } else if (kernel != nullptr && line.find(" registers") != std::string_view::npos) {
      read_before(line, " registers", kernel->registers);
      read_before(line, " barriers", kernel->barriers);
      read_before(line, " bytes smem", kernel->shared_bytes);
      read_before(line, " bytes cmem[0]", kernel->constant_bytes);
    }
  }
  return read;
}

}  // namespace hyperion::runtime::cuda
