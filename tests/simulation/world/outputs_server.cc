#include "tests/simulation/world/outputs_server.h"

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
  Open();
}

void OutputsServer::Open() {
  book_.reset();
  store_ = *stores_->Open(0);
  next_number_ = *store_->LastBatch() + 1;
  book_ = *ResultBook::Recover({}, *store_);
}

void OutputsServer::Crash() { Open(); }

void OutputsServer::Run(absl::FunctionRef<void(platform::Transaction&)> command) {
  group_.set_now(scene_.clock.Read());
  command(group_);
  book_->FinishGroup(group_);
  group_.Close(next_number_);
  if (group_.needs_commit()) {
    scene_.CountStep();
    scene_.Expect(store_->Commit(group_.closed_batch()).ok(), "the store takes what is committed");
    model_.OnOutputsDurable(group_.closed_batch());
  }
  group_.Settle(absl::OkStatus());
  group_.Clear();
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

outputs::v1::PutResponse OutputsServer::Put(const outputs::v1::PutRequest& request,
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
  Run([&](platform::Transaction& transaction) {
    const auto decisions = book_->Put(offers, transaction, Ignore);
    scene_.Expect(decisions.ok() && decisions->size() == offers.size(), "a put is decided");
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
  });
  return response;
}

outputs::v1::GetResponse OutputsServer::Get(const outputs::v1::GetRequest& request,
                                            const platform::Caller& caller) {
  outputs::v1::GetResponse response;
  for (int i = 0; i < request.task_ids_size(); ++i) {
    outputs::v1::GetResult& result = *response.add_results();
    const auto grant =
        platform::OpenReadGrant(scene_.keys, request.read_grants(i), scene_.clock.Read().wall);
    if (grant.ok() && grant->holder == caller && grant->session.bytes() == request.session_id() &&
        grant->task.bytes() == request.task_ids(i)) {
      Get(*grant, result);
      continue;
    }
    outputs::EncodeStatus(platform::Error(absl::StatusCode::kPermissionDenied, "INVALID_GRANT",
                                          "read_grant was minted for another"),
                          *result.mutable_status());
  }
  return response;
}

void OutputsServer::Get(const platform::ReadGrant& grant, outputs::v1::GetResult& result) {
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
  scene_.Expect(book_->Find(std::span(&grant.task, 1), now, take).ok(), "results can be read");
}

outputs::v1::PutItemsResponse OutputsServer::PutItems(const outputs::v1::PutItemsRequest& request,
                                                      const platform::Caller& caller) {
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
    Run([&](platform::Transaction& transaction) {
      const auto decisions = book_->PutItems(std::span(&offered, 1), transaction);
      scene_.Expect(decisions.ok() && decisions->size() == 1, "a put is decided");
      const absl::Status status =
          outputs::StatusOf(decisions->front(), lease->task, lease->dispatch);
      outputs::EncodeStatus(status, *result.mutable_status());
      if (status.ok()) result.set_durable_sequence(decisions->front().items);
    });
  }
  return response;
}

absl::StatusOr<outputs::v1::FenceResponse> OutputsServer::Fence(
    uint64_t epoch, const outputs::v1::FenceItem& item) {
  KANTOKU_ASSIGN_OR_RETURN(const ResultBook::Closing closing, outputs::DecodeClosing(item));
  outputs::v1::FenceResponse response;
  absl::Status failed;
  Run([&](platform::Transaction& transaction) {
    const auto decisions = book_->Fence(epoch, std::span(&closing, 1), transaction, Ignore);
    if (!decisions.ok()) {
      failed = decisions.status();
      return;
    }
    outputs::v1::FenceResult& result = *response.add_results();
    outputs::EncodeStatus(outputs::StatusOf(decisions->front().outcome, closing.task),
                          *result.mutable_status());
    result.set_terminal(static_cast<outputs::v1::ResultStatus>(decisions->front().terminal));
  });
  if (!failed.ok()) return failed;
  return response;
}

}  // namespace kantoku::simulation
