#include "codegen/driver/code_cache.hpp"

#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

// No module begins so.
constexpr std::string_view kListTitle = "products on tensor cores\n";

std::string with_record(const std::string& text, const runtime::TuningProblem& name, const std::string& record) {
  return format("{}\n{} = {}", text, name.text(), record);
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::optional<runtime::Module> parse(std::span<const std::byte> bytes) {
  auto module = runtime::Module::parse(bytes);
  return module ? std::optional(*std::move(module)) : std::nullopt;
}

}  // namespace

std::optional<runtime::Module> find_code(runtime::DiskCache& cache, const Hash128& program,
                                         const ScheduleTable& schedules, const CudaTarget* target) {
  const auto entry = cache.get(program);
  if (!entry) return std::nullopt;
  std::string_view list = text_of(*entry);
  if (target == nullptr || !list.starts_with(kListTitle)) return parse(*entry);
  list.remove_prefix(kListTitle.size());
  std::string key = program.hex();
  while (!list.empty()) {
    const std::size_t end = list.find('\n');
    const auto name = runtime::TuningProblem::parse(list.substr(0, end));
    if (end == std::string_view::npos || !name) return std::nullopt;
    key = with_record(key, *name, schedules.record_of(*name, *target));
    list.remove_prefix(end + 1);
  }
  const auto code = cache.get(hash_text(key));
  return code ? parse(*code) : std::nullopt;
}

void keep_code(runtime::DiskCache& cache, const Hash128& program, const ScheduleTable& schedules,
               const runtime::Module& code) {
  if (schedules.asked().empty()) return cache.put(program, code.serialize());
  std::string list(kListTitle), key = program.hex();
  for (const ScheduleTable::Asked& asked : schedules.asked()) {
    list += asked.name.text() + "\n";
    key = with_record(key, asked.name, asked.record);
  }
  // The code first: whoever finds the list finds the code.
  cache.put(hash_text(key), code.serialize());
  cache.put(program, std::as_bytes(std::span(list)));
}

}  // namespace hyperion::codegen
