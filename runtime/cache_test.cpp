#include "runtime/cache.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "ir/support/file.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion::runtime {
namespace {

using Bytes = std::vector<std::byte>;
using testing_support::TempFolder;

// The content follows from key and size, so any reader can tell whether it got the right one.
Bytes payload(std::uint64_t key, std::size_t size) {
  Bytes bytes(size);
  std::mt19937_64 random(key);
  for (std::byte& each : bytes) each = static_cast<std::byte>(random());
  return bytes;
}

Hash128 key_of(std::uint64_t key) { return {key, ~key}; }

DiskCache open_cache(const TempFolder& folder, std::uint64_t max_bytes = 1 << 30,
                     std::string producer = "build 1") {
  return DiskCache({folder.path("cache"), std::move(producer), max_bytes});
}

TEST(DiskCache, RemembersAcrossInstances) {
  const TempFolder folder;
  {
    DiskCache cache = open_cache(folder);
    EXPECT_FALSE(cache.get(key_of(1)).has_value());
    cache.put(key_of(1), payload(1, 1000));
    cache.put(key_of(2), {});
  }
  DiskCache cache = open_cache(folder);
  EXPECT_EQ(cache.get(key_of(1)), payload(1, 1000));
  EXPECT_EQ(cache.get(key_of(2)), Bytes());
  EXPECT_EQ(cache.statistics().hits, 2u);
  EXPECT_EQ(cache.list().size(), 2u);
  EXPECT_EQ(cache.clear(), 2u);
  EXPECT_FALSE(cache.get(key_of(1)).has_value());
  EXPECT_EQ(cache.statistics().absent, 1u);
}

// Every truncation and every bit flip of an entry is a miss with a reason, and the next put() mends
// it.
TEST(DiskCache, DamageIsAMissAndIsMended) {
  const TempFolder folder;
  DiskCache cache = open_cache(folder);
  const Bytes content = payload(5, 40);
  cache.put(key_of(5), content);
  const std::string path = cache.list()[0].path;
  const Bytes entry = *read_file(path);
  // In place: replacing files by truncation makes some file systems sync.
  const int file = open(path.c_str(), O_RDWR);
  ASSERT_GE(file, 0);
  const auto write_at = [&](std::size_t at, std::byte value) {
    ASSERT_EQ(pwrite(file, &value, 1, static_cast<off_t>(at)), 1);
  };
  for (std::size_t bit = 0; bit < entry.size() * 8; ++bit) {
    write_at(bit / 8, entry[bit / 8] ^ (std::byte{1} << (bit % 8)));
    ASSERT_FALSE(cache.get(key_of(5)).has_value()) << bit;
    write_at(bit / 8, entry[bit / 8]);
  }
  write_at(entry.size(), std::byte{0});
  EXPECT_FALSE(cache.get(key_of(5)).has_value());
  EXPECT_EQ(cache.statistics().torn, 1u + 64);  // 64: the bits of the length
  for (std::size_t size = entry.size(); size-- > 0;) {
    ASSERT_EQ(ftruncate(file, static_cast<off_t>(size)), 0);
    ASSERT_FALSE(cache.get(key_of(5)).has_value()) << size;
  }
  close(file);
  const CacheStatistics damaged = cache.statistics();
  EXPECT_EQ(damaged.misses(), entry.size() * 9 + 1);
  EXPECT_EQ(damaged.torn, entry.size() + 65);
  EXPECT_GE(damaged.corrupt, content.size() * 8);
  EXPECT_GT(damaged.foreign, 0u);
  EXPECT_GT(damaged.stale, 0u);
  cache.put(key_of(5), content);
  EXPECT_EQ(cache.get(key_of(5)), content);
}

TEST(DiskCache, EntriesOfOthersAreNotUsed) {
  const TempFolder folder;
  DiskCache cache = open_cache(folder);
  cache.put(key_of(1), payload(1, 10));
  // Another key's entry under this name.
  std::filesystem::copy(cache.list()[0].path, folder.path("cache/" + key_of(2).hex() + ".hypc"));
  EXPECT_FALSE(cache.get(key_of(2)).has_value());
  // A link, a folder and a named pipe in the place of an entry.
  std::filesystem::create_symlink(folder.path("cache/" + key_of(1).hex() + ".hypc"),
                                  folder.path("cache/" + key_of(3).hex() + ".hypc"));
  EXPECT_FALSE(cache.get(key_of(3)).has_value());
  std::filesystem::create_directory(folder.path("cache/" + key_of(4).hex() + ".hypc"));
  EXPECT_FALSE(cache.get(key_of(4)).has_value());
  ASSERT_EQ(mkfifo(folder.path("cache/" + key_of(5).hex() + ".hypc").c_str(), 0600), 0);
  EXPECT_FALSE(cache.get(key_of(5)).has_value());
  EXPECT_EQ(cache.statistics().foreign, 4u);
  // Another compiler's work.
  DiskCache newer = open_cache(folder, 1 << 30, "build 2");
  EXPECT_FALSE(newer.get(key_of(1)).has_value());
  EXPECT_EQ(newer.statistics().stale, 1u);
}

TEST(DiskCache, TheLongestUnusedGoFirst) {
  const TempFolder folder;
  DiskCache cache = open_cache(folder, 10'000);
  for (std::uint64_t key = 1; key <= 8; ++key) {
    cache.put(key_of(key), payload(key, 1000));
    std::this_thread::sleep_for(std::chrono::milliseconds(12));  // file times tick coarsely
  }
  EXPECT_TRUE(cache.get(key_of(1)).has_value());
  for (std::uint64_t key = 9; key <= 12; ++key) {
    std::this_thread::sleep_for(std::chrono::milliseconds(12));
    cache.put(key_of(key), payload(key, 1000));
  }
  std::uint64_t total = 0;
  for (const CacheEntry& entry : cache.list()) total += entry.bytes;
  EXPECT_LE(total, 10'000u);
  EXPECT_EQ(cache.statistics().evictions, 3u);
  EXPECT_TRUE(cache.get(key_of(1)).has_value());
  for (std::uint64_t key : {2, 3, 4}) EXPECT_FALSE(cache.get(key_of(key)).has_value()) << key;
  EXPECT_TRUE(cache.get(key_of(5)).has_value());
  // What could never fit is not written at all.
  cache.put(key_of(20), payload(20, 20'000));
  EXPECT_FALSE(cache.get(key_of(20)).has_value());
}

TEST(DiskCache, AbandonedTemporariesAreSweptFreshOnesStay) {
  const TempFolder folder;
  std::filesystem::create_directory(folder.path("cache"));
  const std::string old = folder.path("cache/x.hypc.tmp.1.1"),
                    fresh = folder.path("cache/y.hypc.tmp.1.2");
  std::ofstream(old) << "x";
  std::ofstream(fresh) << "y";
  const timespec times[2] = {{1000, 0}, {1000, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, old.c_str(), times, 0), 0);
  DiskCache cache = open_cache(folder);
  cache.put(key_of(1), payload(1, 10));
  EXPECT_FALSE(file_exists(old));
  EXPECT_TRUE(file_exists(fresh));
}

TEST(DiskCache, UnusableFoldersTurnItOff) {
  const TempFolder folder;
  std::ofstream(folder.path("file")) << "not a folder";
  DiskCache file({folder.path("file/cache"), "", 1 << 20});
  EXPECT_FALSE(file.disabled_because().empty());
  file.put(key_of(1), payload(1, 10));
  EXPECT_FALSE(file.get(key_of(1)).has_value());
  EXPECT_TRUE(file.list().empty());

  // Others could plant code there.
  std::filesystem::create_directory(folder.path("open"));
  chmod(folder.path("open").c_str(), 0777);
  DiskCache open_to_all({folder.path("open"), "", 1 << 20});
  EXPECT_NE(open_to_all.disabled_because().find("writable by others"), std::string::npos);

  if (geteuid() != 0) {  // root may write anywhere
    std::filesystem::create_directory(folder.path("read-only"));
    chmod(folder.path("read-only").c_str(), 0500);
    EXPECT_FALSE(DiskCache({folder.path("read-only"), "", 1 << 20}).disabled_because().empty());
  }
}

TEST(DiskCache, DefaultFolder) {
  const auto with = [](const char* own, const char* xdg, const char* home) {
    const auto set = [](const char* name, const char* value) {
      value == nullptr ? unsetenv(name) : setenv(name, value, 1);
    };
    const char* old_home = std::getenv("HOME");
    const std::string saved = old_home == nullptr ? "" : old_home;
    set("HYPERION_CACHE_DIR", own);
    set("XDG_CACHE_HOME", xdg);
    set("HOME", home);
    const std::string folder = default_cache_folder();
    set("HYPERION_CACHE_DIR", nullptr);
    set("XDG_CACHE_HOME", nullptr);
    set("HOME", saved.c_str());
    return folder;
  };
  EXPECT_EQ(with("/a", "/b", "/c"), "/a");
  EXPECT_EQ(with(nullptr, "/b", "/c"), "/b/hyperion");
  EXPECT_EQ(with(nullptr, nullptr, "/c"), "/c/.cache/hyperion");
  EXPECT_EQ(with(nullptr, nullptr, nullptr), "");
}

// ---- Several processes on one folder ----

// Random gets and puts of a few keys; false if a hit ever has the wrong content.
bool churn(DiskCache& cache, unsigned seed, int rounds) {
  std::mt19937 random(seed);
  for (int i = 0; i < rounds; ++i) {
    const std::uint64_t key = random() % 6;
    const std::size_t size = 500 + 400 * key;
    if (random() % 3 == 0) {
      cache.put(key_of(key), payload(key, size));
    } else if (const auto found = cache.get(key_of(key)); found && *found != payload(key, size)) {
      return false;
    }
  }
  return true;
}

TEST(DiskCache, ConcurrentProcesses) {
  const TempFolder folder;
  std::vector<pid_t> children;
  for (unsigned child = 0; child < 4; ++child) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      DiskCache cache = open_cache(folder, 6000);  // small enough to evict all the time
      _exit(churn(cache, child, 60) ? 0 : 1);
    }
    children.push_back(pid);
  }
  DiskCache cache = open_cache(folder, 6000);
  EXPECT_TRUE(churn(cache, 99, 60));
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  const CacheStatistics statistics = cache.statistics();
  EXPECT_EQ(statistics.torn + statistics.corrupt + statistics.foreign, 0u);
}

TEST(DiskCache, WritersKilledAtAnyMomentLeaveNoTornEntry) {
  const TempFolder folder;
  DiskCache cache = open_cache(folder);
  std::mt19937 random(3);
  for (unsigned round = 0; round < 12; ++round) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      for (;;) churn(cache, round, 1000);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 8000));
    kill(pid, SIGKILL);
    ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
    EXPECT_TRUE(churn(cache, 1000 + round, 8));
  }
  const CacheStatistics statistics = cache.statistics();
  EXPECT_EQ(statistics.torn + statistics.corrupt + statistics.foreign, 0u);
}

}  // namespace
}  // namespace hyperion::runtime
