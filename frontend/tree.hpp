// tree.hpp: any aggregate of tensors is a tree.
//
// A tree is a Tensor; a struct without constructors whose members are trees; std::vector, std::array, std::optional,
// std::tuple, std::pair or std::map<std::string, ...> of trees, nested at will. Members that hold no tensors (numbers,
// enums, strings) are *static*: they are part of the program, so a jit compiles once for each of their values. An empty
// Tensor is an absent leaf.
//
//   struct Model { nn::Linear first, second; int depth = 2; };       // no macro, no base class, no registration
//   tree::flatten(model).tensors                                     // weights and biases, in order of declaration
//   tree::names(model)                                               // "first.weight", "first.bias", ...
//
// Names are those of the members, elements count from 0, and a struct that says `using transparent_tree = void` gives its
// own members' names to its owner. Structs have at most 16 members.
#pragma once

#include <array>
#include <concepts>
#include <cstring>
#include <map>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "frontend/reflection.hpp"
#include "frontend/tensor.hpp"

namespace hyperion::tree {

template <class T, template <class...> class Template>
inline constexpr bool is_instance = false;
template <template <class...> class Template, class... Args>
inline constexpr bool is_instance<Template<Args...>, Template> = true;
template <class T>
inline constexpr bool is_std_array = false;
template <class T, std::size_t N>
inline constexpr bool is_std_array<std::array<T, N>> = true;

template <class T>
concept Static = std::is_arithmetic_v<T> || std::is_enum_v<T> || std::same_as<T, std::string>;
// A small type with constructors that is static nevertheless: it lists what it is made of as a std::tuple.
template <class T>
concept StaticMembers = requires(const T& value) { value.static_members(); };
template <class T>
concept Transparent = requires { typename T::transparent_tree; };

// Calls `visitor` for everything in the tree, in order:
//   visitor.tensor(Tensor&)   visitor.constant(value)   visitor.size(count)   visitor.enter(name)   visitor.leave()
// Depth of the recursion is the nesting of types, or of the user's containers.
template <class T, class V>
void visit(T& value, V& visitor) {
  using Value = std::remove_const_t<T>;
  const auto child = [&](std::string_view name, auto& member) {
    visitor.enter(name);
    visit(member, visitor);
    visitor.leave();
  };
  if constexpr (std::same_as<Value, Tensor>) {
    visitor.size(value.is_empty() ? 0 : 1);
    if (!value.is_empty()) visitor.tensor(value);
  } else if constexpr (Static<Value>) {
    visitor.constant(value);
  } else if constexpr (StaticMembers<Value>) {
    std::apply([&](const auto&... members) { (visitor.constant(members), ...); }, value.static_members());
  } else if constexpr (is_instance<Value, std::optional>) {
    visitor.size(value.has_value() ? 1 : 0);
    if (value) visit(*value, visitor);
  } else if constexpr (is_instance<Value, std::vector> || is_std_array<Value>) {
    visitor.size(value.size());
    for (std::size_t k = 0; k < value.size(); ++k) {
      if constexpr (std::same_as<Value, std::vector<bool>>) {
        visitor.constant(bool(value[k]));
      } else {
        child(std::to_string(k), value[k]);
      }
    }
  } else if constexpr (is_instance<Value, std::map>) {
    visitor.size(value.size());
    for (auto& [key, element] : value) {
      visitor.constant(key);
      child(key, element);
    }
  } else if constexpr (is_instance<Value, std::tuple> || is_instance<Value, std::pair>) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (child(std::to_string(I), std::get<I>(value)), ...);
    }(std::make_index_sequence<std::tuple_size_v<Value>>());
  } else if constexpr (std::is_empty_v<Value>) {
    // A type without content: a functor, a tag.
  } else {
    static_assert(std::is_aggregate_v<Value>,
                  "a tree is made of tensors, numbers, strings, standard containers, and structs without constructors");
    reflection::for_each_field(value, [&](std::string_view name, auto& member) {
      if constexpr (Transparent<Value>) {
        visit(member, visitor);
      } else {
        child(name, member);
      }
    });
  }
}

// What a visitor does where it has nothing to say.
struct Visitor {
  void tensor(const Tensor&) {}
  void size(std::size_t) {}
  template <class T>
  void constant(const T&) {}
  void enter(std::string_view) {}
  void leave() {}
};

// The tensors in order, and everything else about the tree as bytes: trees of one type are of one kind exactly when
// their structures are equal.
struct Flattened : Visitor {
  std::vector<Tensor> tensors;
  std::string structure;

  void tensor(const Tensor& t) { tensors.push_back(t); }
  void size(std::size_t count) { append(&count, sizeof count); }
  template <class T>
  void constant(const T& value) {
    if constexpr (std::same_as<T, std::string>) {
      size(value.size());
      structure += value;
    } else {
      append(&value, sizeof value);
    }
  }

 private:
  void append(const void* data, std::size_t bytes) { structure.append(static_cast<const char*>(data), bytes); }
};

template <class T>
Flattened flatten(const T& value) {
  Flattened flat;
  visit(value, flat);
  return flat;
}

// Raises [transform.structure].
[[noreturn]] void raise_structure(std::string message, std::source_location where);

struct Assigner : Visitor {
  std::span<const Tensor> tensors;
  std::size_t next = 0;

  void tensor(Tensor& t) {
    if (next < tensors.size()) t = tensors[next];
    ++next;
  }
};

// A copy of `like` with other tensors, as many as it has.
template <class T>
T unflatten(T like, std::span<const Tensor> tensors, std::source_location where = std::source_location::current()) {
  Assigner assign{{}, tensors};
  visit(like, assign);
  if (assign.next != tensors.size()) {
    raise_structure("unflatten: " + std::to_string(tensors.size()) + " tensors for a tree of " +
                        std::to_string(assign.next), where);
  }
  return like;
}

// f of each tensor, in the same structure.
template <class T, class F>
T map(const T& value, F f) {
  std::vector<Tensor> out;
  for (const Tensor& t : flatten(value).tensors) out.push_back(f(t));
  return unflatten(value, out);
}

// f(a, b) of corresponding tensors of trees of one structure.
template <class T, class F>
T map2(const T& a, const T& b, F f, std::source_location where = std::source_location::current()) {
  const std::vector<Tensor> xs = flatten(a).tensors, ys = flatten(b).tensors;
  if (xs.size() != ys.size()) {
    raise_structure("map2: trees of " + std::to_string(xs.size()) + " and " + std::to_string(ys.size()) + " tensors", where);
  }
  std::vector<Tensor> out;
  for (std::size_t k = 0; k < xs.size(); ++k) out.push_back(f(xs[k], ys[k]));
  return unflatten(a, out);
}

struct Namer : Visitor {
  std::vector<std::string> found, path;

  void tensor(const Tensor&) {
    std::string name;
    for (const std::string& part : path) name += (name.empty() ? "" : ".") + part;
    found.push_back(std::move(name));
  }
  void enter(std::string_view part) { path.emplace_back(part); }
  void leave() { path.pop_back(); }
};

// The path of each tensor, in order: "layers.0.weight". The tree itself, when it is a Tensor, has the empty path.
template <class T>
std::vector<std::string> names(const T& value) {
  Namer namer;
  visit(value, namer);
  return std::move(namer.found);
}

struct NamedTensor {
  std::string name;
  Tensor tensor;
};
template <class T>
std::vector<NamedTensor> named_tensors(const T& value) {
  const std::vector<std::string> paths = names(value);
  const std::vector<Tensor> tensors = flatten(value).tensors;
  std::vector<NamedTensor> out;
  for (std::size_t k = 0; k < paths.size(); ++k) out.push_back({paths[k], tensors[k]});
  return out;
}

// Number of elements in all tensors.
template <class T>
std::int64_t element_count(const T& value) {
  std::int64_t count = 0;
  for (const Tensor& t : flatten(value).tensors) count += t.size();
  return count;
}

}  // namespace hyperion::tree
