// device.hpp: where tensors live and where programs run.
//
//   set_default_device("cuda");                            // new tensors live there from here on
//   const Tensor x = random::normal(random::key(0), {512});
//   const Tensor y = (x * 2.0).to("cpu");                  // computed on cuda:0, then copied
//
// Data (tensor, from_vector, random::key, what a checkpoint holds) is *placed*: on one device, the default one when it
// was made. What is computed from placed tensors is computed where they are, and stays there; operands on two devices
// are an error that names both. What is computed from the program's own numbers alone (2.0, zeros, arange, eye) is
// *free*: it meets tensors of any device, and has the default device as its own only for when somebody reads it by
// itself. jit, grad and the other transforms run where their arguments are, and there is the default device of data
// that the function makes. Reading a value (item, to_vector, text, bytes) copies it to the host.
//
// The default device is that of the thread's innermost ScopedDevice; without one, what set_default_device() named;
// without that, what the environment variable HYPERION_DEVICE names; else cpu.
//
// Thread safety: all functions. set_default_device() concerns all threads that have no ScopedDevice, at once; a
// ScopedDevice concerns the thread that made it, and threads started inside of it do not inherit it.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <source_location>
#include <string>
#include <string_view>

#include "ir/support/status.hpp"

namespace hyperion {

// A name: whether there is such a device turns out when it is first used.
class Device {
 public:
  using Where = std::source_location;

  Device() = default;  // cpu:0
  // "cpu", "cuda", "cuda:1". Raises [device.name] for anything else.
  Device(const char* name, Where where = Where::current());         // NOLINT: converts on purpose
  Device(const std::string& name, Where where = Where::current());  // NOLINT
  static StatusOr<Device> parse(std::string_view name);
  // REQUIRES: `kind` is one of runtime::device_kinds().
  static Device of(std::string_view kind, int ordinal);

  std::string_view kind() const;  // "cuda"
  int ordinal() const { return ordinal_; }
  std::string name() const;  // "cuda:1"

  friend bool operator==(Device, Device) = default;

 private:
  std::uint16_t kind_ = 0;  // place in runtime::device_kinds()
  std::uint16_t ordinal_ = 0;
};

std::ostream& operator<<(std::ostream& out, Device device);

// Raises [device.name] when HYPERION_DEVICE is asked and names none.
Device default_device();
// Raises, and changes nothing, when there is no such device or it cannot be used, saying why.
void set_default_device(Device device, std::source_location where = std::source_location::current());

// Another default device for this thread, until the end of the scope.
class ScopedDevice {
 public:
  explicit ScopedDevice(Device device);
  ~ScopedDevice();
  ScopedDevice(const ScopedDevice&) = delete;
  ScopedDevice& operator=(const ScopedDevice&) = delete;

 private:
  const Device previous_;
  const bool had_previous_;
};

namespace frontend {

// How firmly a node is bound to its device; where operands meet, the firmest decides.
enum class Binding : std::uint8_t {
  number,  // written beside a tensor: `x * 2.0`
  free,    // computed from the program's own numbers
  placed,  // data, or computed from data
};

struct Placement {
  Device device;
  Binding binding = Binding::number;
};

}  // namespace frontend
}  // namespace hyperion
