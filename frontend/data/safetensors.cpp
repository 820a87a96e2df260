#include "frontend/data/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <set>

#include "ir/support/format.hpp"

namespace hyperion::data {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

constexpr std::size_t kSizeField = 8;
constexpr std::string_view kAliasPrefix = "alias:";

std::unexpected<Status> truncated(const std::string& path, std::string message) {
  return error_status(Code::data_loss, std::move(message), path,
                      "the file is truncated or no safetensors file: use an older checkpoint or "
                      "fetch it again");
}

const SafetensorsEntry* find_entry(std::span<const SafetensorsEntry> entries,
                                   std::string_view name) {
  const auto entry = std::ranges::find(entries, name, &SafetensorsEntry::name);
  return entry == entries.end() ? nullptr : &*entry;
}

bool same_storage(const NamedBytes& a, const NamedBytes& b) {
  return !a.bytes.empty() && a.bytes.data() == b.bytes.data() && a.dtype == b.dtype &&
         a.dims == b.dims;
}

struct Plan {
  SafetensorsHeader header;
  std::vector<std::span<const std::byte>> parts;  // the data, in the order of the entries
};

StatusOr<Plan> plan_save(const std::string& path, std::span<const NamedBytes> tensors,
                         const SafetensorsMetadata& metadata) {
  Plan plan;
  plan.header.metadata = metadata;
  std::set<std::string_view> names;
  std::uint64_t offset = 0;
  for (const NamedBytes& tensor : tensors) {
    const auto fail = [&](std::string_view why) {
      return error_status(Code::invalid_argument, format("tensor '{}' {}", tensor.name, why), path);
    };
    if (tensor.name == "__metadata__") return fail("has a reserved name");
    if (!names.insert(tensor.name).second) return fail("appears twice");
    const auto dtype_text = safetensors_dtype(tensor.dtype);
    if (!dtype_text) {
      return fail(format("is {}, which safetensors cannot hold", dtype_name(tensor.dtype)));
    }
    const auto first = std::ranges::find_if(
        tensors, [&](const NamedBytes& other) { return same_storage(other, tensor); });
    if (first != tensors.end() && first->name != tensor.name) {
      plan.header.metadata[std::string(kAliasPrefix) + tensor.name] = first->name;
      continue;
    }
    const std::uint64_t end = offset + tensor.bytes.size();
    plan.header.entries.push_back({tensor.name, std::string(*dtype_text), tensor.dtype, tensor.dims,
                                   std::exchange(offset, end), end});
    plan.parts.push_back(tensor.bytes);
  }
  return plan;
}

}  // namespace

SafetensorsFile::SafetensorsFile(std::string path, MappedFile file, SafetensorsHeader header,
                                 std::size_t data_offset)
    : path_(std::move(path)),
      file_(std::move(file)),
      header_(std::move(header)),
      data_offset_(data_offset) {}

StatusOr<SafetensorsFile> SafetensorsFile::open(const std::string& path) {
  HYP_TRY(MappedFile file, MappedFile::open(path));
  const auto bytes = file.bytes();
  if (bytes.size() < kSizeField) {
    return truncated(path, format("expected an 8-byte header size, found {} bytes", bytes.size()));
  }
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), kSizeField);
  if (header_bytes > kMaxSafetensorsHeaderBytes) {
    return error_status(Code::data_loss,
                        format("a header of {} bytes is beyond the format's limit of {}",
                               header_bytes, kMaxSafetensorsHeaderBytes),
                        path, "this is no safetensors file, or a damaged one");
  }
  if (header_bytes > bytes.size() - kSizeField) {
    return truncated(path, format("the header needs {} bytes, found {}", header_bytes,
                                  bytes.size() - kSizeField));
  }
  const std::string_view json(reinterpret_cast<const char*>(bytes.data()) + kSizeField,
                              header_bytes);
  const std::size_t data_offset = kSizeField + header_bytes;
  HYP_TRY(SafetensorsHeader header,
          parse_safetensors_header(json, bytes.size() - data_offset, path));
  return SafetensorsFile(path, std::move(file), std::move(header), data_offset);
}

const SafetensorsEntry* SafetensorsFile::find(std::string_view name) const {
  if (const SafetensorsEntry* entry = find_entry(header_.entries, name)) return entry;
  const auto alias = header_.metadata.find(std::string(kAliasPrefix) + std::string(name));
  return alias == header_.metadata.end() ? nullptr : find_entry(header_.entries, alias->second);
}

std::span<const std::byte> SafetensorsFile::raw_bytes(const SafetensorsEntry& entry) const {
  return file_.bytes().subspan(data_offset_ + entry.begin, entry.end - entry.begin);
}

StatusOr<HostArray> SafetensorsFile::read(std::string_view name) const {
  const SafetensorsEntry* entry = find(name);
  if (entry == nullptr) {
    return error_status(Code::not_found, format("has no tensor '{}'", name), path_,
                        format("it holds {} tensors", header_.entries.size()));
  }
  if (!entry->dtype) {
    return error_status(Code::unimplemented,
                        format("tensor '{}' is {}, which Hyperion has no element type for", name,
                               entry->dtype_text),
                        path_, "convert it to F32 before saving");
  }
  const auto bytes = raw_bytes(*entry);
  return HostArray{*entry->dtype, entry->dims, {bytes.begin(), bytes.end()}};
}

StatusOr<> save_safetensors(const std::string& path, std::span<const NamedBytes> tensors,
                            const SafetensorsMetadata& metadata) {
  HYP_TRY(Plan plan, plan_save(path, tensors, metadata));
  const std::string json = write_safetensors_header(plan.header);
  const std::uint64_t header_bytes = json.size();
  std::array<std::byte, kSizeField> size_field;
  std::memcpy(size_field.data(), &header_bytes, kSizeField);
  std::vector<std::span<const std::byte>> parts = {size_field, std::as_bytes(std::span(json))};
  parts.insert(parts.end(), plan.parts.begin(), plan.parts.end());
  return write_file_atomically(path, parts);
}

}  // namespace hyperion::data
