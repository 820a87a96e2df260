#include "tests/benchmark/cuda/contestant.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "ir/support/format.hpp"

extern char** environ;

namespace hyperion::benchmark {
namespace {

// PyTorch needs half a minute to be read from a slow disk; its first compilation as long.
constexpr double kStartSeconds = 120, kPrepareSeconds = 120, kMeasureSeconds = 120;

std::vector<std::string> split(const std::string& line, char separator) {
  std::vector<std::string> fields;
  std::stringstream stream(line);
  for (std::string field; std::getline(stream, field, separator);) fields.push_back(field);
  return fields;
}

// The last line of a log, where a process says why it ended.
std::string last_line(const std::string& path) {
  std::ifstream file(path);
  std::string last;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

std::unexpected<Status> failed(std::string message) { return error_status(Code::unavailable, std::move(message)); }

}  // namespace

StatusOr<std::string> ProcessContestant::start() {
  if (pid_ > 0) return description_;
  std::signal(SIGPIPE, SIG_IGN);  // writing to a process that died must fail, not end this one
  int down[2], up[2];
  if (pipe2(down, O_CLOEXEC) != 0) return failed("no pipe");
  if (pipe2(up, O_CLOEXEC) != 0) return failed("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, down[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, up[1], STDOUT_FILENO);
  if (!log_.empty()) {
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  }
  std::vector<char*> arguments;
  for (const std::string& word : command_) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int error = posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(down[0]);
  close(up[1]);
  to_ = down[1], from_ = up[0];
  unread_.clear();
  if (error != 0) {
    pid_ = -1;
    stop();
    return failed(format("cannot start {}: {}", command_[0], std::strerror(error)));
  }
  StatusOr<Fields> hello = receive("hello", kStartSeconds);
  if (!hello) {
    stop();
    return std::unexpected(hello.error());
  }
  return description_ = hello->empty() ? "" : hello->front();
}

void ProcessContestant::stop() {
  if (to_ >= 0) close(to_);
  if (from_ >= 0) close(from_);
  to_ = from_ = -1;
  if (pid_ > 0) {
    // Its input has ended, and with it its work; what hangs is not waited for.
    constexpr int kPatienceMs = 3000, kStepMs = 20;
    bool is_running = true;
    for (int waited = 0; is_running && waited < kPatienceMs; waited += kStepMs) {
      is_running = waitpid(pid_, nullptr, WNOHANG) == 0;
      if (is_running) std::this_thread::sleep_for(std::chrono::milliseconds(kStepMs));
    }
    if (is_running) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  pid_ = -1;
}

std::string ProcessContestant::how_it_ended() {
  int state = 0;
  waitpid(pid_, &state, 0);
  pid_ = -1;
  stop();
  const std::string word = log_.empty() ? "" : last_line(log_);
  const std::string why = WIFSIGNALED(state) ? format("ended by signal {} ({})", WTERMSIG(state), strsignal(WTERMSIG(state)))
                                             : format("ended with code {}", WEXITSTATUS(state));
  return word.empty() ? why : why + ": " + word;
}

StatusOr<> ProcessContestant::send(const std::string& line) {
  const std::string text = line + "\n";
  if (write(to_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) return failed(how_it_ended());
  return {};
}

StatusOr<std::string> ProcessContestant::read_line(double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (std::size_t searched = 0;;) {
    const std::size_t at = unread_.find('\n', searched);
    if (at != std::string::npos) {
      std::string line = unread_.substr(0, at);
      unread_.erase(0, at + 1);
      return line;
    }
    searched = unread_.size();
    const double left = std::chrono::duration<double>(end - std::chrono::steady_clock::now()).count();
    pollfd descriptor{.fd = from_, .events = POLLIN, .revents = 0};
    if (left <= 0 || poll(&descriptor, 1, static_cast<int>(left * 1e3) + 1) <= 0) {
      stop();
      return failed(format("no answer within {:.0f} s", seconds));
    }
    char buffer[4096];
    const ssize_t count = read(from_, buffer, sizeof buffer);
    if (count <= 0) return failed(how_it_ended());
    unread_.append(buffer, static_cast<std::size_t>(count));
  }
}

StatusOr<ProcessContestant::Fields> ProcessContestant::receive(const std::string& word, double seconds) {
  HYP_TRY(const std::string line, read_line(seconds));
  Fields fields = split(line, '\t');
  if (!fields.empty() && fields[0] == word) {
    fields.erase(fields.begin());
    return fields;
  }
  const std::string why = fields.size() > 1 && fields[0] == "absent" ? fields[1] : "unexpected answer: " + line;
  // A kernel that faulted takes the context of its process along: the next case gets a fresh one.
  if (why.contains("cuda.") || why.contains("CUDA error")) stop();
  return failed(why);
}

StatusOr<> ProcessContestant::prepare(const Case& c) {
  HYP_TRY(const std::string description, start());
  return send("prepare\t" + c.key());
}

StatusOr<std::vector<std::string>> ProcessContestant::ready() {
  if (pid_ <= 0) return failed("is not running");
  return receive("ready", kPrepareSeconds);
}

StatusOr<std::vector<std::vector<double>>> ProcessContestant::measure(Clock clock, int count) {
  if (pid_ <= 0) return failed("is not running");
  HYP_TRY_VOID(send(format("measure\t{}\t{}", clock_name(clock), count)));
  HYP_TRY(const Fields fields, receive("seconds", kMeasureSeconds));
  std::vector<std::vector<double>> samples;
  for (const std::string& field : fields) {
    samples.emplace_back();
    for (const std::string& number : split(field, ' ')) samples.back().push_back(std::strtod(number.c_str(), nullptr));
  }
  return samples;
}

void ProcessContestant::release() {
  if (pid_ <= 0) return;
  if (!send("release") || !receive("released", kMeasureSeconds)) stop();
}

}  // namespace hyperion::benchmark
