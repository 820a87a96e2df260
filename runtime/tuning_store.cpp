#include "runtime/tuning_store.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <utility>

#include "ir/support/format.hpp"
#include "ir/support/log.hpp"
#include "runtime/cache.hpp"
#include "runtime/cache_folder.hpp"

namespace hyperion::runtime {
namespace {

constexpr int kApplication = 0x48595054;     // "HYPT": says whose file it is
constexpr int kFormat = 1;                   // of the table; another number is another's file
constexpr int kPatienceMilliseconds = 5000;  // for other processes' transactions, which take a few

constexpr const char* kMakeTable =
    "CREATE TABLE measurement("
    "op TEXT NOT NULL, dtypes TEXT NOT NULL, layouts TEXT NOT NULL, shape TEXT NOT NULL, epilogue TEXT NOT NULL,"
    "device TEXT NOT NULL, multiprocessors INTEGER NOT NULL, driver INTEGER NOT NULL, version TEXT NOT NULL,"
    "schedule TEXT NOT NULL, seconds REAL NOT NULL, spread REAL NOT NULL, runs INTEGER NOT NULL, peer_seconds REAL,"
    "measured_at INTEGER NOT NULL,"
    "PRIMARY KEY(version, device, multiprocessors, driver, op, dtypes, layouts, shape, epilogue, schedule)"
    ") WITHOUT ROWID";

// Held while a file is looked at, set aside or made, so that of several processes one does it.
class FolderLock {
 public:
  explicit FolderLock(const std::string& path)
      : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) {
    if (file_ >= 0) flock(file_, LOCK_EX);
  }
  ~FolderLock() {
    if (file_ >= 0) ::close(file_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  const int file_;
};

// The first failure stays: later calls do nothing.
class Statement {
 public:
  Statement(sqlite3* database, const char* sql) {
    result_ = sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(const std::string& text) {
    return bound(
        sqlite3_bind_text(statement_, ++bound_, text.c_str(), static_cast<int>(text.size()), SQLITE_TRANSIENT));
  }
  Statement& bind(std::int64_t number) { return bound(sqlite3_bind_int64(statement_, ++bound_, number)); }
  Statement& bind(double number) { return bound(sqlite3_bind_double(statement_, ++bound_, number)); }
  Statement& bind(const std::optional<double>& number) {
    return number ? bind(*number) : bound(sqlite3_bind_null(statement_, ++bound_));
  }
  Statement& bind(const TuningProblem& p) {
    return bind(p.op).bind(p.dtypes).bind(p.layouts).bind(p.shape).bind(p.epilogue);
  }
  Statement& bind(const TuningMachine& m) {
    return bind(m.device).bind(std::int64_t{m.multiprocessors}).bind(std::int64_t{m.driver});
  }

  bool next() {  // whether there is a row
    if (result_ != SQLITE_OK && result_ != SQLITE_ROW) return false;
    result_ = sqlite3_step(statement_);
    return result_ == SQLITE_ROW;
  }
  std::string text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return bytes == nullptr ? std::string()
                            : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
  }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  double real(int column) const { return sqlite3_column_double(statement_, column); }
  std::optional<double> optional_real(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL ? std::nullopt : std::optional(real(column));
  }
  TuningRecord record(int first) const {
    return {text(first),        real(first + 1),          real(first + 2),
            integer(first + 3), optional_real(first + 4), integer(first + 5)};
  }

  // SQLITE_DONE: all rows were read.
  int result() const { return result_; }

 private:
  Statement& bound(int result) {
    if (result_ == SQLITE_OK) result_ = result;
    return *this;
  }
  sqlite3_stmt* statement_ = nullptr;
  int result_ = SQLITE_OK;
  int bound_ = 0;
};

constexpr const char* kSelectMeasured =
    "SELECT schedule, seconds, spread, runs, peer_seconds, measured_at FROM measurement WHERE op = ? AND dtypes = ? AND"
    " layouts = ? AND shape = ? AND epilogue = ? AND device = ? AND multiprocessors = ? AND driver = ? AND version = ?"
    " ORDER BY seconds, schedule LIMIT ?";

// The number that a pragma or a count gives; `result` tells a failure.
std::int64_t number(sqlite3* database, const char* sql, int& result) {
  Statement statement(database, sql);
  const std::int64_t value = statement.next() ? statement.integer(0) : 0;
  result = statement.result();
  return value;
}

bool is_damage(int result) {
  return (result & 0xff) == SQLITE_CORRUPT || (result & 0xff) == SQLITE_NOTADB || result == SQLITE_IOERR_SHORT_READ;
}

enum class Contents { ours, nothing, foreign, torn, unreadable };

// Looks at every page: a file of a thousand measurements takes a millisecond.
Contents contents_of(sqlite3* database, int& result) {
  {
    Statement check(database, "PRAGMA quick_check(1)");
    const bool is_sound = check.next() && check.text(0) == "ok";
    result = check.result();
    if (is_damage(result) || (result == SQLITE_ROW && !is_sound)) return Contents::torn;
    if (result != SQLITE_ROW) return Contents::unreadable;
  }
  const std::int64_t tables = number(database, "SELECT count(*) FROM sqlite_master", result);
  if (result != SQLITE_ROW) return is_damage(result) ? Contents::torn : Contents::unreadable;
  if (tables == 0) return Contents::nothing;
  if (number(database, "PRAGMA application_id", result) != kApplication) return Contents::foreign;
  if (number(database, "PRAGMA user_version", result) != kFormat) return Contents::foreign;
  // Fails where a column is missing.
  return Statement(database, kSelectMeasured).result() == SQLITE_OK ? Contents::ours : Contents::foreign;
}

int make_table(sqlite3* database) {
  const std::string all = format("BEGIN IMMEDIATE; {}; PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT;",
                                 kMakeTable, kApplication, kFormat);
  return sqlite3_exec(database, all.c_str(), nullptr, nullptr, nullptr);
}

// Not a pipe, which SQLite would wait for, nor a link to what is not ours.
bool is_ordinary_or_absent(const std::string& path) {
  struct stat info = {};
  return lstat(path.c_str(), &info) != 0 || (S_ISREG(info.st_mode) && info.st_uid == geteuid());
}

// SQLite reads the part of a page that is missing as zeros, and takes less than a page for a file just begun.
bool ends_within_a_page(const std::string& path) {
  constexpr std::int64_t kSmallestPage = 512;
  struct stat info = {};
  return lstat(path.c_str(), &info) == 0 && info.st_size % kSmallestPage != 0;
}

// Its journal goes along: SQLite would apply it to the next file of that name.
bool set_aside(const std::string& path) {
  const std::string to = path + ".set-aside";
  for (const char* journal : {"-wal", "-shm"}) {
    unlink((to + journal).c_str());
    rename((path + journal).c_str(), (to + journal).c_str());
  }
  return rename(path.c_str(), to.c_str()) == 0 || errno == ENOENT;
}

}  // namespace

std::string TuningProblem::text() const {
  return format("{} {} {} {}{}{}", op, dtypes, layouts, shape, epilogue.empty() ? "" : " ", epilogue);
}

std::optional<TuningProblem> TuningProblem::parse(std::string_view text) {
  TuningProblem out;
  std::string* const words[] = {&out.op, &out.dtypes, &out.layouts, &out.shape, &out.epilogue};
  std::size_t count = 0;
  for (; count < std::size(words) && !text.empty(); ++count) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end == 0) return std::nullopt;
    *words[count] = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return count < 4 || !text.empty() ? std::nullopt : std::optional(out);
}

std::string TuningMachine::text() const {
  return format("{}, {} multiprocessors, driver for CUDA {}.{}", device, multiprocessors, driver / 1000,
                driver % 1000 / 10);
}

TuningStore::TuningStore(TuningStoreOptions options) : options_(std::move(options)) {
  if (options_.folder.empty()) options_.folder = default_cache_folder();
}

TuningStore::~TuningStore() { close(); }

std::string TuningStore::path() const { return options_.folder + "/tuning.sqlite"; }

void TuningStore::close() { sqlite3_close(std::exchange(database_, nullptr)); }

void TuningStore::warn(const std::string& text) {
  if (!std::exchange(warned_, true)) HYP_LOG("runtime", warn, text);
}

StatusOr<> TuningStore::open() {
  if (const std::string why = unusable_cache_folder(options_.folder); !why.empty())
    return error_status(Code::failed_precondition, why);
  const FolderLock lock(options_.folder + "/tuning.lock");
  // Twice: a file that is set aside leaves room for a new one.
  for (const bool is_last : {false, true}) {
    int result = SQLITE_OK;
    Contents contents = Contents::foreign;
    if (is_ordinary_or_absent(path()) && ends_within_a_page(path())) {
      contents = Contents::torn;
    } else if (is_ordinary_or_absent(path())) {
      constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_FULLMUTEX;
      result = sqlite3_open_v2(path().c_str(), &database_, kFlags, nullptr);
      if (result == SQLITE_OK) {
        sqlite3_extended_result_codes(database_, 1);
        sqlite3_busy_timeout(database_, kPatienceMilliseconds);
        contents = contents_of(database_, result);
      } else {
        contents = Contents::unreadable;
      }
    }
    if (contents == Contents::nothing || contents == Contents::ours) {
      // FULL: committed is on the disk, not only with the system. A measurement takes a hundred times as long.
      result =
          sqlite3_exec(database_, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;", nullptr, nullptr, nullptr);
      if (result == SQLITE_OK && contents == Contents::nothing) result = make_table(database_);
      if (result == SQLITE_OK) return {};
      if (is_damage(result)) contents = Contents::torn;
    }
    const std::string why = database_ == nullptr ? "" : sqlite3_errmsg(database_);
    close();
    if (is_last || (contents != Contents::foreign && contents != Contents::torn)) {
      return error_status(Code::unavailable, why.empty() ? "it cannot be opened" : why, path());
    }
    warn(format("{} is {}: it is now {}.set-aside, and measurements start anew", path(),
                contents == Contents::torn ? "damaged" : "not a file of schedules", path()));
    if (!set_aside(path())) return error_status(Code::unavailable, "it cannot be renamed", path());
  }
  std::unreachable();
}

// `work` gives SQLite's result. Damage that shows only now is as good as found on opening: one more try, with what is
// there then.
template <class Work>
bool TuningStore::with_database(bool makes_it, Work work) {
  std::lock_guard lock(mutex_);
  for (int attempt = 0; attempt < 2 && !is_off_; ++attempt) {
    if (database_ == nullptr) {
      struct stat info = {};
      if (!makes_it && lstat(path().c_str(), &info) != 0) return false;
      if (const StatusOr<> opened = open(); !opened) {
        warn(format("measured schedules are not used: {}", opened.error().text()));
        is_off_ = true;
        return false;
      }
    }
    const int result = work(database_);
    if (result == SQLITE_DONE || result == SQLITE_OK) return true;
    const bool is_damaged = is_damage(result);
    if (!is_damaged || attempt > 0) warn(format("{}: {}", path(), sqlite3_errmsg(database_)));
    if (!is_damaged) return false;
    close();
  }
  return false;
}

std::vector<TuningRecord> TuningStore::measured(const TuningProblem& problem, const TuningMachine& machine) {
  std::vector<TuningRecord> records;
  with_database(false, [&](sqlite3* database) {
    records.clear();
    Statement select(database, kSelectMeasured);
    select.bind(problem).bind(machine).bind(options_.version).bind(std::int64_t{-1});
    while (select.next()) records.push_back(select.record(0));
    return select.result();
  });
  return records;
}

std::optional<TuningRecord> TuningStore::best(const TuningProblem& problem, const TuningMachine& machine) {
  std::optional<TuningRecord> found;
  with_database(false, [&](sqlite3* database) {
    found.reset();
    Statement select(database, kSelectMeasured);
    select.bind(problem).bind(machine).bind(options_.version).bind(std::int64_t{1});
    while (select.next()) found = select.record(0);
    return select.result();
  });
  return found;
}

bool TuningStore::put(const TuningProblem& problem, const TuningMachine& machine, const TuningRecord& record) {
  return with_database(true, [&](sqlite3* database) {
    Statement insert(database,
                     "INSERT OR REPLACE INTO measurement(op, dtypes, layouts, shape, epilogue, device, "
                     "multiprocessors, driver, version,"
                     " schedule, seconds, spread, runs, peer_seconds, measured_at) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, "
                     "?, ?, ?, ?, ?, ?)");
    insert.bind(problem)
        .bind(machine)
        .bind(options_.version)
        .bind(record.schedule)
        .bind(record.seconds)
        .bind(record.spread);
    insert.bind(record.runs).bind(record.peer_seconds).bind(record.measured_at);
    insert.next();
    return insert.result();
  });
}

std::vector<TuningEntry> TuningStore::list() {
  std::vector<TuningEntry> entries;
  with_database(false, [&](sqlite3* database) {
    entries.clear();
    // Beside min(), SQLite takes the other columns from the row that has it.
    Statement select(database,
                     "SELECT op, dtypes, layouts, shape, epilogue, device, multiprocessors, driver, schedule, "
                     "min(seconds), spread, runs,"
                     " peer_seconds, measured_at, count(*) FROM measurement WHERE version = ?"
                     " GROUP BY device, multiprocessors, driver, op, dtypes, layouts, shape, epilogue"
                     " ORDER BY device, multiprocessors, driver, op, dtypes, layouts, shape, epilogue");
    select.bind(options_.version);
    while (select.next()) {
      entries.push_back(
          {.problem = {select.text(0), select.text(1), select.text(2), select.text(3), select.text(4)},
           .machine = {select.text(5), static_cast<int>(select.integer(6)), static_cast<int>(select.integer(7))},
           .best = select.record(8),
           .schedules = select.integer(14)});
    }
    return select.result();
  });
  return entries;
}

TuningStatistics TuningStore::statistics() {
  TuningStatistics out;
  out.problems = static_cast<std::int64_t>(list().size());
  with_database(false, [&](sqlite3* database) {
    Statement select(database, "SELECT coalesce(sum(version = ?), 0), coalesce(sum(version <> ?), 0) FROM measurement");
    select.bind(options_.version).bind(options_.version);
    while (select.next()) out.measurements = select.integer(0), out.others = select.integer(1);
    return select.result();
  });
  for (const std::string& file : {path(), path() + "-wal"}) {
    struct stat info = {};
    if (stat(file.c_str(), &info) == 0) out.bytes += static_cast<std::uint64_t>(info.st_size);
  }
  return out;
}

std::int64_t TuningStore::forget() {
  std::int64_t removed = 0;
  with_database(false, [&](sqlite3* database) {
    const int result = sqlite3_exec(database, "DELETE FROM measurement", nullptr, nullptr, nullptr);
    if (result != SQLITE_OK) return result;
    removed = sqlite3_changes64(database);
    // The space goes back to the system where nobody is reading; where somebody is, it is used again.
    sqlite3_exec(database, "VACUUM", nullptr, nullptr, nullptr);
    return result;
  });
  return removed;
}

}  // namespace hyperion::runtime
