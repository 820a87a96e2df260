#include "runtime/tuning_store.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "ir/support/file.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion::runtime {
namespace {

using testing_support::TempFolder;

const TuningMachine kMachine{.device = "NVIDIA H200", .multiprocessors = 132, .driver = 13000};

TuningProblem problem(int number) {
  return {
      .op = "contract", .dtypes = "bf16", .layouts = "NT", .shape = std::to_string(number) + "x64x64", .epilogue = {}};
}
// Everything follows from the number, so any reader can tell whether it got the right one.
TuningRecord record(int number) {
  return {.schedule = "schedule " + std::to_string(number),
          .seconds = 1e-6 * number,
          .spread = 1e-9 * number,
          .runs = number,
          .peer_seconds = number % 2 == 0 ? std::optional(2e-6 * number) : std::nullopt,
          .measured_at = 1'700'000'000 + number};
}
bool equal(const TuningRecord& a, const TuningRecord& b) {
  return a.schedule == b.schedule && a.seconds == b.seconds && a.spread == b.spread && a.runs == b.runs &&
         a.peer_seconds == b.peer_seconds && a.measured_at == b.measured_at;
}

struct Store : TuningStore {
  explicit Store(const TempFolder& folder, std::string version = "build 1")
      : TuningStore({.folder = folder.path("cache"), .version = std::move(version)}) {}
  bool put(int number) { return TuningStore::put(problem(number), kMachine, record(number)); }
  bool has(int number) {
    const auto found = best(problem(number), kMachine);
    return found && equal(*found, record(number));
  }
};

std::string file_of(const TempFolder& folder) { return folder.path("cache/tuning.sqlite"); }
std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void replace_file(const TempFolder& folder, const std::string& bytes) {
  for (const char* journal : {"-wal", "-shm"}) std::filesystem::remove(file_of(folder) + journal);
  std::ofstream(file_of(folder), std::ios::binary | std::ios::trunc) << bytes;
}

TEST(TuningStore, RecordsSurviveTheProcessThatMadeThem) {
  const TempFolder folder;
  {
    Store store(folder);
    for (int number = 1; number <= 4; ++number) ASSERT_TRUE(store.put(number));
    TuningRecord slower = record(3);
    slower.schedule = "slower", slower.seconds *= 2;
    ASSERT_TRUE(store.TuningStore::put(problem(3), kMachine, slower));
  }
  Store store(folder);
  for (int number = 1; number <= 4; ++number) EXPECT_TRUE(store.has(number)) << number;
  EXPECT_FALSE(store.has(5));
  const auto both = store.measured(problem(3), kMachine);
  ASSERT_EQ(both.size(), 2u);
  EXPECT_TRUE(equal(both[0], record(3)));
  EXPECT_EQ(both[1].schedule, "slower");
  const auto entries = store.list();
  ASSERT_EQ(entries.size(), 4u);
  EXPECT_EQ(entries[2].problem, problem(3));
  EXPECT_EQ(entries[2].machine, kMachine);
  EXPECT_TRUE(equal(entries[2].best, record(3)));
  EXPECT_EQ(entries[2].schedules, 2);
  EXPECT_EQ(store.statistics().problems, 4);
  EXPECT_EQ(store.statistics().measurements, 5);
  EXPECT_GT(store.statistics().bytes, 0u);
}

TEST(TuningStore, WhatIsMeasuredAgainReplacesWhatWas) {
  const TempFolder folder;
  Store store(folder);
  TuningRecord again = record(1);
  ASSERT_TRUE(store.put(1));
  again.seconds = 5, again.peer_seconds = 7;
  ASSERT_TRUE(store.TuningStore::put(problem(1), kMachine, again));
  EXPECT_TRUE(equal(*store.best(problem(1), kMachine), again));
  EXPECT_EQ(store.statistics().measurements, 1);
}

// Every part of the key keeps records apart.
TEST(TuningStore, OtherProblemsMachinesAndVersionsAreOthers) {
  const TempFolder folder;
  Store store(folder);
  ASSERT_TRUE(store.put(1));
  std::vector<std::pair<TuningProblem, TuningMachine>> others(8, {problem(1), kMachine});
  others[0].first.op = "convolve";
  others[1].first.dtypes = "f16";
  others[2].first.layouts = "NN";
  others[3].first.shape = "2x64x64";
  others[4].first.epilogue = "relu";
  others[5].second.device = "NVIDIA H100";
  others[6].second.multiprocessors = 114;
  others[7].second.driver = 12080;
  for (const auto& [problem, machine] : others)
    EXPECT_FALSE(store.best(problem, machine)) << problem.text() << machine.text();

  Store newer(folder, "build 2");
  EXPECT_FALSE(newer.has(1));
  EXPECT_TRUE(newer.list().empty());
  EXPECT_EQ(newer.statistics().measurements, 0);
  EXPECT_EQ(newer.statistics().others, 1);
  ASSERT_TRUE(newer.put(1));
  EXPECT_TRUE(newer.has(1));
  EXPECT_TRUE(store.has(1)) << "the older build lost its record";
  EXPECT_EQ(newer.forget(), 2);
  EXPECT_FALSE(store.has(1));
  EXPECT_FALSE(newer.has(1));
}

TEST(TuningStore, ProblemsAreReadAsTheyAreWritten) {
  TuningProblem p = problem(4096);
  EXPECT_EQ(p.text(), "contract bf16 NT 4096x64x64");
  EXPECT_EQ(TuningProblem::parse(p.text()), p);
  p.epilogue = "vector+add";
  EXPECT_EQ(TuningProblem::parse(p.text()), p);
  for (const char* bad :
       {"", "contract", "contract bf16 NT", "contract bf16 NT 1x1x1 relu more", "contract  NT 1x1x1", " a b c d"}) {
    EXPECT_FALSE(TuningProblem::parse(bad)) << bad;
  }
}

TEST(TuningStore, LookingUpMakesNothing) {
  const TempFolder folder;
  Store store(folder);
  EXPECT_FALSE(store.has(1));
  EXPECT_TRUE(store.list().empty());
  EXPECT_EQ(store.forget(), 0);
  EXPECT_EQ(store.statistics().bytes, 0u);
  EXPECT_EQ(folder.entry_count(), 0u);
  // And what another process makes meanwhile is found.
  Store writer(folder);
  ASSERT_TRUE(writer.put(1));
  EXPECT_TRUE(store.has(1));
}

// A file cut off anywhere, or with a byte changed anywhere: never a crash, and what is put next is found.
TEST(TuningStore, DamageIsSetAsideOrHarmless) {
  const TempFolder folder;
  constexpr int kRecords = 90;
  {
    Store store(folder);
    for (int number = 1; number <= kRecords; ++number) ASSERT_TRUE(store.put(number));
  }
  const std::string sound = bytes_of(file_of(folder));
  ASSERT_GT(sound.size(), 8192u);
  const auto expect_usable = [&](const std::string& bytes, const std::string& what) {
    std::filesystem::remove(file_of(folder) + ".set-aside");
    replace_file(folder, bytes);
    Store store(folder);
    for (int number = 1; number <= kRecords; ++number) store.has(number);
    ASSERT_TRUE(store.put(1000)) << what;
    EXPECT_TRUE(store.has(1000)) << what;
    const bool was_set_aside = file_exists(file_of(folder) + ".set-aside");
    if (what == "cut") {
      EXPECT_TRUE(was_set_aside) << bytes.size() << " of " << sound.size() << " bytes";
    }
  };
  ::testing::internal::CaptureStderr();
  for (std::size_t size = sound.size() - 1; size > 1500; size -= 1500) expect_usable(sound.substr(0, size), "cut");
  std::mt19937 random(11);
  for (int round = 0; round < 30; ++round) {
    std::string flipped = sound;
    const std::size_t at = random() % flipped.size();
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << random() % 8));
    expect_usable(flipped, "byte " + std::to_string(at));
  }
  ::testing::internal::GetCapturedStderr();
}

TEST(TuningStore, FilesOfOthersAreSetAsideWithOneWarning) {
  const TempFolder folder;
  {
    Store store(folder);
    ASSERT_TRUE(store.put(1));
  }
  const std::string ours = bytes_of(file_of(folder));
  // Where SQLite's header holds user_version and application_id, and a column of another name.
  std::string other_format = ours, other_application = ours, other_columns = ours;
  other_format[63] = 9;
  other_application[68] ^= 1;
  const std::size_t column = ours.find("spread REAL");
  ASSERT_NE(column, std::string::npos);
  other_columns.replace(column, 6, "sprung");
  const std::string text = "a file of somebody who had the same idea for a name\n";
  for (const std::string& foreign : {other_format, other_application, other_columns, text}) {
    std::filesystem::remove(file_of(folder) + ".set-aside");
    replace_file(folder, foreign);
    ::testing::internal::CaptureStderr();
    Store store(folder);
    EXPECT_FALSE(store.has(1));
    ASSERT_TRUE(store.put(2));
    EXPECT_TRUE(store.has(2));
    const std::string log = ::testing::internal::GetCapturedStderr();
    const std::size_t warning = log.find("tuning.sqlite.set-aside");
    ASSERT_NE(warning, std::string::npos) << log;
    EXPECT_EQ(log.find("tuning.sqlite.set-aside", warning + 1), std::string::npos) << log;
    EXPECT_EQ(bytes_of(file_of(folder) + ".set-aside"), foreign);
  }
  // What SQLite would wait for, or follow.
  ::testing::internal::CaptureStderr();
  for (const bool is_pipe : {true, false}) {
    std::filesystem::remove(file_of(folder));
    if (is_pipe) {
      ASSERT_EQ(mkfifo(file_of(folder).c_str(), 0600), 0);
    } else {
      std::filesystem::create_symlink(folder.path("elsewhere"), file_of(folder));
    }
    Store store(folder);
    ASSERT_TRUE(store.put(3));
    EXPECT_TRUE(store.has(3));
  }
  EXPECT_FALSE(file_exists(folder.path("elsewhere")));
  ::testing::internal::GetCapturedStderr();
}

// An empty file is what a process leaves that was killed while it made the store.
TEST(TuningStore, AFileThatWasOnlyBegunIsFinished) {
  const TempFolder folder;
  std::filesystem::create_directory(folder.path("cache"));
  std::filesystem::permissions(folder.path("cache"), std::filesystem::perms::owner_all);
  replace_file(folder, "");
  Store store(folder);
  ASSERT_TRUE(store.put(1));
  EXPECT_TRUE(store.has(1));
  EXPECT_FALSE(file_exists(file_of(folder) + ".set-aside"));
}

TEST(TuningStore, DamageThatShowsLaterIsSetAsideToo) {
  const TempFolder folder;
  Store store(folder);
  ASSERT_TRUE(store.put(1));
  {
    Store closes_last(folder);
    EXPECT_TRUE(closes_last.has(1));
  }
  // Under an open store: its pages are read again once they have changed.
  ::testing::internal::CaptureStderr();
  std::filesystem::remove(file_of(folder) + "-wal");
  const int file = open(file_of(folder).c_str(), O_WRONLY);
  const std::string noise(4096 * 4, 'x');
  ASSERT_EQ(pwrite(file, noise.data(), noise.size(), 0), static_cast<ssize_t>(noise.size()));
  close(file);
  Store later(folder);
  EXPECT_TRUE(later.put(2));
  EXPECT_TRUE(later.has(2));
  store.has(1);  // whatever it says
  ::testing::internal::GetCapturedStderr();
}

TEST(TuningStore, UnusableFoldersAreAnEmptyStore) {
  const TempFolder folder;
  std::filesystem::create_directory(folder.path("cache"));
  chmod(folder.path("cache").c_str(), 0777);
  ::testing::internal::CaptureStderr();
  Store store(folder);
  EXPECT_FALSE(store.put(1));
  EXPECT_FALSE(store.put(2));
  EXPECT_FALSE(store.has(1));
  const std::string log = ::testing::internal::GetCapturedStderr();
  const std::size_t warning = log.find("writable by others");
  ASSERT_NE(warning, std::string::npos) << log;
  EXPECT_EQ(log.find("writable by others", warning + 1), std::string::npos) << log;
}

// ---- Several processes ----

TEST(TuningStore, ProcessesShareAFileFromItsBeginningOn) {
  const TempFolder folder;
  constexpr int kProcesses = 4, kRecords = 25;
  std::vector<pid_t> children;
  for (int child = 0; child < kProcesses; ++child) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      Store store(folder);
      bool good = true;
      for (int k = 1; k <= kRecords; ++k) {
        const int number = 100 * child + k;
        good = store.put(number) && store.put(7) && store.has(number) && store.has(7) && good;
      }
      _exit(good ? 0 : 1);
    }
    children.push_back(pid);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  Store store(folder);
  for (int child = 0; child < kProcesses; ++child) {
    for (int k = 1; k <= kRecords; ++k) EXPECT_TRUE(store.has(100 * child + k));
  }
  EXPECT_FALSE(file_exists(file_of(folder) + ".set-aside"));
}

// What put() said yes to is there, whenever the process was killed.
TEST(TuningStore, AKilledWriterLosesNothingThatWasPut) {
  const TempFolder folder;
  std::mt19937 random(5);
  int next = 1, survived = 0;
  for (int life = 0; life < 12; ++life) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      close(ends[0]);
      Store store(folder);
      for (int number = next;; ++number) {
        if (!store.put(number) || write(ends[1], &number, sizeof number) != sizeof number) _exit(1);
      }
    }
    close(ends[1]);
    // In the middle of whatever follows a few records: of the first, the file is made too.
    int number = 0, last = next - 1;
    for (unsigned reports = random() % 4; reports > 0 && read(ends[0], &number, sizeof number) == sizeof number;
         --reports)
      last = number;
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 5000));
    kill(pid, SIGKILL);
    ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
    while (read(ends[0], &number, sizeof number) == sizeof number) last = number;
    close(ends[0]);
    Store store(folder);
    for (int k = next; k <= last; ++k, ++survived) ASSERT_TRUE(store.has(k)) << "of life " << life;
    next = last + 2;  // one more may have been written and not reported
  }
  EXPECT_GT(survived, 0);
  EXPECT_FALSE(file_exists(file_of(folder) + ".set-aside"));
}

}  // namespace
}  // namespace hyperion::runtime
