// tensor.hpp: the tensor that users hold.
//
// A Tensor is a value: copying it copies a handle, and nothing that is done to one tensor changes another. Operations
// record a typed graph and return at once; reading a value (`item`, `to_vector`, `text`, `eval`) computes what it needs,
// together with what else the program holds of the same work. Compiled code is cached by the structure of the graph, so
// a loop compiles once. Numbers written in the program (`x * 2.0`) are part of that structure: what changes from step to
// step belongs in a tensor.
//
// Semantics. Shapes broadcast as in NumPy. Element types promote by the array API's table (promotion.hpp): types of
// different kinds do not mix, and plain numbers take the tensor's type. Integers wrap; division of integers truncates;
// max and min propagate NaN. Every error is thrown as hyperion::Error when the operation is recorded, with the user's
// line, before anything runs.
//
// Thread safety: distinct tensors may be used from any threads, also when they share a graph.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "frontend/device.hpp"
#include "frontend/graph.hpp"
#include "frontend/user_line.hpp"
#include "ir/dtype.hpp"
#include "ir/support/location.hpp"
#include "ir/type.hpp"

namespace hyperion {

using Shape = std::vector<std::int64_t>;
using Axes = std::vector<int>;
class Index;
class Operand;

class Tensor {
 public:
  Tensor() = default;  // empty: only tested, assigned and destroyed
  bool is_empty() const { return !ref_; }
  // `if (x > 0)` would ask for the value of a whole tensor. Read it: `(x > 0).item<bool>()`, or compute with where().
  explicit operator bool() const = delete;

  DType dtype(std::source_location where = std::source_location::current()) const { return type(where).dtype(); }
  int rank(std::source_location where = std::source_location::current()) const { return type(where).rank(); }
  Shape shape(std::source_location where = std::source_location::current()) const { return type(where).sizes(); }
  std::int64_t dim(int axis, std::source_location where = std::source_location::current()) const;
  // The number of elements.
  std::int64_t size(std::source_location where = std::source_location::current()) const {
    return type(where).element_count();
  }
  Type type(std::source_location where = std::source_location::current()) const;
  // Where it lives, or will when it is computed; see device.hpp.
  Device device(std::source_location where = std::source_location::current()) const;

  // Reading. Elements are converted to T (any arithmetic type) as `to` converts them. `item` needs exactly one element.
  template <class T = double>
  T item(std::source_location where = std::source_location::current()) const;
  template <class T>
  std::vector<T> to_vector(std::source_location where = std::source_location::current()) const;
  // The elements as they lie in memory, dense and row-major, valid as long as this tensor. Of a tensor on a GPU, it
  // keeps a copy in memory of the host from the first call on.
  std::span<const std::byte> bytes(std::source_location where = std::source_location::current()) const;
  // As NumPy prints it, followed by the type when that is not f32.
  std::string text(std::source_location where = std::source_location::current()) const;
  const Tensor& eval(std::source_location where = std::source_location::current()) const;
  bool is_evaluated() const { return ref_ && ref_->is_evaluated(); }

  // x[{Slice(0, 10, 2), All, 3}], x[3], x[{Ellipsis, NewAxis}]; see indexing.hpp.
  Tensor operator[](Index index) const;
  Tensor operator[](std::initializer_list<Index> indices) const;

  // The spellings that read better behind the tensor; each is the free function of the same name.
  Tensor to(DType dtype, std::source_location where = std::source_location::current()) const;
  // The same tensor when it is there, else a copy, placed there: what is pending is computed where it belongs first. A
  // stand-in of a function being traced cannot move.
  Tensor to(Device device, std::source_location where = std::source_location::current()) const;
  Tensor reshape(Shape shape, std::source_location where = std::source_location::current()) const;
  Tensor transpose(Axes axes = {}, std::source_location where = std::source_location::current()) const;
  Tensor flatten(int start = 0, int end = -1, std::source_location where = std::source_location::current()) const;

  // Internal: the frontend's view of the same thing.
  explicit Tensor(frontend::NodeRef ref) : ref_(std::move(ref)) {}
  const frontend::NodeRef& ref() const { return ref_; }

 private:
  frontend::NodeRef ref_;
};

// What operations take: a tensor or a plain number, and the user's line. Converting an argument to an Operand happens
// in the caller's expression, so the line is theirs without a macro.
class Operand {
 public:
  using Where = std::source_location;
  Operand(const Tensor& tensor, Where where = Where::current())  // NOLINT: converts on purpose
      : tensor_(tensor), where_(where) {}
  template <std::floating_point T>
  Operand(T value, Where where = Where::current()) : kind_(Kind::real), real_(value), where_(where) {}  // NOLINT
  template <std::integral T>
  Operand(T value, Where where = Where::current())  // NOLINT
      : kind_(std::same_as<T, bool> ? Kind::boolean : Kind::integer),
        integer_(static_cast<std::int64_t>(value)),
        where_(where) {}

  enum class Kind : std::uint8_t { tensor, boolean, integer, real };
  Kind kind() const { return kind_; }
  bool is_tensor() const { return kind_ == Kind::tensor; }
  const Tensor& tensor() const { return tensor_; }
  double real() const { return kind_ == Kind::real ? real_ : static_cast<double>(integer_); }
  std::int64_t integer() const { return integer_; }
  Where where() const { return where_; }
  Location location() const { return frontend::user_line(where_); }

 private:
  Kind kind_ = Kind::tensor;
  Tensor tensor_;
  double real_ = 0;
  std::int64_t integer_ = 0;
  Where where_;
};

// Arithmetic. Division of integers truncates towards zero; % has the sign of the dividend.
Tensor operator+(Operand a, Operand b);
Tensor operator-(Operand a, Operand b);
Tensor operator*(Operand a, Operand b);
Tensor operator/(Operand a, Operand b);
Tensor operator%(Operand a, Operand b);
Tensor operator-(Operand a);
Tensor operator~(Operand a);  // bitwise; logical on bool
Tensor operator!(Operand a);  // bool only
Tensor operator&(Operand a, Operand b);
Tensor operator|(Operand a, Operand b);
Tensor operator^(Operand a, Operand b);
Tensor operator<<(Operand a, Operand b);
Tensor operator>>(Operand a, Operand b);
// a += b is a = a + b: the handle changes, no tensor does.
inline Tensor& operator+=(Tensor& a, Operand b) { return a = Operand(a, b.where()) + b; }
inline Tensor& operator-=(Tensor& a, Operand b) { return a = Operand(a, b.where()) - b; }
inline Tensor& operator*=(Tensor& a, Operand b) { return a = Operand(a, b.where()) * b; }
inline Tensor& operator/=(Tensor& a, Operand b) { return a = Operand(a, b.where()) / b; }
// Comparisons give bool tensors, element by element.
Tensor operator==(Operand a, Operand b);
Tensor operator!=(Operand a, Operand b);
Tensor operator<(Operand a, Operand b);
Tensor operator<=(Operand a, Operand b);
Tensor operator>(Operand a, Operand b);
Tensor operator>=(Operand a, Operand b);

std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

}  // namespace hyperion
