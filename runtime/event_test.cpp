#include "runtime/event.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace hyperion::runtime {
namespace {

using std::chrono::milliseconds;

Status lost() { return {Code::data_loss, "the value was lost", "dot at mlp.cpp:7", ""}; }

TEST(Event, DefaultIsReady) {
  Event event;
  EXPECT_TRUE(event.ready());
  EXPECT_TRUE(event.wait().has_value());
  int calls = 0;
  event.then([&](const Status* error) { calls += error == nullptr; });
  EXPECT_EQ(calls, 1);
}

TEST(Event, EveryWaiterGetsTheProducersError) {
  EventSource source;
  const Event event = source.event();
  EXPECT_FALSE(event.ready());
  EXPECT_EQ(event.error(), nullptr);
  std::atomic<int> same{0};
  std::vector<std::thread> waiters;
  for (int i = 0; i < 4; ++i) {
    waiters.emplace_back([&] {
      const StatusOr<> result = event.wait();
      same += !result && result.error().text() == lost().text();
    });
  }
  event.then(
      [&](const Status* error) { same += error != nullptr && error->text() == lost().text(); });
  source.fail(lost());
  for (std::thread& waiter : waiters) waiter.join();
  event.then([&](const Status* error) { same += error != nullptr; });
  EXPECT_EQ(same.load(), 6);
}

TEST(Event, WaitGivesUpAtItsDeadlineAndTheEventStaysUsable) {
  EventSource source;
  const StatusOr<> early = source.event().wait(milliseconds(2));
  ASSERT_FALSE(early.has_value());
  EXPECT_EQ(early.error().code, Code::deadline_exceeded);
  source.succeed();
  EXPECT_TRUE(source.event().wait(milliseconds(0)).has_value());
}

TEST(Event, AllFailsWithTheFirstErrorInListOrder) {
  EventSource a, b, c;
  const Event parts[] = {a.event(), b.event(), Event(), c.event()};
  const Event joined = Event::all(parts);
  c.fail({Code::internal, "third"});
  EXPECT_FALSE(joined.ready());
  b.fail(lost());
  EXPECT_FALSE(joined.ready());
  a.succeed();
  ASSERT_TRUE(joined.ready());
  EXPECT_EQ(joined.wait().error().code, Code::data_loss);
  EXPECT_TRUE(Event::all({}).ready());
}

TEST(Event, CallbackMayChainOnTheSameEvent) {
  EventSource source;
  int calls = 0;
  source.event().then([&](const Status*) { source.event().then([&](const Status*) { ++calls; }); });
  source.succeed();
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace hyperion::runtime
