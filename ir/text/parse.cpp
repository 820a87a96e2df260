#include "ir/text/parse.hpp"

#include <algorithm>
#include <map>

#include "ir/support/format.hpp"
#include "ir/text/function_parser.hpp"

namespace hyperion::ir {
namespace {

class ModuleParser {
 public:
  ModuleParser(std::string_view text, Diagnostics& diagnostics)
      : tokens_(tokenize(text)), reader_(tokens_, diagnostics), diagnostics_(diagnostics) {}

  Result<std::unique_ptr<Module>> run() {
    const std::size_t errors_before = diagnostics_.error_count();
    HYP_TRY_VOID(outline());
    find_callees();
    for (std::size_t k : calling_order()) {
      FunctionPlan& plan = plans_[k];
      const bool callees_good =
          std::ranges::all_of(plan.callees, [&](std::size_t c) { return plans_[c].good; });
      plan.good =
          FunctionParser(reader_, *module_, broken_, *plan.function).run(plan) && callees_good;
      if (!plan.good) broken_.insert(plan.function->name);
      if (diagnostics_.error_count() >= errors_before + kMaxErrors) break;
    }
    if (unbalanced_ && diagnostics_.error_count() == errors_before)
      return reader_.expected("balanced braces");
    if (diagnostics_.error_count() != errors_before) return failure();
    return std::move(module_);
  }

 private:
  // The frame of the file: which functions there are, and the constants.
  Result<> outline() {
    const Token first = reader_.peek();
    if (!reader_.accept_word("hyperion") || reader_.peek().text != "1") {
      return reader_.error("parse.version", first.range(), "the first line must be 'hyperion 1'");
    }
    reader_.next();
    if (!reader_.accept_word("module")) return reader_.expected("'module'");
    if (reader_.peek().kind != TokenKind::symbol)
      return reader_.expected("the module's name, such as @main");
    module_ = std::make_unique<Module>(reader_.next().name());
    HYP_TRY_VOID(reader_.expect('{', "before the functions"));
    while (!reader_.accept('}')) {
      if (unbalanced_ && reader_.at_end())
        return {};  // the unfinished function will say what is wrong
      HYP_TRY_VOID(outline_function());
    }
    if (reader_.accept_word("constants")) {
      HYP_TRY_VOID(constants());
    }
    return reader_.at_end() ? Result<>() : Result<>(reader_.expected("the end of the text"));
  }

  Result<> outline_function() {
    FunctionPlan plan{.begin = reader_.position()};
    const bool kernel = reader_.peek().is_word("kernel");
    if (!kernel && !reader_.peek().is_word("func"))
      return reader_.expected("'func', 'kernel' or '}'");
    reader_.next();
    const Token name = reader_.peek();
    if (name.kind != TokenKind::symbol)
      return reader_.expected("the function's name, such as @main");
    reader_.next();
    skip_body();
    plan.end = reader_.position();
    if (module_->find(name.name()) != nullptr) {
      diagnostics_.error("parse.redefined", format("{} is defined twice", name.text), name.range())
          .note(tokens_[plans_[index_.find(name.name())->second].begin + 1].range(),
                "first defined here");
      return {};
    }
    plan.function = &module_->add(name.name(), kernel ? FunctionKind::kernel : FunctionKind::func);
    index_.emplace(name.name(), plans_.size());
    plans_.push_back(plan);
    return {};
  }

  // To just after the brace that closes the function, or to the next function where braces do not
  // match; braces of `attributes { }` come before the body.
  void skip_body() {
    int depth = 0;
    bool in_attributes = false;
    while (!reader_.at_end()) {
      const Token token = reader_.peek();
      const bool is_function = (token.is_word("func") || token.is_word("kernel")) &&
                               reader_.peek(1).kind == TokenKind::symbol;
      if (is_function) break;
      reader_.next();
      if (token.is_word("attributes") && depth == 0 && reader_.peek().is('{')) in_attributes = true;
      if (token.is('{')) ++depth;
      if (token.is('}') && --depth <= 0) {
        if (!in_attributes) return;
        in_attributes = false;
      }
    }
    unbalanced_ = true;
  }

  Result<> constants() {
    HYP_TRY_VOID(reader_.expect('{', "before the constants"));
    while (!reader_.accept('}')) {
      if (reader_.peek().kind != TokenKind::string)
        return reader_.expected("the hash of a constant, in quotes");
      std::vector<std::byte>& bytes = reader_.constants[reader_.next().name()];
      bytes.clear();
      HYP_TRY_VOID(reader_.expect('=', "after the hash"));
      // A hash stands before `=`; every other string is bytes.
      while (reader_.peek().kind == TokenKind::string && !reader_.peek(1).is('=')) {
        HYP_TRY_VOID(hex(reader_.next(), bytes));
      }
    }
    return {};
  }

  Result<> hex(const Token& token, std::vector<std::byte>& bytes) {
    const std::string_view digits = token.text.substr(1, token.text.size() - 2);
    const auto value = [](char c) {
      return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    for (std::size_t i = 0; i < digits.size(); i += 2) {
      const int high = value(digits[i]), low = i + 1 < digits.size() ? value(digits[i + 1]) : -1;
      if (high < 0 || low < 0) {
        return reader_.error("parse.constant", token.range(),
                             "bytes are pairs of the digits 0 to 9 and a to f");
      }
      bytes.push_back(static_cast<std::byte>(high * 16 + low));
    }
    return {};
  }

  void find_callees() {
    for (std::size_t k = 0; k < plans_.size(); ++k) {
      for (std::size_t at = plans_[k].begin + 2; at < plans_[k].end; ++at) {
        if (tokens_[at].kind != TokenKind::symbol) continue;
        const auto found = index_.find(tokens_[at].name());
        if (found == index_.end() ||
            std::ranges::find(plans_[k].callees, found->second) != plans_[k].callees.end())
          continue;
        plans_[k].callees.push_back(found->second);
      }
    }
  }

  // Callees before callers, since a call's type comes from the body it calls; functions on a cycle
  // are left out.
  std::vector<std::size_t> calling_order() {
    enum class Mark : std::uint8_t { none, open, done };
    std::vector<Mark> marks(plans_.size(), Mark::none);
    std::vector<std::size_t> order;
    std::vector<std::pair<std::size_t, std::size_t>> stack;
    for (std::size_t root = 0; root < plans_.size(); ++root) {
      if (marks[root] == Mark::none) stack.emplace_back(root, 0);
      while (!stack.empty()) {
        auto& [at, next] = stack.back();
        marks[at] = marks[at] == Mark::none ? Mark::open : marks[at];
        if (next == plans_[at].callees.size()) {
          marks[at] = Mark::done;
          order.push_back(at);
          stack.pop_back();
          continue;
        }
        const std::size_t callee = plans_[at].callees[next++];
        if (marks[callee] == Mark::open)
          report_recursion(at, callee);
        else if (marks[callee] == Mark::none)
          stack.emplace_back(callee, 0);
      }
    }
    return order;
  }

  void report_recursion(std::size_t caller, std::size_t callee) {
    const Token& name = tokens_[plans_[callee].begin + 1];
    const std::string through = caller == callee
                                    ? std::string()
                                    : format(" through {}", tokens_[plans_[caller].begin + 1].text);
    diagnostics_.error("parse.recursion", format("{} calls itself{}", name.text, through),
                       name.range());
    broken_.insert(plans_[callee].function->name);
  }

  const std::vector<Token> tokens_;
  Reader reader_;
  Diagnostics& diagnostics_;
  std::unique_ptr<Module> module_;
  std::vector<FunctionPlan> plans_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::set<std::string> broken_;
  bool unbalanced_ = false;  // some function does not end where its braces say
};

}  // namespace

Result<std::unique_ptr<Module>> parse(std::string_view text, std::string source_name,
                                      Diagnostics& diagnostics) {
  diagnostics.set_source(std::move(source_name), std::string(text));
  return ModuleParser(text, diagnostics).run();
}

}  // namespace hyperion::ir
