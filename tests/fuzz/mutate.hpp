// mutate.hpp: the in-tree fuzzer: seeded mutations of a corpus, the same under every compiler.
//
// The rule of use: run(corpus, words, check) mutates a random entry one to five times and hands it
// to `check`, a thousand times. The seed is 1 unless gtest is given one (--gtest_random_seed=N); it
// is printed, and so is the input of a failing check. Inputs that once broke something are added to
// tests/fuzz/corpus.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace hyperion::fuzz {

inline constexpr int kRuns = 1000;  // in every ctest: about a second

class Mutator {
 public:
  // `words` are what the language is made of; mutations insert them. REQUIRES: neither list is
  // empty.
  Mutator(std::vector<std::string> corpus, std::vector<std::string> words, std::uint64_t seed)
      : corpus_(std::move(corpus)), words_(std::move(words)), random_(seed) {}

  std::string next();

 private:
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }
  const std::string& pick(const std::vector<std::string>& list) { return list[below(list.size())]; }
  void mutate(std::string& text);

  std::vector<std::string> corpus_, words_;
  std::mt19937_64 random_;
};

// Calls `check` with every entry of the corpus, then with kRuns mutations.
void run(const std::vector<std::string>& corpus, const std::vector<std::string>& words,
         const std::function<void(const std::string&)>& check);

// The contents of the files with this extension below a folder of the repository, in the order of
// their names.
std::vector<std::string> read_corpus(std::string_view folder, std::string_view extension);

}  // namespace hyperion::fuzz
