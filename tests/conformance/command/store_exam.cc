// Who sits the exam of record stores when the command holds it: a program that is only reached.
#include <grpcpp/client_context.h>

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "kantoku/store/v1/store.grpc.pb.h"
#include "services/platform/random.h"
#include "services/platform/status.h"
#include "services/platform/store/remote/remote_record_store.h"
#include "tests/conformance/command/exams.h"
#include "tests/conformance/command/run_exam.h"
#include "tests/conformance/record_store_exam.h"

namespace kantoku::conformance {
namespace {

using platform::RecordStore;
using platform::RecordStoreFactory;
using platform::StoreSchema;

constexpr std::chrono::seconds kPatience{20};
// As many as a case may open.
constexpr uint32_t kPartitionsOfCase = 10;

struct Place {
  Target target;
  std::string component;
  uint32_t next_partition = 1;  // 0 is for the knock at the door.
  size_t left_behind = 0;       // Partitions that may hold something.
};
Place& ThePlace() {
  static auto& place = *new Place;
  return place;
}

// Partitions that no case had before, counted from 0.
class FreshPartitions final : public RecordStoreFactory {
 public:
  explicit FreshPartitions(StoreSchema schema)
      : schema_(std::move(schema)), first_(ThePlace().next_partition) {
    ThePlace().next_partition += kPartitionsOfCase;
    schema_.component = ThePlace().component;
    factory_ = MakeRemoteRecordStoreFactory(schema_, {.channel = ThePlace().target.channel});
  }
  // They stay, and hold nothing, if the store does what it is told.
  ~FreshPartitions() override {
    for (uint32_t partition = 0; partition < kPartitionsOfCase; ++partition) {
      if (opened_[partition] && !Empty(partition).ok()) ++ThePlace().left_behind;
    }
  }

  platform::StoreTraits traits() const override { return factory_->traits(); }
  absl::StatusOr<std::unique_ptr<RecordStore>> Open(uint32_t partition) override {
    opened_.at(partition) = true;
    return factory_->Open(first_ + partition);
  }

 private:
  absl::Status Empty(uint32_t partition) {
    KANTOKU_ASSIGN_OR_RETURN(const auto store, factory_->Open(first_ + partition));
    KANTOKU_ASSIGN_OR_RETURN(const uint64_t last, store->LastBatch());
    platform::WriteBatch batch;
    batch.set_number(last + 1);
    for (const auto& kind : schema_.kinds) batch.EraseRange(kind.kind, 0, platform::kMaxRecordKey);
    return store->Commit(batch);
  }

  StoreSchema schema_;
  const uint32_t first_;
  std::unique_ptr<RecordStoreFactory> factory_;
  std::array<bool, kPartitionsOfCase> opened_ = {};
};

// What a store that is one answers with OK.
absl::Status Knock(const std::shared_ptr<grpc::Channel>& channel) {
  KANTOKU_RETURN_IF_ERROR(AwaitConnection(*channel));
  store::v1::OpenRequest request;
  request.mutable_owner()->set_component(ThePlace().component);
  const StoreSchema schema = platform::ExamSchema();
  request.set_format(schema.format);
  for (const StoreSchema::Kind& each : schema.kinds) {
    auto& kind = *request.add_kinds();
    kind.set_kind(each.kind);
    kind.set_name(std::string(each.name));
  }
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  store::v1::OpenResponse response;
  return FirstAnswer(store::v1::StoreService::NewStub(channel)->Open(&context, request, &response),
                     "kantoku.store.v1.StoreService");
}

class TargetExaminee final : public platform::RecordStoreExaminee {
 public:
  explicit TargetExaminee(const StoreSchema& schema) : factory_(schema) {}

  RecordStoreFactory& factory() override { return factory_; }
  // Where nobody may, it goes on without: those cases run in which that is but one thing of many.
  void Crash() override {
    const std::string& command = ThePlace().target.crash_command;
    if (command.empty()) return GoOnWithout("crash");
    INFO("the command of --crash");  // Which may hold what is not for a report.
    const bool crashed = std::system(command.c_str()) == 0;
    REQUIRE(crashed);
    // The first calls may still meet the connection to the dead one.
    absl::Status there = absl::UnavailableError("");
    for (int tries = 0; tries < 10 && absl::IsUnavailable(there); ++tries) {
      there = Knock(ThePlace().target.channel);
    }
    CAPTURE(there.ToString());
    REQUIRE(there.ok());
  }

 private:
  FreshPartitions factory_;
};

absl::StatusOr<std::string> Enter(const Target& target) {
  ThePlace().target = target;
  ThePlace().component = absl::StrFormat("conformance_%016x", platform::SystemRandom());
  KANTOKU_RETURN_IF_ERROR(Knock(target.channel));
  return absl::StrCat("the component ", ThePlace().component);
}

}  // namespace

Exam StoreExam() {
  return {.name = "store",
          .what = "a program that serves kantoku.store.v1",
          .sources = "conformance/record_store_exam.cc",
          .enter = Enter,
          .abilities =
              [](const Target& target) {
                return target.crash_command.empty() ? std::set<std::string>{}
                                                    : std::set<std::string>{"crash"};
              },
          .left_behind = [] { return ThePlace().left_behind; }};
}

}  // namespace kantoku::conformance

namespace kantoku::platform {

std::vector<RecordStoreEntry> RecordStoreEntries() {
  return {{.name = "the target", .make = [](const StoreSchema& schema) {
             return std::make_unique<conformance::TargetExaminee>(schema);
           }}};
}

}  // namespace kantoku::platform
