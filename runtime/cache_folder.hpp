// cache_folder.hpp: whether a folder can hold what this process will trust: code (cache.hpp), schedules
// (tuning_store.hpp).
#pragma once

#include <string>

namespace hyperion::runtime {

// Makes the folder if it is not there, for this user alone. Why it cannot be used: others could write to it, or nobody
// can; empty when it can.
std::string unusable_cache_folder(const std::string& folder);

}  // namespace hyperion::runtime
