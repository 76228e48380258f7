#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/cpp/src/batch_indexes.h"
#include "client/cpp/src/convert.h"
#include "client/cpp/src/grpc_connection.h"
#include "services/platform/ids.h"
#include "services/platform/status.h"

// Spawning. Tasks that many callers spawn at about the same time share a call; those of a batch
// that name each other have one for themselves.
namespace kantoku::internal {
namespace {

namespace inputspb = ::kantoku::inputs::v1;
namespace taskpb = ::kantoku::task::v1;

constexpr size_t kMaxSpawns = 100'000;
// Bytes of the tags and lengths around one spec of a batch.
constexpr size_t kSpecOverhead = 16;
// The server remembers request ids for 10 minutes; a repeat must arrive well before.
constexpr absl::Duration kLongestSpawnRetry = absl::Minutes(5);

absl::StatusOr<std::unique_ptr<taskpb::TaskSpec>> MakeProto(TaskSpec&& spec) {
  auto proto = std::make_unique<taskpb::TaskSpec>();
  KANTOKU_RETURN_IF_ERROR(ToProto(std::move(spec), *proto));
  return proto;
}

}  // namespace

// Completes and sends a call that has its specs. They stay in it, so that what is to be sent again
// is taken out of it.
std::shared_ptr<Cancellable> GrpcConnection::SendSpawn(SpawnCall call,
                                                       const std::string& namespace_name,
                                                       Spawner::BatchDone done) {
  call->set_namespace_(namespace_name);
  call->set_request_id(NewRequestId());
  RetryLimits limits = Limits(absl::InfiniteDuration());
  limits.retry_for = std::min(limits.retry_for, kLongestSpawnRetry);
  auto answer = [call,
                 done = std::move(done)](absl::StatusOr<inputspb::SpawnResponse> response) mutable {
    if (!response.ok()) return done(response.status());
    Spawner::Results results;
    results.reserve(response->results_size());
    for (const auto& result : response->results()) results.push_back(ToSpawned(result));
    done(std::move(results), [&call](size_t i) {
      taskpb::TaskSpec& spec = *call->mutable_specs(static_cast<int>(i));
      return std::make_unique<taskpb::TaskSpec>(std::move(spec));
    });
  };
  return RetryingCall<SpawnCall, inputspb::SpawnResponse>::Start(
      runtime_, limits,
      [this](auto* context, const auto& sent, auto* queue) {
        return inputs_->AsyncSpawn(context, *sent, queue);
      },
      std::move(call), std::move(answer));
}

GrpcConnection::Spawners GrpcConnection::MakeSpawners(const std::string& namespace_name) {
  auto send_together = [this, namespace_name](std::vector<std::unique_ptr<taskpb::TaskSpec>> specs,
                                              Spawner::BatchDone done) {
    auto call = std::make_shared<inputspb::SpawnRequest>();
    call->mutable_specs()->Reserve(static_cast<int>(specs.size()));
    for (auto& spec : specs) call->mutable_specs()->AddAllocated(spec.release());
    return SendSpawn(std::move(call), namespace_name, std::move(done));
  };
  auto send_alone = [this, namespace_name](std::vector<SpawnCall> calls,
                                           BatchSpawner::BatchDone done) {
    return SendSpawn(
        std::move(calls.front()), namespace_name,
        Spawner::BatchDone([done = std::move(done)](absl::StatusOr<Spawner::Results> results,
                                                    const Spawner::TakeBack&) mutable {
          if (!results.ok()) return done(results.status());
          BatchSpawner::Results batch;
          batch.emplace_back(*std::move(results));
          done(std::move(batch));
        }));
  };
  const absl::Duration most = std::min(options_.retry_for, kLongestSpawnRetry);
  return {
      .single = std::make_unique<Spawner>(
          Spawner::Limits{.max_items = kMaxSpawns, .max_rest = most}, *timer_,
          std::move(send_together),
          [](const absl::StatusOr<SpawnedTask>& spawned) { return RetryAfter(spawned.status()); }),
      .batches = std::make_unique<BatchSpawner>(BatchSpawner::Limits{.max_items = 1}, *timer_,
                                                std::move(send_alone))};
}

void GrpcConnection::SpawnTogether(SpawnRequest request, SpawnDone done) {
  const absl::Status namespace_status = CheckText("namespace", request.namespace_name);
  std::vector<absl::StatusOr<std::unique_ptr<taskpb::TaskSpec>>> specs;
  for (TaskSpec& spec : request.specs) {
    specs.push_back(namespace_status.ok() ? MakeProto(std::move(spec)) : namespace_status);
  }
  SettleIndexes(
      specs,
      [](const std::unique_ptr<taskpb::TaskSpec>& spec, auto visit) {
        for (taskpb::Dependency& dependency : *spec->mutable_dependencies()) {
          if (!dependency.has_index()) continue;
          dependency.set_index(static_cast<uint32_t>(visit(dependency.index())));
        }
      },
      [](const auto& /*spec*/, const absl::Status& /*why*/) {});
  auto batch = std::make_shared<inputspb::SpawnRequest>();
  size_t bytes = 0;
  for (auto& spec : specs) {
    if (!spec.ok()) continue;
    bytes += (*spec)->ByteSizeLong() + kSpecOverhead;
    batch->mutable_specs()->AddAllocated(spec->release());
  }
  std::vector<absl::Status> statuses;
  statuses.reserve(specs.size());
  for (const auto& spec : specs) statuses.push_back(spec.status());
  auto answer = [statuses = std::move(statuses),
                 done = std::move(done)](std::vector<absl::StatusOr<Spawner::Results>> results) {
    Spawner::Results all;
    size_t next = 0;
    for (const absl::Status& status : statuses) {
      if (!status.ok()) {
        all.emplace_back(status);
      } else if (!results[0].ok() || next >= results[0]->size()) {
        all.emplace_back(results[0].ok() ? absl::InternalError("the server gave too few answers")
                                         : results[0].status());
      } else {
        all.push_back((*results[0])[next++]);
      }
    }
    done(std::move(all));
  };
  if (batch->specs().empty()) return answer({Spawner::Results()});
  BatchSpawner& spawner = *SpawnersOf(request.namespace_name).batches;
  std::vector<absl::StatusOr<BatchSpawner::Item>> items;
  items.emplace_back(BatchSpawner::Item{std::move(batch), bytes});
  spawner.Submit(std::move(items), request.timeout, std::move(answer));
}

void GrpcConnection::Spawn(SpawnRequest request, SpawnDone done) {
  const bool together = std::ranges::any_of(request.specs, [](const TaskSpec& spec) {
    return std::ranges::any_of(spec.dependencies,
                               [](const Dependency& each) { return each.index.has_value(); });
  });
  if (together) return SpawnTogether(std::move(request), std::move(done));
  const absl::Status namespace_status = CheckText("namespace", request.namespace_name);
  std::vector<absl::StatusOr<Spawner::Item>> items;
  items.reserve(request.specs.size());
  for (TaskSpec& spec : request.specs) {
    auto proto = namespace_status.ok() ? MakeProto(std::move(spec)) : namespace_status;
    if (!proto.ok()) {
      items.emplace_back(proto.status());
      continue;
    }
    const size_t bytes = (*proto)->ByteSizeLong() + kSpecOverhead;
    items.emplace_back(Spawner::Item{*std::move(proto), bytes});
  }
  SpawnersOf(request.namespace_name)
      .single->Submit(std::move(items), request.timeout, std::move(done));
}

void GrpcConnection::WakeSpawners() {
  std::vector<Spawner*> spawners;
  {
    platform::MutexLock lock(mutex_);
    for (const auto& [name_space, both] : spawners_) spawners.push_back(both->single.get());
  }
  for (Spawner* const spawner : spawners) spawner->WakeAll();
}

GrpcConnection::Spawners& GrpcConnection::SpawnersOf(const std::string& namespace_name) {
  platform::MutexLock lock(mutex_);
  auto& spawners = spawners_[namespace_name];
  if (spawners == nullptr) spawners = std::make_unique<Spawners>(MakeSpawners(namespace_name));
  return *spawners;
}

std::string GrpcConnection::NewRequestId() const {
  std::array<uint8_t, platform::Uuid::kSize> bytes{};
  const uint64_t words[] = {options_.environment.random(), options_.environment.random()};
  static_assert(sizeof(words) == sizeof(bytes));
  std::copy_n(reinterpret_cast<const uint8_t*>(words), bytes.size(), bytes.begin());
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x40);  // Version 4,
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);  // the standard variant.
  return platform::Uuid(bytes).ToString();
}

}  // namespace kantoku::internal
