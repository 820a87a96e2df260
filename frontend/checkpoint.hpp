// checkpoint.hpp: trees of tensors in safetensors files, for exact resume.
//
//   checkpoints::save(path, std::pair(model, state), {{"epoch", "3"}});
//   auto [model, state] = checkpoints::load(path, std::pair(model, state));     // shapes and types must fit
//
// A tensor is saved under its name in the tree ("0.first.weight"); two names of one tensor are saved once. Keys, step
// counters and data positions that are tensors of the tree are saved like everything else; what is not a tensor goes into
// the metadata. Saving is atomic: whoever reads, even after a kill in the middle, finds the old file or the new one.
//
// What save() wrote is hashed, tensors and metadata, and load() refuses a file that has changed since: no flipped bit is
// trained on. Files of other programs, which have no hash, load unchecked.
//
// Files know no devices: each tensor is loaded to where the tree's tensor of that name is, so a run that was saved on
// one kind of device can go on on another.
//
// load() reports all missing, unexpected and mis-shaped tensors at once, and changes nothing on error. Loading bits saved
// by save() gives the same bits.
#pragma once

#include <source_location>
#include <string>
#include <vector>

#include "frontend/data/safetensors_header.hpp"
#include "frontend/tree.hpp"

namespace hyperion::checkpoints {

using Metadata = data::SafetensorsMetadata;

struct LoadOptions {
  bool allow_missing = false;     // keep the tree's tensor
  bool allow_unexpected = false;  // ignore tensors that the tree does not have
};

void save_tensors(const std::string& path, const std::vector<tree::NamedTensor>& tensors, const Metadata& metadata = {},
                  std::source_location where = std::source_location::current());
// The file's tensors for these names, in their order.
std::vector<Tensor> load_tensors(const std::string& path, const std::vector<tree::NamedTensor>& like,
                                 LoadOptions options = {}, std::source_location where = std::source_location::current());
Metadata load_metadata(const std::string& path, std::source_location where = std::source_location::current());

template <class Tree>
void save(const std::string& path, const Tree& value, const Metadata& metadata = {},
          std::source_location where = std::source_location::current()) {
  save_tensors(path, tree::named_tensors(value), metadata, where);
}

template <class Tree>
Tree load(const std::string& path, const Tree& like, LoadOptions options = {},
          std::source_location where = std::source_location::current()) {
  return tree::unflatten(like, load_tensors(path, tree::named_tensors(like), options, where));
}

}  // namespace hyperion::checkpoints
