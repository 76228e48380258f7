#ifndef KANTOKU_SERVICES_OUTPUTS_CALLS_H_
#define KANTOKU_SERVICES_OUTPUTS_CALLS_H_

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "kantoku/outputs/v1/outputs.pb.h"
#include "services/outputs/metrics.h"
#include "services/outputs/partition.h"
#include "services/outputs/result_book.h"
#include "services/platform/auth/mac.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/identity/viewer.h"
#include "services/platform/rpc/unary.h"

namespace kantoku::outputs {

// A unary call on its way through the partition. Its request and response live until the answer;
// a call that nobody answered, because the partition ended, is UNAVAILABLE.
//
// Confined to one thread at a time.
class Call {
 public:
  explicit Call(platform::Reply reply) : reply_(std::move(reply)) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call();

  void Answer(const absl::Status& status);

 private:
  std::optional<platform::Reply> reply_;
};

// INVALID_ARGUMENT when a request is refused as a whole: it has no items or too many, or too many
// bytes, or names no session where it has to.
absl::Status CheckWhole(const outputs::v1::PutRequest& request);
absl::Status CheckWhole(const outputs::v1::PutItemsRequest& request);
absl::Status CheckWhole(const outputs::v1::FenceRequest& request);
absl::Status CheckWhole(const outputs::v1::GetRequest& request);

// What all items of a Put are checked against.
struct PutTerms {
  const platform::MacKeys& keys;
  const platform::Caller& caller;
  absl::Time now;
  size_t max_result_bytes;
};

// What a lease token says, when it is genuine and was minted for this caller and session; else
// PERMISSION_DENIED, INVALID_LEASE.
absl::StatusOr<platform::Lease> AdmitLease(std::string_view token, std::string_view session_id,
                                           const PutTerms& terms);

// The results of one Put. Items that are bad by themselves have their answers once Read is over.
class PutCall : public Call {
 public:
  PutCall(const outputs::v1::PutRequest& request, outputs::v1::PutResponse& response,
          platform::Reply reply, Metrics& metrics);

  // INVALID_ARGUMENT when the request as a whole is refused.
  absl::Status Read(const PutTerms& terms);
  bool nothing_to_do() const { return offers_.empty(); }
  // On the apply thread.
  absl::Status Apply(OutputsPartition& partition, platform::Transaction& transaction);

 private:
  absl::Status ReadItem(const outputs::v1::PutItem& item, const PutTerms& terms);
  void Count(const ResultBook::Decision& decision);

  const outputs::v1::PutRequest& request_;
  outputs::v1::PutResponse& response_;
  Metrics& metrics_;
  // Offers point into leases and the request. `items_` says where each offer stands there.
  std::vector<platform::Lease> leases_;
  std::vector<ResultBook::Offer> offers_;
  std::vector<int> items_;
};

// The items of one PutItems.
class PutItemsCall : public Call {
 public:
  PutItemsCall(const outputs::v1::PutItemsRequest& request, outputs::v1::PutItemsResponse& response,
               platform::Reply reply, Metrics& metrics);

  // INVALID_ARGUMENT when the request as a whole is refused.
  absl::Status Read(const PutTerms& terms);
  bool nothing_to_do() const { return batches_.empty(); }
  // On the apply thread.
  absl::Status Apply(OutputsPartition& partition, platform::Transaction& transaction);

 private:
  absl::Status ReadBatch(const outputs::v1::ItemBatch& batch, const PutTerms& terms);

  const outputs::v1::PutItemsRequest& request_;
  outputs::v1::PutItemsResponse& response_;
  Metrics& metrics_;
  // Batches point into leases, items and the request. `indexes_` says where each stands there.
  std::vector<platform::Lease> leases_;
  std::vector<std::vector<Item>> items_;
  std::vector<ItemBook::Batch> batches_;
  std::vector<int> indexes_;
};

// The dispatches of one Fence.
class FenceCall : public Call {
 public:
  FenceCall(const outputs::v1::FenceRequest& request, outputs::v1::FenceResponse& response,
            platform::Reply reply, Metrics& metrics);

  absl::Status Read();
  bool nothing_to_do() const { return closings_.empty(); }
  absl::Status Apply(OutputsPartition& partition, platform::Transaction& transaction);

 private:
  const outputs::v1::FenceRequest& request_;
  outputs::v1::FenceResponse& response_;
  Metrics& metrics_;
  std::vector<ResultBook::Closing> closings_;
  std::vector<int> items_;
};

// What the ids of a Get are checked against.
struct GetTerms {
  const platform::MacKeys& keys;
  absl::Time now;
};

// The ids of one Get. Those whose grant is bad have their answers once Read is over.
class GetCall : public Call {
 public:
  GetCall(const outputs::v1::GetRequest& request, outputs::v1::GetResponse& response,
          platform::Reply reply, std::shared_ptr<const platform::Identity> caller);

  // INVALID_ARGUMENT or PERMISSION_DENIED when the request as a whole is refused.
  absl::Status Read(const GetTerms& terms);
  absl::Status Apply(OutputsPartition& partition, platform::Transaction& transaction);
  // Of one of the ids: that its grant is none, or that its result is not for the caller. OK: of
  // none.
  const absl::Status& refused() const { return refused_; }

 private:
  // For whom a service asks.
  absl::Status ReadSubject();
  absl::Status ReadItem(int item, const GetTerms& terms);
  bool Asks(const StoredResult& result) const;  // In this namespace.
  bool MaySee(size_t index, const StoredResult& result) const;
  // False when the answer has no room for it.
  bool Take(size_t index, ResultBook::Presence presence, const StoredResult* result);

  const outputs::v1::GetRequest& request_;
  outputs::v1::GetResponse& response_;
  const std::shared_ptr<const platform::Identity> caller_;
  platform::Viewer
      viewer_;  // The caller, or for whom a service asks; nobody until it has said that.
  size_t bytes_ = 0;
  absl::Status refused_ = absl::OkStatus();
  std::vector<platform::TaskId> tasks_;
  std::vector<std::optional<platform::ReadGrant>> grants_;  // One for each of `tasks_`.
  std::vector<int> items_;
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_CALLS_H_
