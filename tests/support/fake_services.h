#ifndef KANTOKU_TESTS_SUPPORT_FAKE_SERVICES_H_
#define KANTOKU_TESTS_SUPPORT_FAKE_SERVICES_H_

#include <google/protobuf/message.h>
#include <grpcpp/server.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/mutex.h"

namespace kantoku::testing {

// What a test waits for comes within this time, or never.
inline constexpr absl::Duration kPatience = absl::Seconds(30);

// Told of every message, on the thread that it is sent or read on: of which call, whether it came
// from the executor, and what it is.
using Watcher = std::function<void(std::string_view call, bool from_executor,
                                   const google::protobuf::Message& message)>;

// One connection of an executor, as a test sees it from the server's side: it reads what the
// executor said, and says what the script wants.
//
// Thread-safe.
class FakeConnection {
 public:
  // Everything that was said on this connection, in its order.
  struct Said {
    inputs::v1::Hello hello;
    std::vector<inputs::v1::Started> started;
    std::vector<inputs::v1::Ack> acks;
    std::vector<inputs::v1::Nack> nacks;
    std::vector<inputs::v1::Progress> progress;
    std::vector<inputs::v1::Checkpoint> checkpoints;
    std::vector<inputs::v1::HandlerStatus> handler_states;
    std::vector<uint32_t> credits;
    std::vector<uint64_t> pings;
    std::vector<uint64_t> pongs;
    std::vector<std::string> access_tokens;
    int frames = 0;
    bool hung_up = false;  // The executor says nothing more.
  };

  // Waits until `enough` is true of what was said; false when it is not within kPatience.
  bool Await(const std::function<bool(const Said&)>& enough);
  Said said();

  void Send(const inputs::v1::PullResponse& frame);
  // Ends the connection.
  void Close(const grpc::Status& status);
  // Whether pings are answered. True at first.
  void AnswerPings(bool answer);
  // Whether hand-backs are confirmed. True at first.
  void ConfirmNacks(bool confirm);

  // Shorter words for what most scripts say.
  void Welcome(absl::Duration ping_interval = absl::Seconds(2),
               absl::Duration grace = absl::Seconds(20));
  void SendTasks(const std::vector<inputs::v1::Dispatch>& tasks);
  void SendControl(const std::string& task_id, uint32_t dispatch, inputs::v1::HandlerAction action,
                   uint32_t number = 0);
  void Confirm(const std::vector<inputs::v1::Ack>& acks);

 private:
  friend class FakeServices;
  class Reactor;

  void Note(const inputs::v1::PullRequest& frame);
  // Takes the next frame to write, if nobody writes.
  bool TakeFrame(inputs::v1::PullResponse& frame);

  Watcher watch_;  // Empty, or set before anything is said.

  platform::Mutex mu_;
  platform::CondVar changed_;
  Said said_ ABSL_GUARDED_BY(mu_);
  bool answer_pings_ ABSL_GUARDED_BY(mu_) = true;
  bool confirm_nacks_ ABSL_GUARDED_BY(mu_) = true;
  Reactor* reactor_ ABSL_GUARDED_BY(mu_) = nullptr;  // Until it is finished.
  std::deque<inputs::v1::PullResponse> to_send_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
};

// An Inputs and an Outputs that do what a test tells them, on a port of their own. Inputs leaves
// every connection to the test; Outputs takes every result and gives the receipt `receipt of
// <lease token>`, unless OnPut says otherwise.
//
// Thread-safe, but for Stop and Start.
class FakeServices {
 public:
  FakeServices();
  // Where somebody else says. Null when one cannot listen there.
  static std::unique_ptr<FakeServices> At(const std::string& address, Watcher watch);
  ~FakeServices();

  const std::string& address() const { return address_; }
  // The next connection of an executor, with its hello read; null when none comes within kPatience.
  std::shared_ptr<FakeConnection> NextConnection();
  // How many connections there were.
  int connections();

  using PutScript =
      std::function<grpc::Status(const outputs::v1::PutRequest&, outputs::v1::PutResponse&)>;
  // What Outputs does instead of taking everything. Null: takes everything again.
  void OnPut(PutScript script);
  // Takes every result.
  grpc::Status TakeAll(const outputs::v1::PutRequest& request, outputs::v1::PutResponse& response);
  // Waits until Outputs holds the result that came with this lease token; false when it does not
  // within kPatience.
  bool AwaitResult(const std::string& lease_token, std::string* data = nullptr);
  using PutItemsScript = std::function<grpc::Status(const outputs::v1::PutItemsRequest&,
                                                    outputs::v1::PutItemsResponse&)>;
  // The same for items: null takes those that follow upon what is there.
  void OnPutItems(PutItemsScript script);
  grpc::Status TakeItems(const outputs::v1::PutItemsRequest& request,
                         outputs::v1::PutItemsResponse& response);
  // The items that were taken with this lease token.
  std::vector<std::string> items(const std::string& lease_token);
  // The result that Outputs was given with this lease token came with so many items.
  uint64_t item_count(const std::string& lease_token);

  // Results in each Put so far.
  std::vector<int> put_sizes();

  // As a process that is killed, and one that comes back on the same port.
  void Stop();
  void Start();

 private:
  class Inputs;
  class Outputs;

  FakeServices(std::string address, Watcher watch);
  bool Listen();

  const Watcher watch_;
  std::unique_ptr<Inputs> inputs_;
  std::unique_ptr<Outputs> outputs_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;

  platform::Mutex mu_;
  platform::CondVar changed_;
  std::deque<std::shared_ptr<FakeConnection>> waiting_ ABSL_GUARDED_BY(mu_);
  int connections_ ABSL_GUARDED_BY(mu_) = 0;
  PutScript put_script_ ABSL_GUARDED_BY(mu_);
  PutItemsScript put_items_script_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, std::vector<std::string>> items_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, uint64_t> item_counts_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, std::string> results_ ABSL_GUARDED_BY(mu_);
  std::vector<int> put_sizes_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kantoku::testing

#endif  // KANTOKU_TESTS_SUPPORT_FAKE_SERVICES_H_
