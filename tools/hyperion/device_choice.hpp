// device_choice.hpp: where the programs of this process run.
#pragma once

#include <string>

namespace hyperion::tools {

// From now on, tensors live on `device`, as "cuda:1"; empty: the default device. `threads` are the
// host's, 0 for one a core. Throws when the device cannot be used, saying why.
void choose_device(const std::string& device, int threads);

// "cpu:0, 8 threads" or "cuda:0, NVIDIA H200".
std::string chosen_device_text();

}  // namespace hyperion::tools
