#include "services/issuer/grant_machine.h"

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/issuer/store.h"
#include "services/platform/auth/secret.h"
#include "services/platform/partition/group.h"
#include "services/platform/status.h"
#include "services/platform/store/memory/memory_record_store.h"

namespace kantoku::issuer {
namespace {

using platform::Identity;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

Identity AdminOf(std::vector<std::string> namespaces) {
  Identity admin = platform::Administrator("root", "cli");
  admin.namespaces = std::move(namespaces);
  return admin;
}

// A machine over a store in memory; each command is a group of its own.
class Scene {
 public:
  Scene() { Restart(); }

  // What is durable is there again.
  void Restart() {
    store_.reset();
    store_ = *stores_->Open(0);
    refused_.clear();
    machine_ = std::make_unique<GrantMachine>(
        GrantMachine::Options{.max_grants = 5,
                              .max_of_namespace = 3,
                              .random = [this] { return ++random_; },
                              .on_revoked = [this](GrantId id) { refused_.push_back(id); }});
    REQUIRE(machine_->Recover(*store_).ok());
  }

  // Runs `command(machine, transaction, done)`. The answer comes with the commit, or at once; with
  // `commit` false, what it did is lost.
  template <typename Result, typename Command>
  absl::StatusOr<Result> Run(Command command, bool commit = true) {
    std::optional<absl::StatusOr<Result>> answer;
    platform::Group group;
    group.set_now({.wall = now, .steady = steady});
    command(*machine_, group, [&](absl::StatusOr<Result> result) { answer = std::move(result); });
    machine_->FinishGroup(group);
    if (!commit) {
      group.Abandon(absl::UnavailableError("the disk is full"));
      return *answer;
    }
    group.Close(next_);
    REQUIRE(group.Settle(group.needs_commit()
                             ? store_->Commit(group.closed_batch())
                             : absl::OkStatus()) == platform::CommitVerdict::kDurable);
    REQUIRE(answer.has_value());
    return *std::move(answer);
  }

  absl::StatusOr<GrantMachine::Created> Create(Grant grant = {},
                                               absl::Duration lifetime = absl::Hours(1)) {
    if (grant.namespaces.empty()) grant.namespaces = {"default"};
    return Run<GrantMachine::Created>([&](auto& machine, auto& group, auto done) {
      machine.Create(group, grant, lifetime, done);
    });
  }
  using Changed = GrantMachine::Changed;
  absl::StatusOr<Changed> Take(const GrantMachine::Created& created, const std::string& holder,
                               bool commit = true) {
    return Run<Changed>(
        [&](auto& machine, auto& group, auto done) {
          machine.Take(group, {created.grant.id, created.secret, holder}, done);
        },
        commit);
  }
  absl::StatusOr<Changed> Revoke(GrantId id, const Identity& caller = AdminOf({"*"})) {
    return Run<Changed>(
        [&](auto& machine, auto& group, auto done) { machine.Revoke(group, id, caller, done); });
  }
  GrantMachine::Page Page(const GrantMachine::Place& after, size_t limit,
                          const Identity& caller = AdminOf({"*"})) {
    return *Run<GrantMachine::Page>([&](auto& machine, auto& group, auto done) {
      machine.List(group, caller, after, limit, done);
    });
  }
  std::vector<Grant> List(const Identity& caller = AdminOf({"*"})) {
    return Page({}, 100, caller).grants;
  }
  const std::vector<GrantId>& refused() const { return refused_; }

  absl::Time now = kNow;
  absl::Duration steady = absl::Hours(1);

 private:
  const std::unique_ptr<platform::RecordStoreFactory> stores_ =
      platform::MakeMemoryRecordStoreFactory(IssuerSchema());
  std::unique_ptr<platform::RecordStore> store_;
  std::unique_ptr<GrantMachine> machine_;
  std::vector<GrantId> refused_;
  uint64_t random_ = 0;
  uint64_t next_ = 1;
};

std::string Why(const absl::StatusOr<GrantMachine::Changed>& changed) {
  return changed.ok() ? "OK" : platform::ReasonOf(changed.status());
}

TEST_CASE("Whoever comes first with a secret has the grant, and nobody after") {
  Scene scene;
  const auto created = scene.Create();
  REQUIRE(created.ok());
  const std::string mine = platform::MakeSecret();
  CHECK(Why(scene.Take(*created, mine)) == "OK");
  CHECK(Why(scene.Take(*created, platform::MakeSecret())) == "GRANT_TAKEN");
  CHECK(Why(scene.Take(*created, mine)) == "OK");
  CHECK(Why(scene.Take(*created, "")) == "INVALID_SECRET");
  CHECK(scene.List().front().taken == kNow);
}

TEST_CASE("A holder whose answer was lost, also with the server, asks again and has it") {
  Scene scene;
  const auto created = scene.Create();
  const std::string mine = platform::MakeSecret();
  CHECK(absl::IsUnavailable(scene.Take(*created, mine, /*commit=*/false).status()));
  scene.Restart();
  CHECK(Why(scene.Take(*created, mine)) == "OK");
  scene.Restart();
  CHECK(Why(scene.Take(*created, mine)) == "OK");
  CHECK(Why(scene.Take(*created, platform::MakeSecret())) == "GRANT_TAKEN");
}

TEST_CASE("A grant is taken and revoked once, though both may be said again") {
  Scene scene;
  const auto created = scene.Create();
  const std::string mine = platform::MakeSecret();
  CHECK(scene.Take(*created, mine)->now);
  CHECK_FALSE(scene.Take(*created, mine)->now);
  CHECK(scene.Revoke(created->grant.id)->now);
  CHECK_FALSE(scene.Revoke(created->grant.id)->now);
  Grant fleet;
  fleet.reusable = true;
  CHECK_FALSE(scene.Take(*scene.Create(fleet), "")->now);
}

TEST_CASE("A reusable grant is for any number of holders") {
  Scene scene;
  Grant fleet;
  fleet.reusable = true;
  const auto created = scene.Create(fleet);
  for (int i = 0; i < 3; ++i) CHECK(Why(scene.Take(*created, platform::MakeSecret())) == "OK");
  CHECK(Why(scene.Take(*created, "")) == "OK");
  CHECK_FALSE(scene.List().front().taken.has_value());
}

TEST_CASE("A wrong secret and an unknown grant are refused alike") {
  Scene scene;
  auto created = scene.Create();
  auto other = *created;
  other.secret = platform::MakeSecret();
  CHECK(Why(scene.Take(other, platform::MakeSecret())) == "INVALID_GRANT");
  other.grant.id = 999;
  CHECK(Why(scene.Take(other, platform::MakeSecret())) == "INVALID_GRANT");
  CHECK(Why(scene.Take(*created, platform::MakeSecret())) == "OK");
}

TEST_CASE("A revoked grant is over, for its holder, too, and after a restart") {
  Scene scene;
  const auto created = scene.Create();
  const std::string mine = platform::MakeSecret();
  REQUIRE(scene.Take(*created, mine).ok());
  scene.now += absl::Minutes(1);
  CHECK(Why(scene.Revoke(created->grant.id)) == "OK");
  CHECK(scene.refused() == std::vector<GrantId>{created->grant.id});
  CHECK(Why(scene.Take(*created, mine)) == "GRANT_REVOKED");
  CHECK(scene.Revoke(created->grant.id)->grant.revoked == scene.now);
  scene.now += absl::Minutes(1);
  CHECK(scene.Revoke(created->grant.id)->grant.revoked == kNow + absl::Minutes(1));
  scene.Restart();
  CHECK(scene.refused() == std::vector<GrantId>{created->grant.id});
  CHECK(Why(scene.Take(*created, mine)) == "GRANT_REVOKED");
}

TEST_CASE("A grant ends by itself, and leaves the list a day later") {
  Scene scene;
  const auto created = scene.Create({}, absl::Hours(1));
  scene.now += absl::Hours(1);
  CHECK(Why(scene.Take(*created, platform::MakeSecret())) == "GRANT_ENDED");
  CHECK(scene.List().size() == 1);
  scene.now += absl::Hours(24);
  scene.steady += absl::Hours(24);
  scene.List();  // What is over goes at the end of a group.
  CHECK(scene.List().empty());
  scene.Restart();
  CHECK(scene.List().empty());
}

TEST_CASE(
    "A revoked grant makes room a day later, and a clock that is wrong at a start erases nothing") {
  Scene scene;
  const auto revoked = scene.Create({}, absl::Hours(24 * 365));
  const auto stands = scene.Create({}, absl::Hours(24 * 365));
  REQUIRE(scene.Revoke(revoked->grant.id).ok());
  scene.now += absl::Hours(24);
  scene.steady += absl::Hours(24);
  scene.List();
  REQUIRE(scene.List().size() == 1);
  CHECK(scene.List().front().id == stands->grant.id);
  scene.Restart();
  scene.now += absl::Hours(24 * 365 * 20);
  scene.List();
  scene.now = kNow;
  CHECK(Why(scene.Take(*stands, platform::MakeSecret())) == "OK");
}

TEST_CASE("Administrators see and revoke the grants of their own namespaces") {
  Scene scene;
  Grant both;
  both.namespaces = {"default", "lab"};
  const auto created = scene.Create(both);
  for (const Identity& stranger : {AdminOf({"lab"}), AdminOf({"other"}),
                                   platform::Onlooker("root", {platform::kEveryNamespace})}) {
    CHECK(scene.List(stranger).empty());
    CHECK(Why(scene.Revoke(created->grant.id, stranger)) == "NO_SUCH_GRANT");
  }
  CHECK(scene.List(AdminOf({"lab", "default"})).size() == 1);
  CHECK(Why(scene.Revoke(created->grant.id, AdminOf({"lab", "default"}))) == "OK");
  Grant everywhere;
  everywhere.namespaces = {"*"};
  REQUIRE(scene.Create(everywhere).ok());
  CHECK(scene.List(AdminOf({"lab", "default"})).size() == 1);
  CHECK(scene.List(AdminOf({"*"})).size() == 2);
}

Grant In(std::vector<std::string> namespaces, const std::string& maker = "anna") {
  Grant grant;
  grant.namespaces = std::move(namespaces);
  grant.created_by = maker;
  return grant;
}

TEST_CASE("Grants are bounded in number") {
  Scene scene;
  for (const char* const name : {"a", "a", "b", "b", "c"}) REQUIRE(scene.Create(In({name})).ok());
  CHECK(platform::ReasonOf(scene.Create(In({"d"})).status()) == "TOO_MANY_GRANTS");
}

TEST_CASE("Those of a namespace are bounded, whoever makes them, and hold up no other namespace") {
  Scene scene;
  const std::vector<std::vector<std::string>> made = {{"lab"}, {"lab", "wing"}, {"lab"}};
  for (size_t i = 0; i < made.size(); ++i) {
    REQUIRE(scene.Create(In(made[i], "minted-" + std::to_string(i))).ok());
  }
  if (GENERATE(true, false)) scene.Restart();
  for (const auto& full : std::vector<std::vector<std::string>>{{"lab"}, {"default", "lab"}}) {
    const auto refused = scene.Create(In(full, "minted-again")).status();
    CHECK(platform::ReasonOf(refused) == "TOO_MANY_GRANTS");
    CHECK(refused.message().find("namespace \"lab\"") != std::string::npos);
  }
  CHECK(scene.Create(In({"default"}, "minted-0")).ok());
  CHECK(scene.Create(In({"*"}, "minted-0")).ok());
}

TEST_CASE("A grant that was revoked has its place in its namespace for another day") {
  Scene scene;
  std::vector<GrantId> ids;
  ids.reserve(3);
  for (int i = 0; i < 3; ++i) ids.push_back(scene.Create(In({"lab"}))->grant.id);
  REQUIRE(scene.Revoke(ids[0]).ok());
  CHECK(platform::ReasonOf(scene.Create(In({"lab"})).status()) == "TOO_MANY_GRANTS");
  scene.now += absl::Hours(25);
  scene.steady += absl::Hours(25);
  scene.Page({}, 1);  // Whoever comes then finds it gone.
  CHECK(scene.Create(In({"lab"})).ok());
}

TEST_CASE("Pages follow one another, the oldest grant first, and the last says that it is") {
  Scene scene;
  std::vector<GrantId> made;
  for (const char* const name : {"a", "a", "b", "b", "c"}) {
    made.push_back(scene.Create(In({name}))->grant.id);
    if (made.size() != 2) scene.now += absl::Milliseconds(1);  // Two are made at once.
  }
  scene.Restart();
  std::vector<GrantId> listed;
  GrantMachine::Place after;
  for (const size_t grants : {2, 2, 1}) {
    const GrantMachine::Page page = scene.Page(after, 2);
    REQUIRE(page.grants.size() == grants);
    for (const Grant& grant : page.grants) listed.push_back(grant.id);
    CHECK(page.next.has_value() == (grants == 2));
    after = page.next.value_or(after);
  }
  CHECK(listed == made);
  CHECK_FALSE(scene.Page({}, 5).next.has_value());
}

TEST_CASE("A page is full of what its reader may see") {
  Scene scene;
  Grant of_lab;
  of_lab.namespaces = {"lab"};
  for (int i = 0; i < 2; ++i) {
    REQUIRE(scene.Create(In({"default"})).ok());
    REQUIRE(scene.Create(of_lab).ok());
  }
  const GrantMachine::Page page = scene.Page({}, 2, AdminOf({"lab"}));
  CHECK(page.grants.size() == 2);
  CHECK_FALSE(page.next.has_value());
}

}  // namespace
}  // namespace kantoku::issuer
