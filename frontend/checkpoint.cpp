#include "frontend/checkpoint.hpp"

#include <algorithm>
#include <set>

#include "frontend/data/safetensors.hpp"
#include "frontend/error.hpp"
#include "frontend/ops/creation.hpp"
#include "ir/support/format.hpp"

namespace hyperion::checkpoints {
namespace {

// A tree that is a single tensor has no name of its own.
std::string saved_name(const std::string& name) { return name.empty() ? "value" : name; }

data::SafetensorsFile open(const std::string& path, Location where) {
  auto file = data::SafetensorsFile::open(path);
  if (!file) frontend::raise(where, file.error());
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
  std::vector<data::NamedBytes> bytes;
  for (const auto& [name, tensor] : tensors) {
    bytes.push_back({saved_name(name), tensor.dtype(), tensor.shape(), tensor.bytes(place)});
  }
  if (auto saved = data::save_safetensors(path, bytes, metadata); !saved) frontend::raise(where, saved.error());
}

std::vector<Tensor> load_tensors(const std::string& path, const std::vector<tree::NamedTensor>& like,
                                 LoadOptions options, std::source_location place) {
  const Location where = frontend::user_line(place);
  const data::SafetensorsFile file = open(path, where);
  if (const std::string text = differences(file, like, options); !text.empty()) {
    throw Error(Code::failed_precondition,
                format("{}: {} does not fit what is loaded into:{}", where.first(), path, text));
  }
  std::vector<Tensor> tensors;
  for (const auto& [name, tensor] : like) {
    const data::SafetensorsEntry* entry = file.find(saved_name(name));
    tensors.push_back(entry == nullptr ? tensor
                                       : from_bytes(tensor.dtype(), tensor.shape(), file.raw_bytes(*entry), place));
  }
  return tensors;
}

Metadata load_metadata(const std::string& path, std::source_location place) {
  return open(path, frontend::user_line(place)).metadata();
}

}  // namespace hyperion::checkpoints
