#include "services/platform/stores/partition_share.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "kantoku/config/v1/config.pb.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/identity/authenticator.h"
#include "services/platform/mutex.h"
#include "services/platform/server/program_environment.h"
#include "services/platform/stores/stores.h"
#include "tests/support/postgres_store.h"

namespace kantoku::platform {
namespace {

StoreSchema Things() {
  return {.component = "test", .format = 1, .kinds = {{.kind = 1, .name = "thing"}}};
}

// Partitions that close together: none has before all have begun to.
class ClosingHost final : public PartitionHost {
 public:
  absl::Status Open(uint32_t) override {
    MutexLock lock(mu_);
    ++open_;
    return absl::OkStatus();
  }
  void Close(uint32_t) override {
    Clock& clock = Clock::Real();
    const absl::Duration deadline = clock.Read().steady + absl::Seconds(10);
    MutexLock lock(mu_);
    --open_;
    changed_.SignalAll();
    while (open_ > 0 && clock.Read().steady < deadline) clock.Wait(mu_, changed_, deadline);
    met_ = met_ && open_ == 0;
  }
  absl::Status health(uint32_t) const override { return absl::OkStatus(); }

  uint32_t open() const {
    MutexLock lock(mu_);
    return open_;
  }
  // False: one had to wait for another that did not come.
  bool met() const {
    MutexLock lock(mu_);
    return met_;
  }

 private:
  mutable Mutex mu_;
  CondVar changed_;
  uint32_t open_ ABSL_GUARDED_BY(mu_) = 0;
  bool met_ ABSL_GUARDED_BY(mu_) = true;
};

TEST_CASE("A program that has all partitions closes them all at once") {
  const auto keys = MacKeys::Make({{1, std::string(32, 'k')}}).value();
  ProgramEnvironment environment("test", *keys, std::make_shared<LocalAuthenticator>(), "", {});
  config::v1::StoreConfig config = test::StoreOnPostgres();
  config.mutable_postgres()->set_partitions(4);
  ClosingHost host;
  const auto share = PartitionShare::Make(config, Things(), Division::kBySlot, host, environment,
                                          [](const std::vector<Replica>&) {});
  REQUIRE(share.status().ToString() == "OK");
  REQUIRE((*share)->Open().ok());
  CHECK(host.open() == 4);
  (*share)->Stop();
  CHECK(host.open() == 0);
  CHECK(host.met());
}

TEST_CASE("A program is the same replica in all its components") {
  const auto keys = MacKeys::Make({{1, std::string(32, 'k')}}).value();
  ProgramEnvironment environment("test", *keys, std::make_shared<LocalAuthenticator>(), "", {});
  environment.SetAdvertised("here:1");
  const config::v1::StoreConfig config = test::StoreOnPostgres();
  const Replica other = {.id = "other", .address = "there:1", .leaving = true};
  for (const char* const component : {"first", "second"}) {
    INFO(component);
    StoreSchema schema = Things();
    schema.component = component;
    ClosingHost host;
    const auto share = PartitionShare::Make(config, schema, Division::kNone, host, environment,
                                            [](const std::vector<Replica>&) {});
    REQUIRE(share.status().ToString() == "OK");
    REQUIRE((*share)->Start().ok());
    const auto view = MakeReplicaDirectory(config, schema)->Beat(other, absl::Seconds(1));
    REQUIRE(view.status().ToString() == "OK");
    CHECK(view->owners == std::vector{environment.replica_id()});
  }
}

}  // namespace
}  // namespace kantoku::platform
