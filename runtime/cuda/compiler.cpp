#include "runtime/cuda/compiler.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "ir/support/format.hpp"
#include "runtime/cuda/driver.hpp"
#include "runtime/cuda/problem.hpp"

namespace hyperion::runtime::cuda {
namespace {

// Raised when the payload of a cache entry changes its meaning.
constexpr std::string_view kFormat = "cubin 1";

// How much of NVRTC's report an error quotes.
constexpr std::size_t kReportBytes = 4000;

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// A cache entry: the length of the log, the log, the cubin.
std::vector<std::byte> pack(const Program& program) {
  const std::uint64_t length = program.log_text.size();
  std::vector<std::byte> bytes(sizeof length + length + program.cubin.size());
  std::memcpy(bytes.data(), &length, sizeof length);
  std::memcpy(bytes.data() + sizeof length, program.log_text.data(), length);
  std::ranges::copy(program.cubin,
                    bytes.begin() + static_cast<std::ptrdiff_t>(sizeof length + length));
  return bytes;
}

std::optional<Program> unpack(std::span<const std::byte> bytes, const CompileRequest& request) {
  std::uint64_t length = 0;
  if (bytes.size() < sizeof length) return std::nullopt;
  std::memcpy(&length, bytes.data(), sizeof length);
  bytes = bytes.subspan(sizeof length);
  if (bytes.size() <= length) return std::nullopt;
  Program program;
  program.name = request.name;
  program.log_text.assign(reinterpret_cast<const char*>(bytes.data()), length);
  program.log = read_compile_log(program.log_text);
  program.cubin.assign(bytes.begin() + static_cast<std::ptrdiff_t>(length), bytes.end());
  program.from_cache = true;
  return program;
}

class ProgramHandle {
 public:
  ProgramHandle(Nvrtc& nvrtc, nvrtcProgram program) : nvrtc_(nvrtc), program_(program) {}
  ~ProgramHandle() { nvrtc_.nvrtcDestroyProgram(&program_); }
  ProgramHandle(const ProgramHandle&) = delete;
  ProgramHandle& operator=(const ProgramHandle&) = delete;
  nvrtcProgram get() const { return program_; }

 private:
  Nvrtc& nvrtc_;
  nvrtcProgram program_;
};

StatusOr<> check(Nvrtc& nvrtc, nvrtcResult result, std::string_view call,
                 const CompileRequest& request) {
  if (result == NVRTC_SUCCESS) return {};
  return problem_error(Problem::compile, format("{}: {}", call, nvrtc.result_text(result)),
                       request.name);
}

// 90 of "sm_90a"; 0 when it is no such name.
int number_of(std::string_view architecture) {
  int number = 0;
  if (!architecture.starts_with("sm_")) return 0;
  for (const char c : architecture.substr(3)) {
    if (c < '0' || c > '9') break;
    number = number * 10 + (c - '0');
  }
  return number;
}

StatusOr<> check_architecture(Nvrtc& nvrtc, const CompileRequest& request) {
  int count = 0;
  HYP_TRY_VOID(
      check(nvrtc, nvrtc.nvrtcGetNumSupportedArchs(&count), "nvrtcGetNumSupportedArchs", request));
  std::vector<int> known(static_cast<std::size_t>(std::max(count, 0)));
  HYP_TRY_VOID(
      check(nvrtc, nvrtc.nvrtcGetSupportedArchs(known.data()), "nvrtcGetSupportedArchs", request));
  if (std::ranges::find(known, number_of(request.architecture)) != known.end()) return {};
  return problem_error(
      Problem::architecture,
      format("NVRTC {} does not know '{}', only sm_{}", version_text(nvrtc.version()),
             request.architecture, fmt::join(known, ", sm_")),
      request.name);
}

std::string read_log(Nvrtc& nvrtc, nvrtcProgram program) {
  std::size_t bytes = 0;
  if (nvrtc.nvrtcGetProgramLogSize(program, &bytes) != NVRTC_SUCCESS || bytes == 0) return {};
  std::string log(bytes, '\0');
  if (nvrtc.nvrtcGetProgramLog(program, log.data()) != NVRTC_SUCCESS) return {};
  log.resize(std::strlen(log.c_str()));  // its size counts the zero at the end
  return log;
}

}  // namespace

// C++20 is the newest that NVRTC 13.0 takes. Functions without a mark are the device's, so that
// shared scalar functions need none. The assembler reports registers and spills.
std::vector<std::string> standard_options(int nvrtc_version) {
  std::vector<std::string> options = {"--std=c++20", "-default-device", "--minimal", "-Xptxas=-v"};
  // From 12.9 on NVRTC keeps a cache of its own where there is a driver. What comes out of it has
  // no log, so spills and advisories would be seen only once; and we have a cache.
  if (nvrtc_version >= 12090) options.emplace_back("--no-cache");
  return options;
}

StatusOr<std::shared_ptr<Nvrtc>> Compiler::nvrtc() {
  std::lock_guard lock(mutex_);
  if (options_.nvrtc == nullptr) {
    HYP_TRY(options_.nvrtc, Nvrtc::load());
  }
  return options_.nvrtc;
}

// Each part with its length, so that no two requests run into the same bytes.
Hash128 Compiler::key(const CompileRequest& request, int nvrtc_version) {
  std::string text;
  const auto append = [&](std::string_view part) { text += format("{}:{};", part.size(), part); };
  append(kFormat);
  append(version_text(nvrtc_version));
  append(request.architecture);
  for (const std::string& option : standard_options(nvrtc_version)) append(option);
  append("");
  for (const std::string& option : request.options) append(option);
  append("");
  append(request.source);
  return hash_text(text);
}

StatusOr<Program> Compiler::compile(const CompileRequest& request) {
  const double start = now_seconds();
  HYP_TRY(const std::shared_ptr<Nvrtc> nvrtc, this->nvrtc());
  const Hash128 key = Compiler::key(request, nvrtc->version());
  if (options_.cache != nullptr) {
    if (const auto payload = options_.cache->get(key)) {
      if (std::optional<Program> program = unpack(*payload, request)) {
        program->seconds = now_seconds() - start;
        return *std::move(program);
      }
    }
  }
  HYP_TRY(Program program, compile_now(*nvrtc, request));
  if (options_.cache != nullptr) options_.cache->put(key, pack(program));
  program.seconds = now_seconds() - start;
  return program;
}

StatusOr<Program> Compiler::compile_now(Nvrtc& nvrtc, const CompileRequest& request) {
  HYP_TRY_VOID(check_architecture(nvrtc, request));
  nvrtcProgram created = nullptr;
  HYP_TRY_VOID(check(nvrtc,
                     nvrtc.nvrtcCreateProgram(&created, request.source.c_str(),
                                              request.name.c_str(), 0, nullptr, nullptr),
                     "nvrtcCreateProgram", request));
  const ProgramHandle handle(nvrtc, created);

  const std::string architecture = "--gpu-architecture=" + request.architecture;
  const std::vector<std::string> standard = standard_options(nvrtc.version());
  std::vector<const char*> options = {architecture.c_str()};
  for (const std::string& option : standard) options.push_back(option.c_str());
  for (const std::string& option : request.options) options.push_back(option.c_str());
  const nvrtcResult result =
      nvrtc.nvrtcCompileProgram(handle.get(), static_cast<int>(options.size()), options.data());
  Program program;
  program.name = request.name;
  program.log_text = read_log(nvrtc, handle.get());
  if (result == NVRTC_ERROR_BUILTIN_OPERATION_FAILURE) {
    return problem_error(Problem::nvrtc_builtins, program.log_text, request.name);
  }
  if (result != NVRTC_SUCCESS) {
    return problem_error(
        Problem::compile,
        format("{}\n{}", nvrtc.result_text(result), program.log_text.substr(0, kReportBytes)),
        request.name);
  }
  program.log = read_compile_log(program.log_text);

  std::size_t bytes = 0;
  HYP_TRY_VOID(
      check(nvrtc, nvrtc.nvrtcGetCUBINSize(handle.get(), &bytes), "nvrtcGetCUBINSize", request));
  program.cubin.resize(bytes);
  HYP_TRY_VOID(
      check(nvrtc, nvrtc.nvrtcGetCUBIN(handle.get(), reinterpret_cast<char*>(program.cubin.data())),
            "nvrtcGetCUBIN", request));
  return program;
}

std::vector<StatusOr<Program>> Compiler::compile_all(std::span<const CompileRequest> requests,
                                                     ThreadPool& pool) {
  std::vector<StatusOr<Program>> programs(requests.size());
  pool.parallel_for(static_cast<std::int64_t>(requests.size()),
                    [&](std::int64_t begin, std::int64_t end, int) noexcept {
                      for (std::int64_t i = begin; i < end; ++i) {
                        const auto at = static_cast<std::size_t>(i);
                        programs[at] = compile(requests[at]);
                      }
                    });
  return programs;
}

}  // namespace hyperion::runtime::cuda
