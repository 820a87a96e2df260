// reflection.hpp: the members of a struct, with their names, without its help.
//
// C++23 cannot list members, but three things it can do suffice: an aggregate is initialised from as many values as it
// has members, a structured binding names that many, and the address of a member of a constant is a template argument
// whose printed form ends with the member's name. REQUIRES: an aggregate without base classes or C arrays, of at most 16
// members.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace hyperion::reflection {

inline constexpr std::size_t kMaxFields = 16;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

// Converts to the type of any member; never called. An optional is initialised from its element, because it could be
// both ways.
struct AnyField {
  template <class T>
    requires(!is_optional<T>)
  constexpr operator T() const noexcept { std::unreachable(); }  // NOLINT: converts on purpose
};

template <class T, std::size_t... I>
constexpr bool has_fields(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), AnyField{})...}; };
}

template <class T, std::size_t N = kMaxFields + 1>
constexpr std::size_t count_fields() {
  if constexpr (N == 0 || has_fields<T>(std::make_index_sequence<N>{})) {
    return N;
  } else {
    return count_fields<T, N - 1>();
  }
}

template <class T, class F>
constexpr decltype(auto) with_fields(T& object, F&& f) {
  constexpr std::size_t n = count_fields<std::remove_const_t<T>>();
  static_assert(n <= kMaxFields, "a struct in a tree has at most 16 members; group them in a struct of their own");
#define HYP_FIELDS(count, ...)        \
  if constexpr (n == count) {         \
    auto& [__VA_ARGS__] = object;     \
    return f(__VA_ARGS__);            \
  }
  if constexpr (n == 0) return f();
  HYP_FIELDS(1, a)
  HYP_FIELDS(2, a, b)
  HYP_FIELDS(3, a, b, c)
  HYP_FIELDS(4, a, b, c, d)
  HYP_FIELDS(5, a, b, c, d, e)
  HYP_FIELDS(6, a, b, c, d, e, g)
  HYP_FIELDS(7, a, b, c, d, e, g, h)
  HYP_FIELDS(8, a, b, c, d, e, g, h, i)
  HYP_FIELDS(9, a, b, c, d, e, g, h, i, j)
  HYP_FIELDS(10, a, b, c, d, e, g, h, i, j, k)
  HYP_FIELDS(11, a, b, c, d, e, g, h, i, j, k, l)
  HYP_FIELDS(12, a, b, c, d, e, g, h, i, j, k, l, m)
  HYP_FIELDS(13, a, b, c, d, e, g, h, i, j, k, l, m, o)
  HYP_FIELDS(14, a, b, c, d, e, g, h, i, j, k, l, m, o, p)
  HYP_FIELDS(15, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q)
  HYP_FIELDS(16, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r)
#undef HYP_FIELDS
}

// An object that exists only to have members with addresses; it is never defined and never read.
template <class T>
struct Ghost {
  T value;
};
#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-var-template"
#pragma clang diagnostic ignored "-Wundefined-internal"
#endif
template <class T>
extern const Ghost<T> ghost;

template <class T>
constexpr auto field_pointers() {
  return with_fields(ghost<T>.value, [](auto&... fields) { return std::tuple{&fields...}; });
}
#if defined(__clang__)
#pragma clang diagnostic pop
#endif

// "... ghost.value.weight]" or "...::Linear::weight); std::string_view = ...]": the word behind the last . or :: of the
// argument.
template <auto Pointer>
consteval std::string_view field_name() {
  std::string_view text = __PRETTY_FUNCTION__;
  text = text.substr(text.find("Pointer = ") + 10);
  text = text.substr(0, text.find_first_of(";]"));
  while (text.back() == ')' || text.back() == ' ') text.remove_suffix(1);
  return text.substr(text.find_last_of(".:") + 1);
}

// f(name, member) for each member in order of declaration.
template <class T, class F>
constexpr void for_each_field(T& object, F&& f) {
  using Struct = std::remove_const_t<T>;
  with_fields(object, [&](auto&... fields) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (f(field_name<std::get<I>(field_pointers<Struct>())>(), fields), ...);
    }(std::make_index_sequence<sizeof...(fields)>());
  });
}

}  // namespace hyperion::reflection
