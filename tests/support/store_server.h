#ifndef KANTOKU_TESTS_SUPPORT_STORE_SERVER_H_
#define KANTOKU_TESTS_SUPPORT_STORE_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "kantoku/store/v1/store.grpc.pb.h"
#include "services/platform/mutex.h"
#include "services/platform/store/record_store.h"

namespace kantoku::test {

// A store of ours as a program of one's own would serve it: kantoku.store.v1 over a factory for
// each component, on a free port of this computer.
//
// Thread-safe. The factories outlive it.
class StoreServer final : private store::v1::StoreService::Service {
 public:
  using Factories = std::map<std::string, platform::RecordStoreFactory*>;  // By component.

  explicit StoreServer(Factories factories);
  ~StoreServer() override;

  std::string address() const;
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

  using Partition = std::pair<std::string, uint32_t>;  // Of a component.

  const Factories factories_;
  platform::Mutex mutex_;
  std::map<Partition, std::shared_ptr<platform::RecordStore>> owned_ ABSL_GUARDED_BY(mutex_);
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_STORE_SERVER_H_
