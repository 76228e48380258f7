#include "services/events/run_encoder.h"

#include <google/protobuf/util/message_differencer.h>

#include <catch2/catch.hpp>
#include <string>

#include "services/events/event_batch.h"
#include "tests/support/unfolded_event.h"

namespace kantoku::events {
namespace {

v1::EventRun TwoTasks() {
  v1::EventRun run;
  run.set_type("task.started");
  run.mutable_at()->set_seconds(1'700'000'000);
  run.set_namespace_("default");
  run.set_owner("ann");
  run.set_task_type("sum");
  run.set_task_ids(std::string(16, 'a') + std::string(16, 'b'));
  run.add_dispatches(3);
  run.add_dispatches(4);
  run.set_session_id(std::string(16, 's'));
  (*run.mutable_details())["state"] = "RUNNING";
  return run;
}

// The events of a run as a reader of the message has them; their positions are their numbers.
google::protobuf::RepeatedPtrField<v1::Event> Unfold(const v1::EventRun& run) {
  const RunEncoder encoder(run);
  std::string encoded;
  for (uint32_t offset = 0; offset < CountEvents(run); ++offset) {
    encoder.Append(offset, std::to_string(offset), encoded);
  }
  v1::SubscribeResponse message;
  REQUIRE(message.ParseFromString(encoded));
  v1::ReadResponse other_message;
  REQUIRE(other_message.ParseFromString(encoded));
  CHECK(other_message.events_size() == message.events_size());
  return message.events();
}

TEST_CASE("A run unfolds into one event per task") {
  const v1::EventRun run = TwoTasks();
  REQUIRE(CountEvents(run) == 2);
  const auto events = Unfold(run);
  REQUIRE(events.size() == 2);
  CHECK(events[0].position() == "0");
  CHECK(events[0].task_id() == std::string(16, 'a'));
  CHECK(events[0].dispatch() == 3);
  const v1::Event& event = events[1];
  CHECK(event.position() == "1");
  CHECK(event.type() == "task.started");
  CHECK(event.at().seconds() == 1'700'000'000);
  CHECK(event.task_id() == std::string(16, 'b'));
  CHECK(event.namespace_() == "default");
  CHECK(event.owner() == "ann");
  CHECK(event.task_type() == "sum");
  CHECK(event.dispatch() == 4);
  CHECK(event.session_id() == std::string(16, 's'));
  CHECK(event.details().at("state") == "RUNNING");
}

TEST_CASE("A run without tasks is one event") {
  v1::EventRun run;
  run.set_type("executor.lost");
  REQUIRE(CountEvents(run) == 1);
  const auto events = Unfold(run);
  REQUIRE(events.size() == 1);
  CHECK(events[0].type() == "executor.lost");
  CHECK(events[0].task_id().empty());
}

TEST_CASE("What unfolds is what Protobuf itself would have encoded, short or long") {
  v1::EventRun run = TwoTasks();
  SECTION("With everything") {}
  SECTION("Without dispatches") { run.clear_dispatches(); }
  SECTION("With dispatches of no and of every byte") {
    run.set_dispatches(0, 0);
    run.set_dispatches(1, 0xFFFFFFFF);
  }
  SECTION("Without details and session") {
    run.clear_details();
    run.clear_session_id();
  }
  SECTION("With nothing but a type") {
    run.Clear();
    run.set_type("t");
  }
  SECTION("Longer than lengths of one byte, and of two, can say") {
    run.set_owner(std::string(200, 'o'));
    (*run.mutable_details())["message"] = std::string(20'000, 'm');
  }
  std::string encoded;
  v1::SubscribeResponse expected;
  const RunEncoder encoder(run);
  for (uint32_t offset = 0; offset < CountEvents(run); ++offset) {
    const std::string position(offset == 0 ? 21 : 130, 'p');
    encoder.Append(offset, position, encoded);
    *expected.add_events() = test::Unfolded(run, offset, position);
  }
  CHECK(encoded.size() == expected.ByteSizeLong());
  v1::SubscribeResponse message;
  REQUIRE(message.ParseFromString(encoded));
  CHECK(google::protobuf::util::MessageDifferencer::Equals(message, expected));
}

}  // namespace
}  // namespace kantoku::events
