#ifndef KANTOKU_SERVICES_PLATFORM_RPC_STATUS_DETAILS_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_STATUS_DETAILS_H_

#include <string>
#include <string_view>

namespace kantoku::platform {

// The bytes of gRPC's `grpc-status-details-bin`: a google.rpc.Status whose details hold one
// google.rpc.ErrorInfo with `reason` and the domain "kantoku" and, for RESOURCE_EXHAUSTED, one
// google.rpc.RetryInfo: what is full is seldom empty within kRetryDelaySeconds. Written by hand,
// field by field, as no package of Debian brings these messages for C++; every gRPC library reads
// them.
inline constexpr int kRetryDelaySeconds = 1;
std::string EncodeReason(int code, std::string_view message, std::string_view reason);

// The reason of the first ErrorInfo in `details`, whatever its domain; empty when there is none or
// `details` are malformed.
std::string DecodeReason(std::string_view details);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_STATUS_DETAILS_H_
