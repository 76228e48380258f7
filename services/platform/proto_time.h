#ifndef KANTOKU_SERVICES_PLATFORM_PROTO_TIME_H_
#define KANTOKU_SERVICES_PLATFORM_PROTO_TIME_H_

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "absl/time/time.h"

namespace kantoku::platform {

// Between protobuf's times and Abseil's. What is read may be anything; what is written is
// normalised, to the nanosecond.
absl::Duration FromProto(const google::protobuf::Duration& proto);
absl::Time FromProto(const google::protobuf::Timestamp& proto);
google::protobuf::Duration ToProto(absl::Duration duration);
google::protobuf::Timestamp ToProto(absl::Time time);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_PROTO_TIME_H_
