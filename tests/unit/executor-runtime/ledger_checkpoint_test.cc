// What handlers leave to the next dispatches of their tasks.
#include <string>
#include <vector>

#include "services/platform/status.h"
#include "tests/unit/executor-runtime/ledger_desk.h"

namespace kantoku::executor {
namespace {

inputs::v1::CheckpointConfirmed Confirmed(uint64_t sequence, uint64_t number) {
  inputs::v1::CheckpointConfirmed confirmed;
  confirmed.set_task_id(IdOf(sequence));
  confirmed.set_dispatch(1);
  confirmed.set_number(number);
  return confirmed;
}

void ConnectAgain(Desk& desk) {
  inputs::v1::Welcome welcome;
  for (int i = 0; i < desk.Hello().held_size(); ++i) welcome.add_held();
  REQUIRE(desk.ledger.OnWelcome(welcome));
}

TEST_CASE("A dispatch brings what an earlier one left") {
  Desk desk;
  auto message = DispatchOf(1);
  message.set_checkpoint("left");
  desk.ledger.Receive(message, &kPooled, kNow);
  CHECK(desk.ledger.Begin(kNow)->checkpoint == "left");
}

TEST_CASE("One checkpoint is on its way at a time, and the newest follows when it is answered") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.Reports();
  CHECK_FALSE(desk.ledger.urgent());
  desk.ledger.Checkpoint(task, "a");
  CHECK(desk.ledger.urgent());
  PullRequest reports = desk.Reports();
  REQUIRE(reports.checkpoints_size() == 1);
  CHECK(reports.checkpoints(0).task_id() == IdOf(1));
  CHECK(reports.checkpoints(0).number() == 1);
  CHECK(reports.checkpoints(0).data() == "a");
  desk.ledger.Checkpoint(task, "b");
  desk.ledger.Checkpoint(task, "c");
  CHECK_FALSE(desk.ledger.urgent());
  desk.ledger.OnCheckpoint(Confirmed(1, 1));
  CHECK(desk.ledger.TakeHandlersToWake());
  reports = desk.Reports();
  REQUIRE(reports.checkpoints_size() == 1);
  CHECK(reports.checkpoints(0).number() == 3);
  CHECK(reports.checkpoints(0).data() == "c");
  desk.ledger.OnCheckpoint(Confirmed(1, 3));
  CHECK(task->checkpoint_answered == 3);
  CHECK(task->next_checkpoint.number == 0);
  CHECK(desk.Reports().checkpoints_size() == 0);
}

TEST_CASE(
    "A checkpoint leaves when the items before it are durable, and later ones do not hold it") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.Reports();
  task->items = 3;
  desk.ledger.Checkpoint(task, "after 3");
  task->items = 5;
  desk.ledger.Checkpoint(task, "after 5");
  CHECK_FALSE(desk.ledger.urgent());
  desk.ledger.OnItemsDurable(task, 2);
  CHECK_FALSE(desk.ledger.urgent());
  desk.ledger.OnItemsDurable(task, 4);
  PullRequest reports = desk.Reports();
  REQUIRE(reports.checkpoints_size() == 1);
  CHECK(reports.checkpoints(0).data() == "after 3");
  // What comes last is told with a failure only as far as the items are durable.
  const bool durable = GENERATE(false, true);
  if (durable) desk.ledger.OnItemsDurable(task, 5);
  desk.ledger.End(task, kNow, absl::InternalError("broken"));
  reports = desk.Reports();
  CHECK(reports.nacks_size() == 1);
  REQUIRE(reports.checkpoints_size() == (durable ? 1 : 0));
  if (durable) CHECK(reports.checkpoints(0).data() == "after 5");
}

TEST_CASE("The first report of a task that leaves a checkpoint says that it has begun") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.ledger.Checkpoint(task, "a");
  CHECK(desk.Reports().started_size() == 1);
}

TEST_CASE("After a lost connection what was not answered is sent again") {
  Desk desk;
  const HeldTaskPtr answered = desk.Running(1);
  const HeldTaskPtr open = desk.Running(2);
  desk.ledger.Checkpoint(answered, "a");
  desk.ledger.Checkpoint(open, "b");
  desk.Reports();
  desk.ledger.OnCheckpoint(Confirmed(1, 1));
  ConnectAgain(desk);
  const PullRequest reports = desk.Reports();
  REQUIRE(reports.checkpoints_size() == 1);
  CHECK(reports.checkpoints(0).task_id() == IdOf(2));
  CHECK(reports.checkpoints(0).data() == "b");
}

TEST_CASE("A checkpoint that is refused is told, and the next one is tried") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.ledger.Checkpoint(task, "a");
  desk.Reports();
  auto refused = Confirmed(1, 1);
  refused.mutable_status()->set_code(static_cast<int>(absl::StatusCode::kResourceExhausted));
  refused.mutable_status()->set_reason("CHECKPOINTS_FULL");
  desk.ledger.OnCheckpoint(refused);
  CHECK(platform::ReasonOf(task->checkpoint_status) == "CHECKPOINTS_FULL");
  CHECK(desk.ledger.TakeHandlersToWake());
  desk.ledger.Checkpoint(task, "b");
  CHECK(desk.Reports().checkpoints(0).data() == "b");
  desk.ledger.OnCheckpoint(Confirmed(1, 2));
  CHECK(task->checkpoint_status.ok());
}

TEST_CASE("A failure is said together with what the handler left last, a final one without it") {
  Desk desk;
  const bool final = GENERATE(false, true);
  const HeldTaskPtr task = desk.Running(1);
  desk.ledger.Checkpoint(task, "a");
  desk.Reports();
  desk.ledger.Checkpoint(task, "b");  // Waits for the answer to the one before.
  desk.ledger.End(task, kNow, final ? FailFinally("BAD", "") : absl::InternalError("broken"));
  PullRequest reports = desk.Reports();
  CHECK(reports.nacks_size() == 1);
  REQUIRE(reports.checkpoints_size() == (final ? 0 : 1));
  if (final) return;
  CHECK(reports.checkpoints(0).data() == "b");
  ConnectAgain(desk);
  reports = desk.Reports();
  CHECK(reports.nacks_size() == 1);
  REQUIRE(reports.checkpoints_size() == 1);
  CHECK(reports.checkpoints(0).data() == "b");
}

TEST_CASE("A task that begins once, that is over or was taken away leaves nothing") {
  Desk desk;
  auto message = DispatchOf(1);
  message.set_confirm_start(true);
  desk.ledger.Receive(message, &kPooled, kNow);
  const HeldTaskPtr once = desk.ledger.Begin(kNow);
  desk.ledger.OnStartConfirmed(IdOf(1), 1, kNow);
  const HeldTaskPtr ended = desk.Running(2);
  desk.ledger.Checkpoint(ended, "early");
  desk.ledger.End(ended, kNow, Result{"done", ""});
  const HeldTaskPtr revoked = desk.Running(3);
  desk.ledger.Checkpoint(revoked, "early");
  desk.Control(3, inputs::v1::HANDLER_ACTION_REVOKE);
  for (const HeldTaskPtr& task : {once, ended, revoked}) desk.ledger.Checkpoint(task, "late");
  CHECK(desk.Reports().checkpoints_size() == 0);
  CHECK(once->checkpoint_number == 0);
}

TEST_CASE("Large checkpoints leave in several frames, those of failures too") {
  Desk desk;
  const bool fail = GENERATE(false, true);
  std::vector<HeldTaskPtr> tasks;
  for (uint64_t i = 1; i <= 3; ++i) tasks.push_back(desk.Running(i));
  desk.Reports();
  for (const HeldTaskPtr& task : tasks) {
    desk.ledger.Checkpoint(task, std::string(size_t{3} << 20, 'x'));
    if (fail) desk.ledger.End(task, kNow, absl::InternalError("broken"));
  }
  PullRequest reports = desk.Reports();
  CHECK(reports.checkpoints_size() == 2);
  CHECK(reports.nacks_size() == (fail ? 2 : 0));
  CHECK(desk.ledger.urgent());
  reports = desk.Reports();
  CHECK(reports.checkpoints_size() == 1);
  CHECK(reports.nacks_size() == (fail ? 1 : 0));
}

}  // namespace
}  // namespace kantoku::executor
