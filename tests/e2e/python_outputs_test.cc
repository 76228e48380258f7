// What somebody's own Outputs, the example in Python, lets nobody do who is not who he says.
#include "tests/support/python_outputs.h"

#include <grpcpp/create_channel.h>
#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/clock.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/auth/mac.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "tests/support/temp_dir.h"

namespace kantoku::test {
namespace {

namespace v1 = outputs::v1;
using platform::TaskId;

const platform::SessionId kSession(platform::Uuid::FromBytes("0123456789abcdef").value());

TaskId TaskOf(uint64_t sequence) {
  return TaskId::Make(absl::FromUnixSeconds(1'700'000'000), 3, sequence, 5);
}

platform::Lease LeaseOf(TaskId task, uint32_t dispatch) {
  return {.task = task,
          .dispatch = dispatch,
          .session = kSession,
          .holder = {.subject = "local", .client_id = "local"},
          .name_space = "default",
          .owner = "local",
          .expires = absl::Now() + absl::Hours(1),
          .retention = absl::Hours(24)};
}

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(kPatience));
}

// A call that goes on waiting.
class Await {
 public:
  Await(v1::OutputsService::Stub& stub, const std::vector<TaskId>& tasks) {
    SetDeadline(context_);
    stream_ = stub.Await(&context_);
    v1::AwaitRequest request;
    for (const TaskId task : tasks) request.add_task_ids(std::string(task.bytes()));
    stream_->Write(request);
  }
  ~Await() {
    context_.TryCancel();
    if (!finished_) static_cast<void>(Finish());
  }

  // The next task that has ended; none when the stream has.
  std::optional<TaskId> Next() {
    v1::AwaitResponse response;
    if (!stream_->Read(&response)) return std::nullopt;
    return TaskId::FromBytes(response.results(0).task_id()).value();
  }
  // After Next has found the end, or to leave.
  absl::Status Finish() {
    finished_ = true;
    return platform::FromGrpc(stream_->Finish());
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AwaitRequest, v1::AwaitResponse>> stream_;
  bool finished_ = false;
};

// The program, with keys that this process has as well.
class Subject {
 public:
  const platform::MacKeys& keys() const { return *keys_; }
  std::string Seal(const platform::Lease& lease) const { return SealLease(*keys_, lease); }

  v1::PutResult Put(const std::string& lease, const std::string& data = "x") {
    v1::PutRequest request;
    request.set_session_id(std::string(kSession.bytes()));
    request.add_items()->set_lease_token(lease);
    request.mutable_items(0)->set_data(data);
    v1::PutResponse response;
    grpc::ClientContext context;
    SetDeadline(context);
    REQUIRE(stub_->Put(&context, request, &response).ok());
    REQUIRE(response.results_size() == 1);
    return response.results(0);
  }

  // As whom `identity` says, which stands where services show theirs; empty: as nobody.
  absl::Status Fence(TaskId task, uint32_t dispatch, uint64_t epoch, const std::string& identity) {
    v1::FenceRequest request;
    request.set_epoch(epoch);
    request.add_items()->set_task_id(std::string(task.bytes()));
    request.mutable_items(0)->set_dispatch(dispatch);
    v1::FenceResponse response;
    grpc::ClientContext context;
    SetDeadline(context);
    if (!identity.empty()) context.AddMetadata(platform::kServiceMetadataKey, identity);
    return platform::FromGrpc(stub_->Fence(&context, request, &response));
  }
  absl::Status FenceAsInputs(TaskId task, uint32_t dispatch, uint64_t epoch) {
    return Fence(task, dispatch, epoch, IdentityOf("inputs"));
  }
  std::string IdentityOf(std::string_view service, absl::Duration life = absl::Minutes(5)) const {
    return platform::SealServiceIdentity(*keys_, service, absl::Now() + life);
  }

  v1::OutputsService::Stub& stub() { return *stub_; }
  std::string results() const { return directory_.File("results.sqlite"); }
  std::string mac_keys() const { return directory_.File("mac.keys"); }

  bool HasResult(TaskId task) {
    v1::GetRequest request;
    request.add_task_ids(std::string(task.bytes()));
    v1::GetResponse response;
    grpc::ClientContext context;
    SetDeadline(context);
    REQUIRE(stub_->Get(&context, request, &response).ok());
    return response.results(0).has_result();
  }

 private:
  const TempDir directory_;
  const std::unique_ptr<platform::MacKeys> keys_ =
      platform::MacKeys::LoadOrCreate(mac_keys()).value();
  const PythonOutputs program_{results(), mac_keys()};
  const std::unique_ptr<v1::OutputsService::Stub> stub_ = v1::OutputsService::NewStub(
      grpc::CreateChannel(program_.address(), grpc::InsecureChannelCredentials()));
};

void CheckRefused(const v1::PutResult& result, absl::StatusCode code, const std::string& reason) {
  CHECK(result.status().code() == static_cast<int>(code));
  CHECK(result.status().reason() == reason);
  CHECK(result.receipt().empty());
}

TEST_CASE("Only the genuine lease of a session that lives puts a result") {
  Subject subject;
  const TaskId task = TaskOf(1);
  const std::string lease = subject.Seal(LeaseOf(task, 1));
  const auto check_refused = [&](const std::string& token) {
    CheckRefused(subject.Put(token), absl::StatusCode::kPermissionDenied, "INVALID_LEASE");
    CHECK_FALSE(subject.HasResult(task));
  };
  for (size_t i = 0; i < lease.size(); ++i) {
    CAPTURE(i);
    std::string bent = lease;
    bent[i] = static_cast<char>(bent[i] ^ 1);
    check_refused(bent);
  }
  for (const size_t size : {size_t{0}, size_t{1}, platform::MacKeys::kCodeSize, lease.size() - 1}) {
    CAPTURE(size);
    check_refused(lease.substr(0, size));
  }
  platform::Lease over = LeaseOf(task, 1);
  over.expires = absl::Now() - absl::Seconds(1);
  check_refused(subject.Seal(over));
  platform::Lease of_another = LeaseOf(task, 1);
  of_another.session = platform::SessionId(platform::Uuid::FromBytes("fedcba9876543210").value());
  check_refused(subject.Seal(of_another));
  // Genuine, and for something else.
  check_refused(subject.IdentityOf("inputs"));
  check_refused(platform::SealReceipt(subject.keys(), {.task = task, .dispatch = 1}));

  const v1::PutResult taken = subject.Put(lease);
  CHECK(taken.status().code() == 0);
  const auto receipt = platform::OpenReceipt(subject.keys(), taken.receipt());
  REQUIRE(receipt.ok());
  CHECK(receipt->task == task);
  CHECK(receipt->dispatch == 1);
  CHECK(receipt->status == v1::RESULT_STATUS_SUCCEEDED);
}

TEST_CASE("A fenced dispatch gets nothing in, and no second end takes the place of the first") {
  Subject subject;
  const TaskId task = TaskOf(1);
  REQUIRE(subject.FenceAsInputs(task, 2, 1).ok());
  for (const uint32_t dispatch : {1, 2}) {
    CheckRefused(subject.Put(subject.Seal(LeaseOf(task, dispatch))),
                 absl::StatusCode::kFailedPrecondition, "FENCED");
  }
  CHECK_FALSE(subject.HasResult(task));
  CHECK(subject.Put(subject.Seal(LeaseOf(task, 3))).status().code() == 0);
  const v1::PutResult late = subject.Put(subject.Seal(LeaseOf(task, 4)), "another");
  CheckRefused(late, absl::StatusCode::kAlreadyExists, "HAS_RESULT");
  CHECK(late.winner() == v1::RESULT_STATUS_SUCCEEDED);
}

TEST_CASE("An epoch that is over fences nothing") {
  Subject subject;
  const TaskId task = TaskOf(1);
  REQUIRE(subject.FenceAsInputs(TaskOf(2), 1, 7).ok());
  const absl::Status stale = subject.FenceAsInputs(task, 1, 6);
  CAPTURE(stale.ToString());
  CHECK(stale.code() == absl::StatusCode::kAborted);
  CHECK(platform::ReasonOf(stale) == "STALE_EPOCH");
  CHECK(subject.Put(subject.Seal(LeaseOf(task, 1))).status().code() == 0);
  CHECK(subject.FenceAsInputs(task, 1, 7).ok());
}

TEST_CASE("Nobody but Inputs fences") {
  Subject subject;
  const TaskId task = TaskOf(1);
  std::string bent = subject.IdentityOf("inputs");
  bent.back() = static_cast<char>(bent.back() ^ 1);
  const std::string over = subject.IdentityOf("inputs", -absl::Seconds(1));
  const std::string lease = subject.Seal(LeaseOf(task, 1));
  for (const std::string& identity :
       {std::string(), std::string("x"), bent, over, subject.IdentityOf("outputs"), lease}) {
    const absl::Status refused = subject.Fence(task, 1, 1, identity);
    CAPTURE(refused.ToString());
    CHECK(refused.code() == absl::StatusCode::kPermissionDenied);
    CHECK(platform::ReasonOf(refused) == "NOT_A_SERVICE");
  }
  CHECK(subject.Put(lease).status().code() == 0);
}

TEST_CASE("Those who wait leave room for those who put") {
  Subject subject;
  const TaskId task = TaskOf(1);
  REQUIRE(subject.Put(subject.Seal(LeaseOf(task, 1))).status().code() == 0);
  constexpr int kMaxAwaits = 80;
  std::vector<std::unique_ptr<Await>> awaits;
  for (int i = 0; i < kMaxAwaits; ++i) {
    awaits.push_back(std::make_unique<Await>(subject.stub(), std::vector{task, TaskOf(2)}));
    REQUIRE(awaits.back()->Next() == task);
  }
  Await one_more(subject.stub(), {task});
  CHECK(one_more.Next() == std::nullopt);
  const absl::Status refused = one_more.Finish();
  CHECK(refused.code() == absl::StatusCode::kResourceExhausted);
  CHECK(platform::ReasonOf(refused) == "TOO_MANY_STREAMS");
  REQUIRE(subject.Put(subject.Seal(LeaseOf(TaskOf(2), 1))).status().code() == 0);
  for (const auto& await : awaits) CHECK(await->Next() == TaskOf(2));
}

// Starts the program, which does not serve but says why.
std::string RefusalOf(const std::string& results, const std::string& mac_keys) {
  const auto child = ChildProcess::Start(PythonOutputsAt("127.0.0.1:0", results, mac_keys));
  REQUIRE(child.ok());
  const auto exit = (*child)->AwaitExit();
  REQUIRE(exit.ok());
  CHECK(exit->code == 1);
  std::string said = (*child)->output();
  CHECK_THAT(said, Catch::StartsWith("outputs: "));
  CHECK(std::count(said.begin(), said.end(), '\n') == 1);
  return said;
}

TEST_CASE("A file of keys that keeps nothing secret is refused in one line") {
  const TempDir directory;
  const std::string file = directory.File("mac.keys");
  const auto refusal_of = [&](const std::string& keys, mode_t mode) {
    std::ofstream(file) << keys;
    REQUIRE(::chmod(file.c_str(), mode) == 0);
    return RefusalOf(directory.File("results.sqlite"), file);
  };
  CHECK_THAT(refusal_of("1:" + std::string(64, 'a') + "\n", 0644),
             Catch::Contains("others than its owner"));
  CHECK_THAT(refusal_of("1:aabb\n", 0600), Catch::Contains("fewer than 32 bytes"));
  const std::string swapped = refusal_of(std::string(64, 'a') + ":1\n", 0600);
  CHECK_THAT(swapped, Catch::Contains("not number:secret") && !Catch::Contains("aaaa"));
  CHECK_THAT(refusal_of("# none\n", 0600), Catch::Contains("has no key"));
}

TEST_CASE("A file of results is that of one process") {
  const Subject subject;
  CHECK_THAT(RefusalOf(subject.results(), subject.mac_keys()),
             Catch::Contains("database is locked"));
}

}  // namespace
}  // namespace kantoku::test
