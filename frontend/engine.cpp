#include "frontend/engine.hpp"

#include <atomic>
#include <mutex>

#include "ir/interpreter.hpp"
#include "runtime/instance.hpp"

namespace hyperion::frontend {
namespace {

std::atomic<EngineKind> current_engine{EngineKind::interpreter};

struct DeviceHolder {
  std::mutex mutex;
  std::shared_ptr<runtime::Instance> instance;

  static DeviceHolder& get() {
    static DeviceHolder* holder = new DeviceHolder;
    return *holder;
  }
};

class InterpretedFunction : public Executable {
 public:
  InterpretedFunction(std::shared_ptr<const ir::Module> module, const ir::Function& function)
      : module_(std::move(module)), function_(function) {}

  StatusOr<std::vector<Array>> run(std::span<const Array> arguments) override {
    std::vector<LiteralPtr> literals;
    for (std::size_t k = 0; k < arguments.size(); ++k) {
      HYP_TRY(const std::span<const std::byte> bytes, arguments[k].host_bytes());
      literals.push_back(Literal::make(function_.type(function_.parameters()[k]), bytes));
    }
    HYP_TRY(const std::vector<LiteralPtr> results, ir::interpret(*module_, function_, literals));
    std::vector<Array> arrays;
    for (const LiteralPtr& result : results) {
      HYP_TRY(arrays.emplace_back(), make_array(*result));
    }
    return arrays;
  }

 private:
  std::shared_ptr<const ir::Module> module_;
  const ir::Function& function_;
};

}  // namespace

EngineKind engine_kind() { return current_engine; }
void set_engine(EngineKind kind) { current_engine = kind; }

std::shared_ptr<runtime::Instance> instance() {
  DeviceHolder& holder = DeviceHolder::get();
  std::lock_guard lock(holder.mutex);
  if (!holder.instance) holder.instance = runtime::Instance::create();
  return holder.instance;
}

void set_instance(std::shared_ptr<runtime::Instance> replacement) {
  DeviceHolder& holder = DeviceHolder::get();
  std::lock_guard lock(holder.mutex);
  holder.instance = std::move(replacement);
}

StatusOr<std::shared_ptr<Executable>> load(std::shared_ptr<const ir::Module> module, std::string_view function,
                                           const std::vector<bool>&) {
  const ir::Function* found = module->find(function);
  HYP_CHECK(found != nullptr, "the function to load is not in its module");
  return std::make_shared<InterpretedFunction>(std::move(module), *found);
}

StatusOr<Array> make_array(Type type, std::span<const std::byte> bytes) {
  return Array::from_host(instance()->devices()[0], type.dtype(), type.sizes(), bytes);
}

StatusOr<Array> make_array(const Literal& literal) { return make_array(literal.type(), literal.dense_bytes()); }

}  // namespace hyperion::frontend
