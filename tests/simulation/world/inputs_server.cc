#include "tests/simulation/world/inputs_server.h"

#include <utility>

#include "services/inputs/store.h"
#include "services/platform/check.h"
#include "services/platform/store/memory/memory_record_store.h"
#include "tests/simulation/world/names.h"

namespace kantoku::simulation {

using platform::PartitionRunner;

namespace {

// Small, so that a short life comes to every end.
inputs::PartitionOptions Options(uint64_t seed) {
  inputs::PartitionOptions options;
  options.engine.slot_count = 2;
  options.engine.max_pending = 150;
  for (size_t i = 0; i < kNamespaces.size(); ++i) {
    options.engine.quotas.push_back(
        {.name_space = std::string(kNamespaces[i]), .max_tasks = kNamespaceQuotas[i]});
    options.engine.quotas.push_back({.name_space = std::string(kNamespaces[i]),
                                     .type = std::string(kTypes[0]),
                                     .max_tasks = kTypeQuota});
  }
  options.engine.idle_names = 1;
  options.engine.wait_intervals = 10'000;  // None is merged: all are checked exactly.
  options.engine.max_session_credit = kMaxSessionCredit;
  options.engine.max_dispatches = 8;
  options.engine.grace = absl::Seconds(5);
  options.engine.start_timeout = absl::Seconds(10);
  options.engine.cancel_timeout = absl::Seconds(5);
  options.engine.interrupt_timeout = absl::Seconds(2);
  options.engine.tree_sweep = 1;
  options.engine.renew_interval = absl::Minutes(1);
  options.engine.history = absl::Minutes(2);
  options.engine.max_history = 60;
  options.engine.dead_retention = absl::Minutes(4);
  options.engine.max_dead = 60;
  options.engine.request_memory = absl::Minutes(1);
  options.engine.max_requests = 60;
  options.engine.seed = seed;
  options.payload_cache_bytes = 4'000;
  options.max_unsent_bytes = 4'000;
  options.ping_interval = absl::Seconds(1);
  options.lease_lifetime = absl::Hours(2);
  return options;
}

}  // namespace

InputsServer::InputsServer(const Scene& scene, Model& model, Couriers& couriers)
    : scene_(scene),
      model_(model),
      couriers_(couriers),
      stores_(platform::MakeMemoryRecordStoreFactory(inputs::InputsSchema())),
      clock_(scene.clock) {
  faults_.on_durable = [this](const platform::WriteBatch& batch) { model_.OnInputsDurable(batch); };
  Open();
}

void InputsServer::Open() {
  model_.InputsStarted();
  faults_.calm = true;
  faults_.full_for = 0;
  auto options = Options(scene_.random.Next());
  options.start_runner =
      [this](PartitionRunner::Options, platform::RecordStore& store,
             platform::PartitionMachine& machine,
             platform::Clock& clock) -> absl::StatusOr<std::unique_ptr<PartitionRunner>> {
    auto runner = std::make_unique<SteppedRunner>(store, machine, clock, *store.LastBatch());
    runner_ = runner.get();
    return runner;
  };
  auto opened = inputs::Partition::Open(
      std::move(options), std::make_unique<FaultyStore>(scene_, faults_, *stores_->Open(0)), clock_,
      scene_.keys, [this] { return scene_.random.Next(); });
  KANTOKU_CHECK(opened.ok());
  partition_ = *std::move(opened);
  KANTOKU_CHECK(partition_->Start(couriers_, &couriers_).ok());
  faults_.calm = false;
}

void InputsServer::Mark(std::function<void()> mark) {
  (void)runner_->Post([mark = std::move(mark)](platform::Transaction&) { mark(); },
                      PartitionRunner::Urgency::kUrgent);
}

absl::Duration InputsServer::NextWake() const {
  return partition_->NextWake() + (scene_.clock.Read().steady - clock_.Read().steady);
}

void InputsServer::FinishGroup() {
  model_.GroupEnds(clock_.Read().wall);
  runner_->Close();
}

void InputsServer::Turn() {
  if (runner_->CanApply() && scene_.random.Chance(70)) runner_->Apply();
  if (runner_->CanClose() && scene_.random.Chance(50)) FinishGroup();
  if (runner_->CanCommit() && scene_.random.Chance(40)) runner_->Commit();
  if (runner_->CanSettle() && scene_.random.Chance(60)) runner_->Settle();
}

void InputsServer::Flush() {
  faults_.calm = true;
  faults_.full_for = 0;
  int rounds = 0;
  for (bool more = true; more;) {
    more = false;
    if (++rounds > 10'000) return scene_.Expect(false, "Inputs comes to rest");
    const auto step = [&](bool can, auto go) {
      if (can) go();
      more |= can;
    };
    step(runner_->CanApply(), [&] { runner_->Apply(); });
    step(runner_->CanClose(), [&] { FinishGroup(); });
    step(runner_->CanCommit(), [&] { runner_->Commit(); });
    step(runner_->CanSettle(), [&] { runner_->Settle(); });
  }
  faults_.calm = false;
}

std::map<TaskId, TaskView> InputsServer::List() {
  Mark([] {});  // So that a group ends: only then a wall clock that was set is noticed.
  Flush();
  std::map<TaskId, TaskView> tasks;
  for (const std::string_view name_space : kNamespaces) {
    for (const std::string_view owner : kOwners) {
      inputs::ListCommand command{.name_space = std::string(name_space), .viewer = EyesOf(owner)};
      do {
        std::string next;
        partition_->ListTasks(command, [&](const absl::StatusOr<inputs::TaskPage>& page) {
          scene_.Expect(page.ok(), "tasks can be listed");
          if (!page.ok()) return;
          for (const TaskView& view : page->tasks) {
            scene_.Expect(tasks.emplace(view.id, view).second, "a list shows a task once");
          }
          next = page->next;
        });
        Flush();
        command.page_token = next;
      } while (!command.page_token.empty());
    }
  }
  return tasks;
}

std::vector<inputs::SessionView> InputsServer::Sessions() {
  using Sessions = std::vector<inputs::SessionView>;
  Sessions all;
  for (const std::string_view name_space : kNamespaces) {
    partition_->ListExecutors(std::string(name_space),
                              [&](const absl::StatusOr<Sessions>& sessions) {
                                scene_.Expect(sessions.ok(), "executors can be listed");
                                if (!sessions.ok()) return;
                                all.insert(all.end(), sessions->begin(), sessions->end());
                              });
    Flush();
  }
  return all;
}

std::vector<std::pair<std::string_view, inputs::LimitView>> InputsServer::Limits() {
  std::vector<std::pair<std::string_view, inputs::LimitView>> all;
  for (const std::string_view name_space : kNamespaces) {
    partition_->ListLimits({.name_space = std::string(name_space)},
                           [&](const absl::StatusOr<inputs::LimitPage>& page) {
                             scene_.Expect(page.ok(), "limits can be listed");
                             if (!page.ok()) return;
                             for (const auto& limit : page->limits) {
                               all.emplace_back(name_space, limit);
                             }
                           });
    Flush();
  }
  return all;
}

void InputsServer::Crash() {
  if (runner_->CanCommit() && scene_.random.Chance(50)) {
    runner_->Commit();
    scene_.Did(Deed::kCrashAfterCommit);
  } else {
    scene_.Did(runner_->committing() ? Deed::kCrashBeforeCommit : Deed::kCrashAfterRelease);
  }
  const uint64_t epoch = partition_->epoch();
  partition_.reset();
  couriers_.OwnerLost(epoch);
  if (scene_.random.Chance(50)) {
    clock_.Restart(absl::Seconds(scene_.random.Pick(10'000)));
  }
  Open();
}

void InputsServer::Restart() {
  Flush();
  const uint64_t epoch = partition_->epoch();
  partition_.reset();
  couriers_.OwnerLost(epoch);
  Open();
}

}  // namespace kantoku::simulation
