#include "services/outputs/await_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/outputs/local_leg.h"
#include "services/outputs/relay_leg.h"
#include "services/outputs/wire.h"
#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

using platform::TaskId;

constexpr int kMaxIdsPerRequest = 10'000;
// What an answer takes beside its id.
constexpr size_t kAnswerOverhead = 64;

}  // namespace

AwaitStream::AwaitStream(Call* call, platform::CallMonitor::Method& method,
                         const platform::BidiStreamOptions& options,
                         std::shared_ptr<const platform::Identity> caller, const Routes& routes,
                         Metrics& metrics, std::function<void(AwaitStream*)> on_ended)
    : AwaitTrunk(call, method, options),
      call_(call),
      caller_(std::move(caller)),
      routes_(routes),
      metrics_(metrics),
      on_ended_(std::move(on_ended)),
      leg_to_(routes.map.count()) {}

void AwaitStream::OnRequest(Request& request) {
  if (request.task_ids_size() > kMaxIdsPerRequest) {
    return Close(platform::Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_IDS",
                                 absl::StrCat("task_ids has ", request.task_ids_size(),
                                              " ids; a request may have ", kMaxIdsPerRequest)));
  }
  auto wishes = Divide(request);
  if (!wishes.ok()) return Close(wishes.status());
  const auto asked = static_cast<size_t>(
      std::ranges::count_if(*wishes, [](const AwaitWish& wish) { return !wish.empty(); }));
  if (asked == 0) return;
  asked_ = asked;
  PauseReading();
  for (size_t i = 0; i < wishes->size(); ++i) {
    if (!(*wishes)[i].empty()) legs_[i]->Ask(std::move((*wishes)[i]));
  }
}

void AwaitStream::OnToken(std::string_view token) {
  token_ = token;
  token_is_new_ = true;
}

absl::StatusOr<std::vector<AwaitWish>> AwaitStream::Divide(const Request& request) {
  std::vector<AwaitWish> wishes(legs_.size());
  for (const std::string& bytes : request.task_ids()) {
    const auto id = TaskId::FromBytes(bytes);
    if (!id.ok()) {
      KANTOKU_RETURN_IF_ERROR(AnswerMalformed(bytes, id.status()));
      continue;
    }
    KANTOKU_ASSIGN_OR_RETURN(const size_t leg, LegTo(routes_.map.OfSlot(id->slot())));
    if (leg == wishes.size()) wishes.emplace_back();
    std::vector<TaskId>& added = wishes[leg].added;
    if (added.empty()) added.reserve(request.task_ids_size());  // Mostly all are in one place.
    added.push_back(*id);
  }
  for (const std::string& bytes : request.forget()) {
    const auto id = TaskId::FromBytes(bytes);
    if (!id.ok()) continue;
    const std::optional<size_t> leg = leg_to_[routes_.map.OfSlot(id->slot())];
    if (leg.has_value()) wishes[*leg].forgotten.push_back(*id);
  }
  if (std::exchange(token_is_new_, false)) {
    for (const auto& [address, leg] : relays_) wishes[leg].access_token = token_;
  }
  return wishes;
}

absl::StatusOr<size_t> AwaitStream::LegTo(uint32_t partition) {
  std::optional<size_t>& leg = leg_to_[partition];
  if (leg.has_value()) return *leg;
  auto place = routes_.Find(partition, *call_);
  if (place.here != nullptr) {
    leg = legs_.size();
    legs_.push_back(std::make_shared<LocalLeg>(self(), std::move(place.here), metrics_));
    return *leg;
  }
  if (place.address.empty()) return routes_.Nowhere(partition);
  leg = LegTo({.address = std::move(place.address), .partition = partition});
  return *leg;
}

size_t AwaitStream::LegTo(const platform::Forwarder::Target& target) {
  const auto [relay, fresh] = relays_.try_emplace(target.address, legs_.size());
  if (fresh) legs_.push_back(RelayLeg::Open(self(), *routes_.forwarder, *call_, target, token_));
  return relay->second;
}

void AwaitStream::LegReady() {
  if (--asked_ == 0) ResumeReading();
}

void AwaitStream::OnHalfClosed() {
  if (legs_.empty()) return Close(absl::OkStatus());
  open_ = legs_.size();
  for (const auto& leg : legs_) leg->EndWhenIdle();
}

void AwaitStream::LegEnded() {
  if (--open_ == 0) Close(absl::OkStatus());
}

void AwaitStream::OnWritable() {
  for (const auto& leg : legs_) leg->OnWritable();
}

void AwaitStream::OnEnded(const absl::Status& /*status*/) {
  for (const auto& leg : legs_) leg->Leave();
  legs_.clear();
  on_ended_(this);
}

absl::Status AwaitStream::AnswerMalformed(const std::string& id, const absl::Status& why) {
  return Post(id.size() + kAnswerOverhead, [&](outputs::v1::AwaitResponse& response) {
    auto& result = *response.add_results();
    result.set_task_id(id);
    EncodeStatus(why, *result.mutable_status());
  });
}

}  // namespace kantoku::outputs
