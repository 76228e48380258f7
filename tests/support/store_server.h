#ifndef KANTOKU_TESTS_SUPPORT_STORE_SERVER_H_
#define KANTOKU_TESTS_SUPPORT_STORE_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>

#include "kantoku/store/v1/store.grpc.pb.h"
#include "services/platform/mutex.h"
#include "services/platform/store/record_store.h"

namespace kantoku::test {

// A store of ours as a program of one's own would serve it: kantoku.store.v1 over a factory, on a
// free port of this computer. Knows the one component of the factory.
//
// Thread-safe. The factory outlives it.
class StoreServer final : private store::v1::StoreService::Service {
 public:
  explicit StoreServer(platform::RecordStoreFactory& factory);
  ~StoreServer() override;

  std::shared_ptr<grpc::Channel> Connect() const;

 private:
  grpc::Status Open(grpc::ServerContext* context, const store::v1::OpenRequest* request,
                    store::v1::OpenResponse* response) override;
  grpc::Status GetLastBatch(grpc::ServerContext* context,
                            const store::v1::GetLastBatchRequest* request,
                            store::v1::GetLastBatchResponse* response) override;
  grpc::Status Commit(grpc::ServerContext* context,
                      grpc::ServerReader<store::v1::CommitRequest>* reader,
                      store::v1::CommitResponse* response) override;
  grpc::Status Read(grpc::ServerContext* context, const store::v1::ReadRequest* request,
                    grpc::ServerWriter<store::v1::ReadResponse>* writer) override;
  grpc::Status Scan(grpc::ServerContext* context, const store::v1::ScanRequest* request,
                    grpc::ServerWriter<store::v1::ScanResponse>* writer) override;

  // Null: a later owner has it.
  std::shared_ptr<platform::RecordStore> StoreOf(const store::v1::Owner& owner);

  platform::RecordStoreFactory& factory_;
  platform::Mutex mutex_;
  std::map<uint32_t, std::shared_ptr<platform::RecordStore>> owned_ ABSL_GUARDED_BY(mutex_);
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_STORE_SERVER_H_
