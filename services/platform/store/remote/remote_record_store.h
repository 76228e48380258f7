#ifndef KANTOKU_SERVICES_PLATFORM_STORE_REMOTE_REMOTE_RECORD_STORE_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_REMOTE_REMOTE_RECORD_STORE_H_

#include <grpcpp/channel.h>

#include <memory>

#include "absl/time/time.h"
#include "services/platform/store/record_store.h"

namespace kantoku::platform {

struct RemoteStoreOptions {
  std::shared_ptr<grpc::Channel> channel;
  // How long the program may take for a commit, and for each message of a read.
  absl::Duration timeout = absl::Seconds(20);
};

// Keeps records in somebody's program, which serves kantoku.store.v1.StoreService
// (protos/kantoku/store/v1/store.proto).
//
// Guarantees as record_store.h, as far as that program keeps what the proto says: its exam is that
// of all stores. It is taken to be durable. What it answers that was not asked for (records of
// other keys, out of order, too many) is DATA_LOSS, STORE_DAMAGED, as is one that has lost a batch.
//
// Thread safety and errors as record_store.h; an answer that does not come in time is UNAVAILABLE.
// A read may have shown some records before it fails. Open waits for a program that is not there
// yet as long as a call may take. Stores may outlive their factory.
std::unique_ptr<RecordStoreFactory> MakeRemoteRecordStoreFactory(StoreSchema schema,
                                                                 RemoteStoreOptions options);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_REMOTE_REMOTE_RECORD_STORE_H_
