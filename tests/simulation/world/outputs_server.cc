#include "tests/simulation/world/outputs_server.h"

#include <memory>
#include <optional>
#include <utility>

#include "services/outputs/store.h"
#include "services/outputs/wire.h"
#include "services/platform/status.h"
#include "services/platform/store/memory/memory_record_store.h"

namespace kantoku::simulation {

using outputs::ResultBook;

namespace {

void Ignore(const outputs::StoredResult&, std::string_view) {}

}  // namespace

OutputsServer::OutputsServer(const Scene& scene, Model& model)
    : scene_(scene),
      model_(model),
      stores_(platform::MakeMemoryRecordStoreFactory(outputs::OutputsSchema())) {
  faults_.deeds = {.fails = Deed::kOutputsCommitFails,
                   .unknown = Deed::kOutputsCommitUnknown,
                   .full = Deed::kOutputsDiskFull,
                   .read_fails = Deed::kOutputsReadFails};
  faults_.on_durable = [this](const platform::WriteBatch& batch) {
    scene_.CountStep();
    model_.OnOutputsDurable(batch);
  };
  Open();
}

void OutputsServer::Open() {
  runner_.reset();
  book_.reset();
  faults_.full_for = 0;
  store_ = std::make_unique<FaultyStore>(scene_, faults_, *stores_->Open(0));
  book_ = *ResultBook::Recover({}, *store_);
  platform::PartitionMachine& machine = *this;
  runner_ = std::make_unique<SteppedRunner>(*store_, machine, scene_.clock, *store_->LastBatch());
}

void OutputsServer::Crash() { Open(); }

void OutputsServer::BecomeReliable() {
  reliable_ = true;
  faults_.calm = true;
  crash_due_ = false;
  Rest();
}

void OutputsServer::Advance() {
  if (runner_->CanSettle()) return runner_->Settle();
  if (runner_->CanCommit()) return runner_->Commit();
  if (runner_->CanClose()) runner_->Close();
}

bool OutputsServer::Interrupted() {
  if (crash_due_ && scene_.random.Chance(30)) {
    crash_due_ = false;
    scene_.Did(Deed::kOutputsCrashInCall);
    Crash();
    return true;
  }
  if (reliable_ || !scene_.random.OneIn(500)) return false;
  scene_.Did(Deed::kOutputsCallGivenUp);
  return true;
}

absl::Status OutputsServer::Run(absl::FunctionRef<absl::Status(platform::Transaction&)> command) {
  if (!runner_->health().ok()) {  // Tried again after a while.
    Advance();
    Advance();
  }
  const auto outcome = std::make_shared<std::optional<absl::Status>>();
  KANTOKU_RETURN_IF_ERROR(runner_->Post(
      [&command, outcome](platform::Transaction& transaction) {
        if (absl::Status applied = command(transaction); !applied.ok()) {
          *outcome = std::move(applied);
          return;
        }
        transaction.Reply([outcome](const absl::Status& status) { *outcome = status; });
      },
      platform::PartitionRunner::Urgency::kNormal));
  runner_->Apply();
  while (!outcome->has_value()) {
    if (Interrupted()) return absl::DeadlineExceededError("nobody answers");
    Advance();
  }
  return **outcome;
}

void OutputsServer::Rest() {
  faults_.full_for = 0;
  const bool was_calm = std::exchange(faults_.calm, true);
  while (!runner_->quiet() || runner_->CanSettle() || runner_->CanCommit()) Advance();
  faults_.calm = was_calm;
}

absl::StatusOr<outputs::ItemBook::Reading> OutputsServer::ReadItems(
    const TaskId& task, outputs::ItemPosition from, size_t max_bytes,
    outputs::ItemBook::ItemVisitor visit) {
  Rest();
  return book_->items().Read(task, from, max_bytes, visit);
}

absl::StatusOr<platform::Lease> OutputsServer::OpenLease(std::string_view session,
                                                         const platform::Caller& caller,
                                                         std::string_view token) const {
  KANTOKU_ASSIGN_OR_RETURN(platform::Lease lease,
                           platform::OpenLease(scene_.keys, token, scene_.clock.Read().wall));
  if (lease.holder != caller || lease.session.bytes() != session) {
    return platform::Error(absl::StatusCode::kPermissionDenied, "INVALID_LEASE",
                           "lease_token was minted for another");
  }
  return lease;
}

absl::StatusOr<outputs::v1::PutResponse> OutputsServer::Put(const outputs::v1::PutRequest& request,
                                                            const platform::Caller& caller) {
  outputs::v1::PutResponse response;
  std::vector<platform::Lease> leases(static_cast<size_t>(request.items_size()));
  std::vector<ResultBook::Offer> offers;
  std::vector<int> offered;
  for (int i = 0; i < request.items_size(); ++i) {
    outputs::v1::PutResult& result = *response.add_results();
    platform::Lease& lease = leases[static_cast<size_t>(i)];
    auto opened = OpenLease(request.session_id(), caller, request.items(i).lease_token());
    if (!opened.ok()) {
      outputs::EncodeStatus(opened.status(), *result.mutable_status());
      continue;
    }
    lease = *std::move(opened);
    offers.push_back({.result = {.task = lease.task,
                                 .status = outputs::ResultStatus::kSucceeded,
                                 .dispatch = lease.dispatch,
                                 .name_space = lease.name_space,
                                 .owner = lease.owner,
                                 .data = request.items(i).data()},
                      .retention = lease.retention,
                      .items = request.items(i).item_count()});
    offered.push_back(i);
  }
  KANTOKU_RETURN_IF_ERROR(Run([&](platform::Transaction& transaction) {
    const auto decisions = book_->Put(offers, transaction, Ignore);
    if (!decisions.ok()) return decisions.status();
    scene_.Expect(decisions->size() == offers.size(), "a put is decided");
    for (size_t j = 0; j < offers.size(); ++j) {
      const platform::Lease& lease = leases[static_cast<size_t>(offered[j])];
      outputs::v1::PutResult& result = *response.mutable_results(offered[j]);
      const absl::Status status = outputs::StatusOf((*decisions)[j], lease.task, lease.dispatch);
      if (status.ok()) {
        result.set_receipt(
            platform::SealReceipt(scene_.keys, {.task = lease.task,
                                                .dispatch = lease.dispatch,
                                                .status = outputs::v1::RESULT_STATUS_SUCCEEDED}));
      } else {
        outputs::EncodeStatus(status, *result.mutable_status());
      }
    }
    return absl::OkStatus();
  }));
  for (const int i : offered) {
    const ModelTask* const task = model_.Find(leases[static_cast<size_t>(i)].task);
    scene_.Expect(
        task == nullptr || task->outputs_end.has_value() || response.results(i).receipt().empty(),
        "a receipt leaves when its result is durable");
  }
  return response;
}

absl::StatusOr<outputs::v1::GetResponse> OutputsServer::Get(const outputs::v1::GetRequest& request,
                                                            const platform::Caller& caller) {
  Rest();
  outputs::v1::GetResponse response;
  for (int i = 0; i < request.task_ids_size(); ++i) {
    outputs::v1::GetResult& result = *response.add_results();
    const auto grant =
        platform::OpenReadGrant(scene_.keys, request.read_grants(i), scene_.clock.Read().wall);
    if (grant.ok() && grant->holder == caller && grant->session.bytes() == request.session_id() &&
        grant->task.bytes() == request.task_ids(i)) {
      KANTOKU_RETURN_IF_ERROR(Get(*grant, result));
      continue;
    }
    outputs::EncodeStatus(platform::Error(absl::StatusCode::kPermissionDenied, "INVALID_GRANT",
                                          "read_grant was minted for another"),
                          *result.mutable_status());
  }
  return response;
}

absl::Status OutputsServer::Get(const platform::ReadGrant& grant, outputs::v1::GetResult& result) {
  const absl::Time now = scene_.clock.Read().wall;
  const auto take = [&](size_t, ResultBook::Presence presence, const outputs::StoredResult* stored,
                        std::string_view) {
    const bool held = presence == ResultBook::Presence::kHeld;
    if (held && stored->owner == grant.owner && stored->name_space == grant.name_space) {
      return outputs::EncodeResult(*stored, *result.mutable_result());
    }
    scene_.Expect(!held, "a grant is of its owner's results");
    scene_.coverage.Count(Deed::kArgumentGone);
    model_.OnResultGone(grant.task, now);
    outputs::EncodeStatus(outputs::StatusOf(presence, grant.task), *result.mutable_status());
  };
  return book_->Find(std::span(&grant.task, 1), now, take);
}

absl::StatusOr<outputs::v1::PutItemsResponse> OutputsServer::PutItems(
    const outputs::v1::PutItemsRequest& request, const platform::Caller& caller) {
  outputs::v1::PutItemsResponse response;
  for (const outputs::v1::ItemBatch& batch : request.batches()) {
    outputs::v1::ItemBatchResult& result = *response.add_results();
    const auto lease = OpenLease(request.session_id(), caller, batch.lease_token());
    if (!lease.ok()) {
      outputs::EncodeStatus(lease.status(), *result.mutable_status());
      continue;
    }
    std::vector<outputs::Item> items;
    for (const auto& item : batch.items()) items.push_back({item.data(), item.content_type()});
    const outputs::ItemBook::Batch offered = {.task = lease->task,
                                              .dispatch = lease->dispatch,
                                              .name_space = lease->name_space,
                                              .owner = lease->owner,
                                              .first = batch.first_sequence(),
                                              .items = items};
    KANTOKU_RETURN_IF_ERROR(Run([&](platform::Transaction& transaction) {
      const auto decisions = book_->PutItems(std::span(&offered, 1), transaction);
      if (!decisions.ok()) return decisions.status();
      scene_.Expect(decisions->size() == 1, "a put is decided");
      const absl::Status status =
          outputs::StatusOf(decisions->front(), lease->task, lease->dispatch);
      outputs::EncodeStatus(status, *result.mutable_status());
      if (status.ok()) result.set_durable_sequence(decisions->front().items);
      return absl::OkStatus();
    }));
    const ModelTask* const task = model_.Find(lease->task);
    if (task == nullptr || result.durable_sequence() == 0) continue;
    const auto held = task->items.find(lease->dispatch);
    scene_.Expect(held != task->items.end() && held->second >= result.durable_sequence(),
                  "items are confirmed when they are durable");
  }
  return response;
}

absl::StatusOr<outputs::v1::FenceResponse> OutputsServer::Fence(
    uint64_t epoch, const outputs::v1::FenceItem& item) {
  KANTOKU_ASSIGN_OR_RETURN(const ResultBook::Closing closing, outputs::DecodeClosing(item));
  outputs::v1::FenceResponse response;
  KANTOKU_RETURN_IF_ERROR(Run([&](platform::Transaction& transaction) {
    const auto decisions = book_->Fence(epoch, std::span(&closing, 1), transaction, Ignore);
    if (!decisions.ok()) return decisions.status();
    outputs::v1::FenceResult& result = *response.add_results();
    outputs::EncodeStatus(outputs::StatusOf(decisions->front().outcome, closing.task),
                          *result.mutable_status());
    result.set_terminal(static_cast<outputs::v1::ResultStatus>(decisions->front().terminal));
    return absl::OkStatus();
  }));
  const ModelTask* const task = model_.Find(closing.task);
  scene_.Expect(task == nullptr || task->outputs_end.has_value() ||
                    task->fenced_dispatch >= closing.dispatch ||
                    response.results(0).status().code() != 0,
                "a fence is answered when it is durable");
  return response;
}

}  // namespace kantoku::simulation
