#include <utility>

#include "client/cpp/src/blocking_call.h"
#include "client/cpp/src/convert.h"
#include "client/cpp/src/convert_keys.h"
#include "client/cpp/src/grpc_connection.h"

// The calls about limits and pauses.
namespace kantoku::internal {

namespace inputspb = ::kantoku::inputs::v1;

absl::StatusOr<Connection::SetLimitsAnswer> GrpcConnection::SetLimits(SetLimitsRequest request) {
  KANTOKU_RETURN_IF_ERROR(CheckText("namespace", request.namespace_name));
  KANTOKU_RETURN_IF_ERROR(CheckText("why", request.what.why));
  inputspb::SetLimitsRequest proto;
  proto.set_why(std::move(request.what.why));
  proto.set_namespace_(std::move(request.namespace_name));
  for (Limit& limit : request.set) {
    KANTOKU_RETURN_IF_ERROR(SetLimit(std::move(limit), *proto.add_set()));
  }
  for (LimitName& name : request.remove) {
    KANTOKU_RETURN_IF_ERROR(SetLimitName(std::move(name), *proto.add_remove()));
  }
  KANTOKU_ASSIGN_OR_RETURN(const auto response,
                           (Block<inputspb::SetLimitsRequest, inputspb::SetLimitsResponse>(
                               runtime_, Limits(request.timeout),
                               [this](auto* context, const auto& sent, auto* queue) {
                                 return inputs_->AsyncSetLimits(context, sent, queue);
                               },
                               std::move(proto))));
  SetLimitsAnswer answer;
  for (const auto& status : response.set()) answer.set.push_back(ToStatus(status));
  for (const auto& status : response.removed()) answer.removed.push_back(ToStatus(status));
  return answer;
}

absl::StatusOr<Connection::LimitPage> GrpcConnection::ListLimits(ListLimitsRequest request) {
  KANTOKU_RETURN_IF_ERROR(CheckText("namespace", request.namespace_name));
  inputspb::ListLimitsRequest proto;
  proto.set_namespace_(std::move(request.namespace_name));
  proto.set_page_token(std::move(request.page_token));
  KANTOKU_ASSIGN_OR_RETURN(auto response,
                           (Block<inputspb::ListLimitsRequest, inputspb::ListLimitsResponse>(
                               runtime_, Limits(request.timeout),
                               [this](auto* context, const auto& sent, auto* queue) {
                                 return inputs_->AsyncListLimits(context, sent, queue);
                               },
                               std::move(proto))));
  LimitPage page{.next_page_token = std::move(*response.mutable_next_page_token())};
  for (const auto& limit : response.limits()) page.limits.push_back(ToLimitInfo(limit));
  return page;
}

absl::Status GrpcConnection::SetPause(SetPauseRequest request) {
  KANTOKU_RETURN_IF_ERROR(CheckText("namespace", request.namespace_name));
  KANTOKU_RETURN_IF_ERROR(CheckText("type", request.pause.type));
  KANTOKU_RETURN_IF_ERROR(CheckText("reason", request.pause.reason));
  KANTOKU_RETURN_IF_ERROR(CheckText("why", request.what.why));
  inputspb::SetPauseRequest proto;
  proto.set_why(std::move(request.what.why));
  proto.set_namespace_(std::move(request.namespace_name));
  proto.set_type(std::move(request.pause.type));
  proto.set_reason(std::move(request.pause.reason));
  proto.set_paused(request.paused);
  return Block<inputspb::SetPauseRequest, inputspb::SetPauseResponse>(
             runtime_, Limits(request.timeout),
             [this](auto* context, const auto& sent, auto* queue) {
               return inputs_->AsyncSetPause(context, sent, queue);
             },
             std::move(proto))
      .status();
}

absl::StatusOr<std::vector<TypePause>> GrpcConnection::ListPauses(ListPausesRequest request) {
  KANTOKU_RETURN_IF_ERROR(CheckText("namespace", request.namespace_name));
  inputspb::ListPausesRequest proto;
  proto.set_namespace_(std::move(request.namespace_name));
  KANTOKU_ASSIGN_OR_RETURN(const auto response,
                           (Block<inputspb::ListPausesRequest, inputspb::ListPausesResponse>(
                               runtime_, Limits(request.timeout),
                               [this](auto* context, const auto& sent, auto* queue) {
                                 return inputs_->AsyncListPauses(context, sent, queue);
                               },
                               std::move(proto))));
  std::vector<TypePause> pauses;
  for (const auto& pause : response.pauses()) pauses.push_back({pause.type(), pause.reason()});
  return pauses;
}

}  // namespace kantoku::internal
