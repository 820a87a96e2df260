#include "tests/fuzz/mutate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/source_path.hpp"

namespace hyperion::fuzz {

std::string Mutator::next() {
  std::string text = pick(corpus_);
  for (std::size_t times = 1 + below(5); times > 0; --times) mutate(text);
  return text;
}

void Mutator::mutate(std::string& text) {
  const std::size_t at = below(text.size() + 1);
  const std::size_t length = std::min(below(1 + below(40)), text.size() - at);
  switch (below(8)) {
    case 0:
      text.erase(at, length);
      break;
    case 1:
      text.insert(at, text.substr(at, length));
      break;
    case 2:
      text.insert(at, pick(words_));
      break;
    case 3:
      text.replace(at, length, pick(words_));
      break;
    case 4:
      if (at < text.size()) text[at] = static_cast<char>(random_());
      break;
    case 5:
      text.resize(at);
      break;
    case 6: {  // a line of another entry
      const std::string& other = pick(corpus_);
      const std::size_t begin = other.find('\n', below(other.size() + 1));
      if (begin != std::string::npos)
        text.insert(at, other.substr(begin, other.find('\n', begin + 1) - begin));
      break;
    }
    default: {  // a digit becomes another number
      const std::size_t digit = text.find_first_of("0123456789", at);
      const char* const numbers[] = {
          "0", "-1", "1", "7", "4611686018427387904", "18446744073709551616", "1e400", "0.5"};
      if (digit != std::string::npos) text.replace(digit, 1, numbers[below(std::size(numbers))]);
    }
  }
}

void run(const std::vector<std::string>& corpus, const std::vector<std::string>& words,
         const std::function<void(const std::string&)>& check) {
  const int given = GTEST_FLAG_GET(random_seed);
  const std::uint64_t seed = given == 0 ? 1 : static_cast<std::uint64_t>(given);
  ::testing::Test::RecordProperty("seed", std::to_string(seed));
  std::printf("fuzzing with seed %llu\n", static_cast<unsigned long long>(seed));
  const auto checked = [&](const std::string& text) {
    check(text);
    if (::testing::Test::HasFailure()) ADD_FAILURE() << "seed " << seed << ", input:\n" << text;
    return !::testing::Test::HasFailure();
  };
  for (const std::string& text : corpus) {
    if (!checked(text)) return;
  }
  Mutator mutator(corpus, words, seed);
  for (int i = 0; i < kRuns; ++i) {
    if (!checked(mutator.next())) return;
  }
}

std::vector<std::string> read_corpus(std::string_view folder, std::string_view extension) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(testing_support::source_path(folder))) {
    if (entry.path().extension() == extension) paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  std::vector<std::string> out;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    out.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return out;
}

}  // namespace hyperion::fuzz
