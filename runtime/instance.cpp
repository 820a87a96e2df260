#include "runtime/instance.hpp"

#include <utility>

namespace hyperion::runtime {

std::shared_ptr<Instance> Instance::create(const InstanceOptions& options) {
  return std::shared_ptr<Instance>(new Instance(options));
}

Instance::Instance(const InstanceOptions& options)
    : devices_{
          Device::make_cpu({.threads = options.threads, .memory_limit = options.memory_limit})} {}

void Instance::set_code_loader(std::shared_ptr<CodeLoader> loader) {
  std::lock_guard lock(mutex_);
  code_loader_ = std::move(loader);
}

std::shared_ptr<CodeLoader> Instance::code_loader() const {
  std::lock_guard lock(mutex_);
  return code_loader_;
}

}  // namespace hyperion::runtime
