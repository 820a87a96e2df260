// contestant.hpp: one side of a race on a GPU: a process that measures on request (serve.hpp says in which words).
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "ir/support/status.hpp"
#include "tests/benchmark/cuda/cases.hpp"

namespace hyperion::benchmark {

class Contestant {
 public:
  virtual ~Contestant() = default;
  // Asks for a case; the answer is waited for by ready(), so that several can prepare at the same time.
  virtual StatusOr<> prepare(const Case& c) = 0;
  virtual StatusOr<std::vector<std::string>> ready() = 0;  // names: one, or those of several peers
  // Samples of each, in the order of the names.
  virtual StatusOr<std::vector<std::vector<double>>> measure(Clock clock, int count) = 0;
  virtual void release() = 0;
};

// A child process. One that died or took too long is started anew for the next case.
class ProcessContestant final : public Contestant {
 public:
  // `log` gets what the process writes on its standard error.
  ProcessContestant(std::vector<std::string> command, std::string log)
      : command_(std::move(command)), log_(std::move(log)) {}
  ProcessContestant(const ProcessContestant&) = delete;
  ProcessContestant& operator=(const ProcessContestant&) = delete;
  ~ProcessContestant() override { stop(); }

  // Starts it unless it runs, and gives what it said about itself; why there is none.
  StatusOr<std::string> start();
  StatusOr<> prepare(const Case& c) override;
  StatusOr<std::vector<std::string>> ready() override;
  StatusOr<std::vector<std::vector<double>>> measure(Clock clock, int count) override;
  void release() override;
  void stop();

 private:
  using Fields = std::vector<std::string>;
  StatusOr<> send(const std::string& line);
  // Fields of an answer that begins with `word`, without it; what came instead.
  StatusOr<Fields> receive(const std::string& word, double seconds);
  StatusOr<std::string> read_line(double seconds);
  std::string how_it_ended();

  const std::vector<std::string> command_;
  const std::string log_;
  std::string description_;
  int pid_ = -1;
  int to_ = -1, from_ = -1;
  std::string unread_;
};

}  // namespace hyperion::benchmark
