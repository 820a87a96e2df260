#include "tools/hyperion/loss_curve.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace hyperion::tools {
namespace {

TEST(LossCurveTest, FallsFromTheTopLeftToTheBottomRight) {
  const std::vector<float> losses{16, 4, 2, 1};
  EXPECT_EQ(terminal_curve(losses, 8, 2),
            "   8.0000 │⢁⠀⠀⠀⠀⠀⠀⠀\n"
            "   2.0000 │⠀⢂⠀⠀⠀⠀⠀⠀\n"
            "     loss └────────\n"
            "           step 1 4\n");
}

TEST(LossCurveTest, HoldsOnWhereThereIsNothingToDraw) {
  EXPECT_EQ(terminal_curve({}, 8, 2), "");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::vector<float>& losses :
       {std::vector<float>{}, {0}, {nan}, {1}, {1, 1}, {nan, 2, 0}}) {
    const std::string svg = svg_curve(losses, "loss");
    EXPECT_NE(svg.find("</svg>"), std::string::npos);
    EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
    EXPECT_EQ(svg.find("inf"), std::string::npos) << svg;
  }
}

}  // namespace
}  // namespace hyperion::tools
