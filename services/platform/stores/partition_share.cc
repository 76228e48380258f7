#include "services/platform/stores/partition_share.h"

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/config/fields.h"
#include "services/platform/status.h"
#include "services/platform/stores/stores.h"

namespace kantoku::platform {
namespace {

class WholeComponent final : public PartitionShare {
 public:
  WholeComponent(uint32_t count, PartitionHost& host) : map_(count), host_(host) {}
  ~WholeComponent() override { Stop(); }

  const PartitionMap& map() const override { return map_; }
  absl::Status Open() override {
    for (; opened_ < map_.count(); ++opened_) KANTOKU_RETURN_IF_ERROR(host_.Open(opened_));
    return absl::OkStatus();
  }
  absl::Status Start() override { return absl::OkStatus(); }
  bool Drain() override { return false; }
  void Stop() override {
    std::vector<std::thread> closing;  // Each may wait for whoever hangs.
    while (opened_ > 0) {
      closing.emplace_back([this, partition = --opened_] { host_.Close(partition); });
    }
    for (std::thread& each : closing) each.join();
  }
  absl::Status health() const override {
    for (uint32_t i = 0; i < map_.count(); ++i) KANTOKU_RETURN_IF_ERROR(host_.health(i));
    return absl::OkStatus();
  }

 private:
  const AllHere map_;
  PartitionHost& host_;
  uint32_t opened_ = 0;
};

class Share final : public PartitionShare, private PartitionMap {
 public:
  Share(std::string component, uint32_t count, std::unique_ptr<ReplicaDirectory> directory,
        PartitionHost& host, Environment& environment,
        std::function<void(const std::vector<Replica>&)> told)
      : component_(std::move(component)),
        count_(count),
        directory_(std::move(directory)),
        host_(host),
        environment_(environment),
        told_(std::move(told)) {}
  ~Share() override { Stop(); }

  const PartitionMap& map() const override { return *this; }
  absl::Status Open() override { return absl::OkStatus(); }
  absl::Status Start() override {
    keeper_ = std::make_unique<PartitionKeeper>(
        PartitionKeeper::Options{
            .component = component_,
            .self = {.id = environment_.replica_id(), .address = environment_.advertised()},
            .partitions = count_,
            .on_others = told_},
        *directory_, host_, environment_.clock());
    running_ = keeper_.get();
    return keeper_->Start();
  }
  bool Drain() override { return keeper_ != nullptr && keeper_->Drain(); }
  void Stop() override {
    if (keeper_ != nullptr) keeper_->Stop();
  }
  absl::Status health() const override {
    const PartitionKeeper* const keeper = running_;
    return keeper == nullptr ? absl::UnavailableError("it has not started") : keeper->health();
  }

 private:
  // PartitionMap: before Start, when calls may come already, nothing is anywhere.
  uint32_t count() const override { return count_; }
  Place Find(uint32_t partition) const override {
    const PartitionKeeper* const keeper = running_;
    return keeper == nullptr ? Place() : keeper->Find(partition);
  }

  const std::string component_;
  const uint32_t count_;
  const std::unique_ptr<ReplicaDirectory> directory_;
  PartitionHost& host_;
  Environment& environment_;
  const std::function<void(const std::vector<Replica>&)> told_;
  std::unique_ptr<PartitionKeeper> keeper_;
  std::atomic<const PartitionKeeper*> running_ = nullptr;
};

// Who serves all partitions would fight with replicas that serve them, and nobody would win.
absl::Status CheckAlone(ReplicaDirectory& directory, Environment& environment) {
  const Replica self = {.id = environment.replica_id(), .address = "", .leaving = true};
  KANTOKU_ASSIGN_OR_RETURN(const ReplicaView view, directory.Beat(self, absl::Milliseconds(1)));
  KANTOKU_RETURN_IF_ERROR(directory.Leave(self.id));
  for (const Replica& replica : view.living) {
    if (replica.id == self.id) continue;
    return Error(absl::StatusCode::kFailedPrecondition, "REPLICAS_LIVE",
                 absl::StrCat("a replica at ", replica.address,
                              " lives; set server.advertise to be one of them, or stop it"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<PartitionShare>> PartitionShare::Make(
    const config::v1::StoreConfig& config, const StoreSchema& schema, Division division,
    PartitionHost& host, Environment& environment,
    std::function<void(const std::vector<Replica>&)> told) {
  auto directory = MakeReplicaDirectory(config, schema);
  const bool is_one_of_many = !environment.advertised().empty();
  if (is_one_of_many && directory == nullptr) {
    return InvalidConfig(
        absl::StrCat("server.advertise: replicas share a PostgreSQL database, and ",
                     ToAbsl(schema.component), ".store is none"));
  }
  uint32_t count = 1;
  if (directory != nullptr) {
    const uint32_t wanted = division == Division::kNone ? 1 : config.postgres().partitions();
    KANTOKU_ASSIGN_OR_RETURN(count, directory->CountPartitions(wanted));
  }
  std::unique_ptr<PartitionShare> share;
  if (is_one_of_many) {
    share = std::make_unique<Share>(std::string(schema.component), count, std::move(directory),
                                    host, environment, std::move(told));
  } else {
    if (directory != nullptr) KANTOKU_RETURN_IF_ERROR(CheckAlone(*directory, environment));
    share = std::make_unique<WholeComponent>(count, host);
  }
  return share;
}

}  // namespace kantoku::platform
