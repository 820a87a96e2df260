// PyTorch in a child process: requests go down one pipe, answers come up another, a line each.
//
//   child:   "ready PyTorch 1.13.1\n"            or "absent <why>\n", then it ends
//   parent:  "<model> <threads> <seconds>\n"     train for about so long
//   child:   "<seconds of one step>\n"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "ir/support/format.hpp"
#include "tests/benchmark/peers/peers.hpp"

extern char** environ;

namespace hyperion::benchmark {

struct PyTorch::Process {
  pid_t pid = -1;
  std::FILE* to = nullptr;
  std::FILE* from = nullptr;
  std::string version;

  ~Process() {
    if (to != nullptr) std::fclose(to);  // the child ends when its input does
    if (from != nullptr) std::fclose(from);
    if (pid > 0) waitpid(pid, nullptr, 0);
  }

  std::string read_line() {
    char line[256] = {};
    if (std::fgets(line, sizeof line, from) == nullptr) return "";
    const std::string text = line;
    return text.substr(0, text.find('\n'));
  }
};

namespace {

// Starts `python script --serve` with its standard input and output connected. Nothing of it
// outlives a failure.
pid_t spawn(const std::string& python, const std::string& script, int child_in, int child_out) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, child_in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, child_out, STDOUT_FILENO);
  const std::string serve = "--serve";
  char* arguments[] = {const_cast<char*>(python.c_str()), const_cast<char*>(script.c_str()),
                       const_cast<char*>(serve.c_str()), nullptr};
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, python.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? pid : -1;
}

}  // namespace

PyTorch::PyTorch(std::unique_ptr<Process> process) : process_(std::move(process)) {}
PyTorch::PyTorch(PyTorch&&) noexcept = default;
PyTorch::~PyTorch() = default;

std::optional<PyTorch> PyTorch::start(const std::string& script, std::string& reason) {
  // Writing to a child that died must fail, not end this process.
  std::signal(SIGPIPE, SIG_IGN);
  const char* chosen = std::getenv("HYPERION_PYTHON");
  reason = "no Python found";
  // The first on the path need not be the one that Debian's python3-torch belongs to.
  for (const std::string python : {chosen != nullptr ? chosen : "python3", "/usr/bin/python3"}) {
    int down[2];
    int up[2];
    if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0) return std::nullopt;
    auto process = std::make_unique<Process>();
    process->pid = spawn(python, script, down[0], up[1]);
    close(down[0]);
    close(up[1]);
    process->to = fdopen(down[1], "w");
    process->from = fdopen(up[0], "r");
    const std::string line = process->pid > 0 ? process->read_line() : "";
    if (line.starts_with("ready ")) {
      process->version = line.substr(6);
      return PyTorch(std::move(process));
    }
    if (line.starts_with("absent ")) reason = line.substr(7);
  }
  return std::nullopt;
}

std::string PyTorch::version() const { return process_->version; }

Contender PyTorch::training_step(const std::string& model, int threads) {
  return {version(), [process = process_.get(), model, threads] {
            const std::string request = format("{} {} {}\n", model, threads, kTurnSeconds);
            // A child that died answers nothing, which reads as zero seconds: the row then has no
            // ratio.
            if (std::fputs(request.c_str(), process->to) < 0) return 0.0;
            std::fflush(process->to);
            return std::strtod(process->read_line().c_str(), nullptr);
          }};
}

}  // namespace hyperion::benchmark
