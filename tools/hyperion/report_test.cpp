#include "tools/hyperion/report.hpp"

#include <gtest/gtest.h>

namespace hyperion::tools {
namespace {

TEST(Report, ATraceThatIsNotWholeSaysSo) {
  runtime::Capture capture;
  capture.records.resize(7);
  EXPECT_EQ(profile_summary("run.pftrace", capture), "\ntrace: run.pftrace, 7 records");
  capture.dropped = 3;
  EXPECT_NE(profile_summary("run.pftrace", capture).find("3 more did not fit"), std::string::npos);
}

}  // namespace
}  // namespace hyperion::tools
