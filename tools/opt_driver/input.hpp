// input.hpp: files as modules: reading, splitting at `// -----`, parsing and verifying.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ir/module.hpp"
#include "tools/opt_driver/opt_driver.hpp"

namespace hyperion::tools {

// One module's text; line numbers are those of the whole file, by empty lines in front.
struct Section {
  std::string name;
  std::string text;
};

// A line that is nearly the marker is an error (parse.separator), not a comment.
Result<std::vector<Section>> split_sections(const std::string& name, const std::string& text,
                                            Diagnostics& diagnostics);

// The sections of the input of `config`; fills `result` and returns nothing if there are none to be
// had.
std::vector<Section> read_input(const OptConfig& config, OptResult& result);

// The module of one section, parsed and verified; null after reporting.
std::unique_ptr<ir::Module> load(const Section& section, Diagnostics& diagnostics);

// The same with numbers for symbolic dimensions, where `config` gives any: the first, if there are
// several.
std::unique_ptr<ir::Module> load_static(const Section& section, const OptConfig& config,
                                        Diagnostics& diagnostics);

// `config` once for each combination of the sizes that it gives dimensions; itself when it gives
// none.
std::vector<OptConfig> each_size(const OptConfig& config);

// Adds the reports as text or JSON, and sets the exit code if any is an error.
void report(const Diagnostics& diagnostics, const OptConfig& config, OptResult& result);

}  // namespace hyperion::tools
