// float_formats.hpp: the small float formats as bits, converted to and from float.
//
// Conversions from float round to nearest, ties to even; conversions to float are exact. NaN stays NaN (quiet).
// f8e4m3 (OCP "fn"): no infinity; values beyond 448 after rounding become NaN. f8e5m2: as IEEE, overflow to infinity.
// The same conversions, written as scalar programs, are what code generators emit; tests compare all bit patterns.
#pragma once

#include <cstdint>

namespace hyperion {

float f16_to_float(std::uint16_t bits);
std::uint16_t float_to_f16(float value);
float bf16_to_float(std::uint16_t bits);
std::uint16_t float_to_bf16(float value);
float f8e4m3_to_float(std::uint8_t bits);
std::uint8_t float_to_f8e4m3(float value);
float f8e5m2_to_float(std::uint8_t bits);
std::uint8_t float_to_f8e5m2(float value);

// Rounding a double straight to 16 or 8 bits would differ from going through float in rare ties (double rounding).
// The IR defines cast f64 -> f16 as through f32, on every device.

}  // namespace hyperion
