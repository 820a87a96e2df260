#include "tools/opt_driver/cli.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "ir/support/format.hpp"
#include "ir/support/suggest.hpp"

namespace hyperion::tools {

const std::string_view kOptVersion = "hyperion-opt " HYPERION_VERSION " (hir 1)";

namespace {

struct Subcommand {
  std::string_view name;
  OptCommand command;
  const char* doc;
};
constexpr Subcommand kSubcommands[] = {
    {"run", OptCommand::run, "run passes and print the module (the default)"},
    {"interpret", OptCommand::interpret,
     "compute what a function means, on given or random arguments"},
    {"check", OptCommand::check, "run passes, comparing what the functions compute after each"},
    {"gradcheck", OptCommand::gradcheck, "compare derivatives with differences"},
    {"emit", OptCommand::emit, "print the module as a later stage of the compiler sees it"},
    {"list", OptCommand::list,
     "list ops, passes, phases, rules, diagnostics, primitives or targets"},
    {"explain", OptCommand::explain, "explain an op, a constraint, a diagnostic, a pass or a rule"},
    {"test", OptCommand::test, "run golden tests: files or folders of .hir with RUN lines"},
};

// What the options write to before they become an OptConfig.
struct Raw {
  OptConfig config;
  std::string print = "nothing";
  std::string format = "text";
  bool no_locations = false;
  std::vector<std::string> dims;
};

void add_module_options(CLI::App& app, Raw& raw) {
  app.add_option("input", raw.config.input, "a .hir file; - is standard input");
  app.add_option("-p,--passes", raw.config.pipeline,
                 "the pipeline, such as 'canonicalize, fuse{max_ops=16}'");
  app.add_option("--stop-after", raw.config.stop_after, "stop after this pass or @phase");
  app.add_option("--dims", raw.dims,
                 "numbers for symbolic dimensions: n=4,m=8; check and gradcheck take several sizes "
                 "of each: n=1,7,4096")
      ->delimiter(',')
      ->allow_extra_args(false);
}

void add_print_options(CLI::App& app, Raw& raw) {
  app.add_option("--print", raw.print, "after each pass, on standard error: changed, all")
      ->check(CLI::IsMember({"nothing", "changed", "all"}));
  app.add_flag("--timing", raw.config.timing, "time per pass, on standard error");
  app.add_flag("--no-locs", raw.no_locations, "print without locations");
  app.add_flag("--defaults", raw.config.defaults, "print attributes that have their default value");
  app.add_flag("--users", raw.config.users, "print the users of each value as comments");
}

void add_function_options(CLI::App& app, Raw& raw) {
  app.add_option("function", raw.config.function, "@name; without it, all with static types");
  app.add_option("--seed", raw.config.seed, "of random arguments");
}

void add_options(CLI::App& app, OptCommand command, Raw& raw) {
  app.add_option("--format", raw.format, "of everything printed: text, json")
      ->check(CLI::IsMember({"text", "json"}));
  switch (command) {
    case OptCommand::emit:
      app.add_option("--as", raw.config.emit_as, "hir, groups, kernel, plan, cpp, llvm, cuda or asm");
      app.add_option("--target", raw.config.target, "host, a named CPU, or a GPU such as sm_90a");
      app.add_flag("--fast", raw.config.fast, "also apply rules that hold only over the reals");
      add_module_options(app, raw);
      app.add_option("function", raw.config.function,
                     "@name; without it, the last with static types");
      return add_print_options(app, raw);
    case OptCommand::run:
      add_module_options(app, raw);
      return add_print_options(app, raw);
    case OptCommand::interpret:
    case OptCommand::gradcheck:
      add_module_options(app, raw);
      add_function_options(app, raw);
      app.add_option("--arg", raw.config.arguments,
                     "an argument, in order: 1.5 or '[1, 2]'; repeatable")
          ->allow_extra_args(false);
      if (command == OptCommand::gradcheck) {
        app.add_option("--order", raw.config.order, "2 checks second derivatives too")
            ->check(CLI::Range(1, 2));
      }
      return;
    case OptCommand::check:
      add_module_options(app, raw);
      add_function_options(app, raw);
      app.add_option("--rtol", raw.config.rtol, "how far results may move");
      app.add_option("--device", raw.config.device,
                     "where compiled code runs: cpu, cuda, or cuda:1 for the second GPU")
          ->needs(app.add_flag("--compiled", raw.config.compiled,
                               "compare what compiled code gives, too"));
      app.add_flag("--per-rewrite", raw.config.per_rewrite, "name the rewrite, not only the pass");
      return;
    case OptCommand::list:
    case OptCommand::explain:
      app.add_option("subject", raw.config.subject, "what")->required();
      return;
    case OptCommand::test:
      app.add_option("paths", raw.config.paths, "files or folders")->required();
      app.add_flag("--update", raw.config.update, "rewrite the expected output");
      return;
  }
}

// CLI11 has no default subcommand: where the first word is none, `run` goes in front, if that word
// can be a file.
std::optional<OptResult> insert_default(std::vector<std::string>& arguments) {
  const std::string first = arguments.empty() ? "-" : arguments[0];
  if (first == "--help" || first == "-h") return std::nullopt;
  std::vector<std::string_view> names;
  for (const Subcommand& one : kSubcommands) names.push_back(one.name);
  if (std::ranges::find(names, first) != names.end()) return std::nullopt;
  if (first[0] != '-' && !std::filesystem::exists(first)) {
    const bool looks_like_file = first.find_first_of("./") != std::string::npos;
    const std::string what =
        looks_like_file ? format("no such file: '{}'", first)
                        : format("unknown subcommand '{}'{}", first, did_you_mean(first, names));
    return OptResult{looks_like_file ? kExitUnreadable : kExitUsage, "",
                     format("error: {}\n", what)};
  }
  arguments.insert(arguments.begin(), "run");
  return std::nullopt;
}

// Words split at commas: `n=1`, `7`, `m=8` give n two sizes and m one. The message of a mistake, or
// nothing.
std::string read_dims(const std::vector<std::string>& words, OptConfig& config) {
  std::string name;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals != std::string::npos) name = word.substr(0, equals);
    std::int64_t value = 0;
    const std::string number = equals == std::string::npos ? word : word.substr(equals + 1);
    if (name.empty() || !CLI::detail::lexical_cast(number, value) || value < 0) {
      return format("--dims takes name=number, got '{}'", word);
    }
    std::vector<std::int64_t>& sizes = config.dims[name];
    if (equals != std::string::npos && !sizes.empty()) return format("--dims gives {} twice", name);
    sizes.push_back(value);
  }
  const bool compares =
      config.command == OptCommand::check || config.command == OptCommand::gradcheck;
  for (const auto& [dimension, sizes] : config.dims) {
    if (sizes.size() == 1 || compares) continue;
    return format("only check and gradcheck take several sizes, and --dims gives {} {} of them",
                  dimension, sizes.size());
  }
  return {};
}

std::variant<OptConfig, OptResult> finish(Raw raw) {
  OptConfig& config = raw.config;
  config.print_each = raw.print == "all"       ? PrintEach::all
                      : raw.print == "changed" ? PrintEach::changed
                                               : PrintEach::nothing;
  config.json = raw.format == "json";
  config.locations = !raw.no_locations;
  if (const std::string mistake = read_dims(raw.dims, config); !mistake.empty()) {
    return OptResult{kExitUsage, "", format("error: {}\n", mistake)};
  }
  return config;
}

}  // namespace

std::variant<OptConfig, OptResult> parse_command_line(std::vector<std::string> arguments) {
  if (!arguments.empty() && arguments[0] == "--version")
    return OptResult{kExitGood, std::string(kOptVersion) + "\n", ""};
  if (std::optional<OptResult> answer = insert_default(arguments)) return *answer;
  const std::vector<std::string> words = arguments;
  CLI::App app("hyperion-opt: see, run, check and explain what the compiler does to a module.",
               "hyperion-opt");
  app.require_subcommand(1);
  std::vector<Raw> raws(std::size(kSubcommands));
  std::vector<CLI::App*> apps;
  for (std::size_t k = 0; k < raws.size(); ++k) {
    apps.push_back(app.add_subcommand(std::string(kSubcommands[k].name), kSubcommands[k].doc));
    raws[k].config.command = kSubcommands[k].command;
    add_options(*apps[k], kSubcommands[k].command, raws[k]);
  }
  try {
    std::ranges::reverse(arguments);  // as CLI11 wants them
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    for (CLI::App* one : apps) {
      if (one->parsed()) return OptResult{kExitGood, one->help(), ""};
    }
    return OptResult{kExitGood, app.help(), ""};
  } catch (const CLI::ParseError& error) {
    return OptResult{kExitUsage, "",
                     format("error: {}\n  hint: hyperion-opt --help\n", error.what())};
  }
  for (std::size_t k = 0; k < raws.size(); ++k) {
    if (!apps[k]->parsed()) continue;
    raws[k].config.words = words;
    // The input comes first where there is one; a reproducer holds it itself.
    std::erase(raws[k].config.words, raws[k].config.input);
    return finish(raws[k]);
  }
  return OptResult{kExitUsage, "", app.help()};
}

}  // namespace hyperion::tools
