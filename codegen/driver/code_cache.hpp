// code_cache.hpp: compiled programs on disk, under all that decides what they are compiled to.
//
// A program's own key does not say all: its products on tensor cores are compiled by schedules that may have been
// measured since, and which products those are shows only when it is compiled. So there are two entries. Under the
// program's key lies the list of the products it asked for; under that key and what is measured of each of them now,
// the code. A later measurement leads to another key, and never to old code; measurements of other products change
// nothing. A program without such products lies under its own key.
#pragma once

#include <optional>

#include "codegen/cuda/schedule_table.hpp"
#include "runtime/cache.hpp"
#include "runtime/module.hpp"

namespace hyperion::codegen {

// `target` null: not for a GPU.
std::optional<runtime::Module> find_code(runtime::DiskCache& cache, const Hash128& program,
                                         const ScheduleTable& schedules, const CudaTarget* target);
// `schedules` is the table that compile() was given.
void keep_code(runtime::DiskCache& cache, const Hash128& program, const ScheduleTable& schedules,
               const runtime::Module& code);

}  // namespace hyperion::codegen
