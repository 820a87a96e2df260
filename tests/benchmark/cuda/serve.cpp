#include "tests/benchmark/cuda/serve.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "ir/support/format.hpp"
#include "tests/benchmark/cuda/gpu.hpp"

namespace hyperion::benchmark {
namespace {

std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  std::ranges::replace(text, '\t', ' ');
  return text;
}

class Server {
 public:
  explicit Server(Gpu& gpu) : gpu_(gpu), cases_(all_cases()) {}

  std::string answer(const std::string& request) {
    try {
      const std::size_t tab = std::min(request.find('\t'), request.size());
      const std::string word = request.substr(0, tab), rest = tab < request.size() ? request.substr(tab + 1) : "";
      if (word == "release") return release();
      StatusOr<std::string> answered = word == "prepare" ? prepare(rest) : measure(rest);
      return answered ? *answered : absent(request, answered.error().text());
    } catch (const Error& error) {
      return absent(request, error.what());
    }
  }

 private:
  // All of it goes into the log, since a row shows just the beginning.
  static std::string absent(const std::string& request, const std::string& why) {
    std::fprintf(stderr, "%s: %s\n", request.c_str(), why.c_str());
    return "absent\t" + one_line(why);
  }

  StatusOr<std::string> prepare(const std::string& key) {
    const auto found = std::ranges::find_if(cases_, [&](const Case& c) { return c.key() == key; });
    if (found == cases_.end()) return error_status(Code::not_found, "no case " + key);
    current_ = &*found;
    if (found->make) {
      HYP_TRY(run_, found->make(gpu_));
    } else if (found->program) {
      HYP_TRY(run_, LoadedCase::create(gpu_, *found));
    }
    return "ready\tHyperion";
  }

  StatusOr<std::string> measure(const std::string& arguments) {
    if (current_ == nullptr) return error_status(Code::failed_precondition, "nothing is prepared");
    const int count = std::max(1, std::atoi(arguments.substr(arguments.find('\t') + 1).c_str()));
    std::vector<double> seconds;
    switch (current_->clock) {
      case Clock::device: {
        HYP_TRY(seconds, gpu_.device_seconds(*run_, count));
        break;
      }
      case Clock::wall: {
        HYP_TRY(const double mean, gpu_.wall_seconds(*run_, count));
        seconds.push_back(mean);
        break;
      }
      case Clock::once:
        for (int k = 0; k < count; ++k) {
          HYP_TRY(const double once, current_->sample(gpu_));
          seconds.push_back(once);
        }
        break;
    }
    return format("seconds\t{}", fmt::join(seconds, " "));
  }

  std::string release() {
    run_.reset();
    current_ = nullptr;
    gpu_.trim();
    return "released";
  }

  Gpu& gpu_;
  const std::vector<Case> cases_;
  const Case* current_ = nullptr;
  std::unique_ptr<GpuRun> run_;
};

}  // namespace

int serve_gpu(const std::string& device) {
  // Whatever else prints must not land among the answers.
  std::FILE* answers = fdopen(dup(STDOUT_FILENO), "w");
  dup2(STDERR_FILENO, STDOUT_FILENO);
  const auto say = [&](const std::string& line) {
    std::fprintf(answers, "%s\n", line.c_str());
    std::fflush(answers);
  };
  setenv("HYPERION_DEVICE", device.c_str(), 1);
  const StatusOr<std::unique_ptr<Gpu>> gpu = Gpu::open(device);
  if (!gpu) {
    say("absent\t" + one_line(gpu.error().text()));
    return 1;
  }
  say("hello\t" + one_line((*gpu)->description()));
  Server server(**gpu);
  for (std::string line; std::getline(std::cin, line);) say(server.answer(line));
  return 0;
}

int compile_cases(const std::string& architecture, const std::string& filter) {
  const StatusOr<codegen::CudaTarget> target = codegen::cuda_target(architecture);
  if (!target) {
    std::fprintf(stderr, "%s\n", target.error().text().c_str());
    return 1;
  }
  int failures = 0;
  for (const Case& c : all_cases()) {
    std::string title = c.key();
    std::ranges::replace(title, '\t', ' ');
    if (!c.program || !title.contains(filter)) continue;
    const auto start = std::chrono::steady_clock::now();
    const StatusOr<runtime::Module> module = compile_for(*target, c.program, c.inputs, c.how);
    const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    failures += module ? 0 : 1;
    std::printf("%-72s %8.1f ms  %s\n", title.c_str(), ms, module ? "" : module.error().text().c_str());
    std::fflush(stdout);
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace hyperion::benchmark
