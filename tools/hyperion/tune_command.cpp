// tune: measures how products run on the tensor cores of a GPU, and shows what was measured.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <iterator>

#include "codegen/driver/target_of.hpp"
#include "ir/support/file.hpp"
#include "ir/support/format.hpp"
#include "tools/hyperion/commands.hpp"
#include "tools/hyperion/session.hpp"
#include "tools/hyperion/tuning.hpp"

namespace hyperion::tools {
namespace {

std::vector<TuneProblem> problems_of_model(const TuneCommandOptions& options, const codegen::CudaTarget& target) {
  const RecordedStep step = Session::create({.model = options.model, .batch_size = options.batch})->record_step();
  std::vector<TuneProblem> problems;
  for (codegen::TuneSubject& subject :
       value_or_throw(codegen::subjects_of(*step.module, step.function, target, true))) {
    problems.push_back({.subject = std::move(subject), .peer_seconds = {}});
  }
  if (problems.empty())
    throw Error(Code::not_found, format("no product of {} is one for this GPU's tensor cores", options.model));
  return problems;
}

// Those that the command line spells out, in its order.
std::vector<TuneProblem> named_problems(const TuneCommandOptions& options) {
  std::vector<TuneProblem> problems;
  std::vector<std::string> shapes = options.shapes;
  if (shapes.empty() && options.shape_file.empty() && options.model.empty()) shapes = {"4096"};
  for (const std::string& shape : shapes) {
    for (const std::string& layout : options.layouts) {
      problems.push_back(
          {.subject = codegen::product_subject(parse_problem(options.dtype, layout, shape)), .peer_seconds = {}});
    }
  }
  if (options.shape_file.empty()) return problems;
  const std::vector<std::byte> bytes = value_or_throw(read_file(options.shape_file));
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::ranges::move(parse_problems(text, options.shape_file), std::back_inserter(problems));
  return problems;
}

void measure(const TuneCommandOptions& options, runtime::TuningStore& store) {
  std::vector<TuneProblem> problems = named_problems(options);
  const codegen::RunSite site = value_or_throw(codegen::RunSite::open(options.device));
  const codegen::Target found = value_or_throw(codegen::target_of(site.device));
  if (!std::holds_alternative<codegen::CudaTarget>(found)) {
    throw Error(Code::invalid_argument,
                format("{} has nothing to tune: its schedules follow from its caches", options.device));
  }
  codegen::CudaTarget target = std::get<codegen::CudaTarget>(found);
  target.tf32 = true;  // f32 reaches the tensor cores no other way
  if (!options.model.empty()) std::ranges::move(problems_of_model(options, target), std::back_inserter(problems));
  const auto make_timer = [&](const codegen::TuneSubject& subject) {
    return codegen::device_timer(subject, target, site, options.seconds);
  };
  run_tuning(problems,
             {.target = target,
              .make_timer = make_timer,
              .store = store,
              .candidates = options.candidates,
              .budget_seconds = options.budget,
              .again = options.again,
              .shows_all = options.shows_all,
              .is_live = isatty(STDOUT_FILENO) != 0},
             std::cout);
}

}  // namespace

void tune(const TuneCommandOptions& options) {
  const auto store = open_tuning_store();
  if (options.lists) {
    std::cout << tuning_table(*store);
  } else if (options.forgets) {
    std::cout << format("removed {} measurements\n", store->forget());
  } else if (!options.export_path.empty()) {
    const std::string text = exported_schedules(*store, codegen::shipped_schedules());
    value_or_throw(write_file_atomically(options.export_path, std::as_bytes(std::span(text))));
    std::cout << format("{}: {}\n", options.export_path, tuning_summary(*store));
  } else {
    measure(options, *store);
  }
  std::cout << std::flush;
}

}  // namespace hyperion::tools
