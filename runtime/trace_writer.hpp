// trace_writer.hpp: a capture as a Perfetto trace: drop the file on ui.perfetto.dev.
//
// The format is the TrackEvent protobuf (perfetto.protos.Trace), written by hand: a few message
// types, no dependency. One track a thread and one a device; names, which say where in the source,
// and categories are interned; each launch carries its bytes and flops, its speeds and their shares
// of the device's ceilings (roofline.hpp). Timestamps are nanoseconds from the first record.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ir/support/status.hpp"
#include "runtime/profiler.hpp"
#include "runtime/roofline.hpp"

namespace hyperion::runtime {

std::vector<std::byte> perfetto_trace(const Capture& capture, const Ceilings& ceilings = {});
StatusOr<> write_perfetto_trace(const std::string& path, const Capture& capture,
                                const Ceilings& ceilings = {});

}  // namespace hyperion::runtime
