#ifndef KANTOKU_TESTS_UNIT_ISSUER_DESK_SCENE_H_
#define KANTOKU_TESTS_UNIT_ISSUER_DESK_SCENE_H_

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/issuer/store.h"
#include "services/issuer/token_desk.h"
#include "services/platform/status.h"
#include "services/platform/store/memory/memory_record_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/notification.h"
#include "tests/support/temp_dir.h"

namespace kantoku::issuer {

// Keeps what is said, as "type name=value …" without messages.
class ListOfEvents final : public platform::AuditTrail {
 public:
  void Say(platform::AuditEvent event) override {
    std::string text = event.type;
    for (const auto& [name, value] : event.details) {
      if (name != "message") text.append(" ").append(name).append("=").append(value);
    }
    platform::MutexLock lock(mutex_);
    all_.push_back(text);
  }
  void SayOften(platform::AuditEvent event) override { Say(std::move(event)); }

  std::vector<std::string> all() {
    platform::MutexLock lock(mutex_);
    return all_;
  }

 private:
  platform::Mutex mutex_;
  std::vector<std::string> all_ ABSL_GUARDED_BY(mutex_);
};

// A desk over a store in memory.
class DeskScene {
 public:
  ~DeskScene() { runner_->Stop(); }

  TokenDesk& desk() { return desk_; }
  const Issuer& issuer() const { return *issuer_; }
  // As when the server stops.
  void Stop() { runner_->Stop(); }

  GrantMachine::Created Create(bool reusable) {
    GrantMachine::Created created;
    test::Notification done;
    Grant grant;
    grant.user = "anna";
    grant.app = "laptop";
    grant.scopes = {"inputs:read"};
    grant.namespaces = {"default"};
    grant.reusable = reusable;
    REQUIRE(runner_
                ->Post([&](platform::Transaction& transaction) {
                  machine_.Create(transaction, grant, absl::Hours(1), [&](auto result) {
                    created = *std::move(result);
                    done.Notify();
                  });
                })
                .ok());
    done.Wait();
    return created;
  }
  absl::StatusOr<TokenDesk::Token> Exchange(GrantId id, const std::string& secret,
                                            const std::string& holder = "",
                                            const std::string& host = "10.0.0.7") {
    absl::StatusOr<TokenDesk::Token> token;
    test::Notification done;
    desk_.Exchange({id, secret, holder}, host, [&](absl::StatusOr<TokenDesk::Token> answer) {
      token = std::move(answer);
      done.Notify();
    });
    done.Wait();
    return token;
  }
  std::string Why(GrantId id, const std::string& secret, const std::string& host = "10.0.0.7") {
    return platform::ReasonOf(Exchange(id, secret, "", host).status());
  }

  platform::FakeClock clock;
  ListOfEvents audit;

 private:
  uint64_t random_ = 0;
  const test::TempDir directory_;
  const std::unique_ptr<platform::RecordStoreFactory> stores_ =
      platform::MakeMemoryRecordStoreFactory(IssuerSchema());
  const std::unique_ptr<platform::RecordStore> store_ = *stores_->Open(0);
  const std::shared_ptr<Issuer> issuer_ =
      *Issuer::Open({.key_file = directory_.File("issuer.key"), .random = [] { return 7; }}, clock);
  GrantMachine machine_{{.random = [this] { return ++random_; }, .on_revoked = [](GrantId) {}}};
  const std::unique_ptr<platform::PartitionRunner> runner_ =
      *platform::PartitionRunner::Start({.name = "issuer/0"}, *store_, machine_, clock);
  TokenDesk desk_{{.runner = *runner_,
                   .machine = machine_,
                   .issuer = *issuer_,
                   .clock = clock,
                   .audit = audit}};
};

}  // namespace kantoku::issuer

#endif  // KANTOKU_TESTS_UNIT_ISSUER_DESK_SCENE_H_
