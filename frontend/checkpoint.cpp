#include "frontend/checkpoint.hpp"

#include <map>
#include <set>

#include "frontend/data/safetensors.hpp"
#include "frontend/engine.hpp"
#include "frontend/error.hpp"
#include "frontend/ops/creation.hpp"
#include "ir/support/format.hpp"
#include "ir/support/hash.hpp"

namespace hyperion::checkpoints {
namespace {

// A tree that is a single tensor has no name of its own.
std::string saved_name(const std::string& name) { return name.empty() ? "value" : name; }

// Two hashes in the metadata notice damage that the format does not: one of all tensors under all their names, and one
// of the rest of the metadata, so that metadata can be trusted without reading tensors. Files of other programs have
// neither.
constexpr std::string_view kTensorHash = "hyperion.tensor_hash";
constexpr std::string_view kMetadataHash = "hyperion.metadata_hash";
constexpr std::string_view kAliasPrefix = "alias:";  // added by safetensors.hpp; names of tensors

class TensorHash {
 public:
  void add(const std::string& name, std::string_view dtype, std::span<const std::int64_t> dims,
           std::span<const std::byte> bytes) {
    tensors_[name] = format("{}[{}] {}", dtype, fmt::join(dims, ","), hash_bytes(bytes).hex());
  }
  std::string hex() const {
    std::string text;
    for (const auto& [name, content] : tensors_) text += format("{}:{} {}\n", name.size(), name, content);
    return hash_text(text).hex();
  }

 private:
  std::map<std::string, std::string> tensors_;  // by name: a file's order says nothing
};

std::string metadata_hash(const Metadata& metadata) {
  std::string text;
  for (const auto& [key, value] : metadata) {
    if (key == kMetadataHash || key.starts_with(kAliasPrefix)) continue;
    text += format("{}:{} {}:{}\n", key.size(), key, value.size(), value);
  }
  return hash_text(text).hex();
}

std::string tensor_hash(const data::SafetensorsFile& file) {
  TensorHash hash;
  const auto add = [&](const std::string& name) {
    const data::SafetensorsEntry* entry = file.find(name);
    if (entry != nullptr) hash.add(name, entry->dtype_text, entry->dims, file.raw_bytes(*entry));
  };
  for (const data::SafetensorsEntry& entry : file.entries()) add(entry.name);
  for (const auto& [key, value] : file.metadata()) {
    if (key.starts_with(kAliasPrefix)) add(key.substr(kAliasPrefix.size()));
  }
  return hash.hex();
}

enum class Trust : std::uint8_t { metadata, everything };

data::SafetensorsFile open(const std::string& path, Location where, Trust trust) {
  auto file = data::SafetensorsFile::open(path);
  if (!file) frontend::raise(where, file.error());
  const Metadata& metadata = file->metadata();
  const auto of_tensors = metadata.find(std::string(kTensorHash)), of_metadata = metadata.find(std::string(kMetadataHash));
  if (of_tensors == metadata.end() && of_metadata == metadata.end()) return *std::move(file);
  const auto damaged = [&](std::string_view what) {
    const Status status{Code::data_loss, format("{} differ from what was saved", what), path,
                        "the file is damaged: use an older checkpoint or fetch it again"};
    frontend::raise(where, status);
  };
  if (of_tensors == metadata.end() || of_metadata == metadata.end() || of_metadata->second != metadata_hash(metadata)) {
    damaged("names or settings");
  }
  if (trust == Trust::everything && of_tensors->second != tensor_hash(*file)) damaged("tensors");
  return *std::move(file);
}

std::string shape_text(const data::SafetensorsEntry& entry) {
  return format("{}[{}]", entry.dtype ? dtype_name(*entry.dtype) : entry.dtype_text, fmt::join(entry.dims, ", "));
}

// Everything that keeps the file from filling the tree, one line each.
std::string differences(const data::SafetensorsFile& file, const std::vector<tree::NamedTensor>& like,
                        const LoadOptions& options) {
  std::string text;
  std::set<std::string> expected;
  for (const auto& [name, tensor] : like) {
    expected.insert(saved_name(name));
    const data::SafetensorsEntry* entry = file.find(saved_name(name));
    if (entry == nullptr) {
      if (!options.allow_missing) text += format("\n  missing: {} {}", saved_name(name), tensor.type().text());
    } else if (entry->dtype != tensor.dtype() || entry->dims != tensor.shape()) {
      text += format("\n  differs: {} is {}, expected {}", saved_name(name), shape_text(*entry), tensor.type().text());
    }
  }
  if (options.allow_unexpected) return text;
  for (const data::SafetensorsEntry& entry : file.entries()) {
    if (!expected.contains(entry.name)) text += format("\n  unexpected: {} {}", entry.name, shape_text(entry));
  }
  return text;
}

}  // namespace

void save_tensors(const std::string& path, const std::vector<tree::NamedTensor>& tensors, const Metadata& metadata,
                  std::source_location place) {
  const Location where = frontend::user_line(place);
  std::vector<frontend::NodeRef> refs;
  for (const tree::NamedTensor& named : tensors) refs.push_back(named.tensor.ref());
  frontend::evaluate(refs, where);
  std::vector<frontend::Array> values;  // in memory of the host
  std::vector<data::NamedBytes> parts;
  TensorHash hash;
  for (const auto& [name, tensor] : tensors) {
    const auto value = frontend::on_host(*tensor.ref().value());
    if (!value) frontend::raise(where, value.error());
    const auto readable = values.emplace_back(*value).host_bytes();
    if (!readable) frontend::raise(where, readable.error());
    const std::span<const std::byte> bytes = *readable;
    parts.push_back({saved_name(name), tensor.dtype(), tensor.shape(), bytes});
    hash.add(saved_name(name), data::safetensors_dtype(tensor.dtype()).value_or(""), tensor.shape(), bytes);
  }
  Metadata all = metadata;
  all[std::string(kTensorHash)] = hash.hex();
  all[std::string(kMetadataHash)] = metadata_hash(all);
  if (auto saved = data::save_safetensors(path, parts, all); !saved) frontend::raise(where, saved.error());
}

std::vector<Tensor> load_tensors(const std::string& path, const std::vector<tree::NamedTensor>& like,
                                 LoadOptions options, std::source_location place) {
  const Location where = frontend::user_line(place);
  const data::SafetensorsFile file = open(path, where, Trust::everything);
  if (const std::string text = differences(file, like, options); !text.empty()) {
    throw Error(Code::failed_precondition,
                format("{}: {} does not fit what is loaded into:{}", where.first(), path, text));
  }
  std::vector<Tensor> tensors;
  for (const auto& [name, tensor] : like) {
    const data::SafetensorsEntry* entry = file.find(saved_name(name));
    const ScopedDevice there(tensor.device());
    tensors.push_back(entry == nullptr ? tensor
                                       : from_bytes(tensor.dtype(), tensor.shape(), file.raw_bytes(*entry), place));
  }
  return tensors;
}

Metadata load_metadata(const std::string& path, std::source_location place) {
  return open(path, frontend::user_line(place), Trust::metadata).metadata();
}

}  // namespace hyperion::checkpoints
