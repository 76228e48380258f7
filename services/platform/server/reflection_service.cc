#include "services/platform/server/reflection_service.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

namespace pb = ::grpc::reflection::v1alpha;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

constexpr char kName[] = "grpc.reflection.v1alpha.ServerReflection";
// Names are short. Protobuf looks for a name that it does not find once for each of its dots, and
// copies the rest each time.
constexpr size_t kMaxRequest = 4096;

// Files that one stream has had.
using Sent = absl::flat_hash_set<const FileDescriptor*>;

void SetNotFound(pb::ServerReflectionResponse& response, const char* what) {
  response.mutable_error_response()->set_error_code(static_cast<int>(absl::StatusCode::kNotFound));
  response.mutable_error_response()->set_error_message(absl::StrCat("unknown ", what));
}

// The file first, then what it imports and the stream has not had.
void AddFile(const FileDescriptor& file, Sent& sent, pb::FileDescriptorResponse& response) {
  sent.insert(&file);
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  response.add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) {
    if (!sent.contains(file.dependency(i))) AddFile(*file.dependency(i), sent, response);
  }
}

void AnswerFile(const FileDescriptor* file, const char* what, Sent& sent,
                pb::ServerReflectionResponse& response) {
  if (file == nullptr) return SetNotFound(response, what);
  AddFile(*file, sent, *response.mutable_file_descriptor_response());
}

void AnswerExtension(const pb::ExtensionRequest& request, Sent& sent,
                     pb::ServerReflectionResponse& response) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  const auto* type = pool.FindMessageTypeByName(request.containing_type());
  if (type == nullptr) return SetNotFound(response, "type");
  const FieldDescriptor* extension = pool.FindExtensionByNumber(type, request.extension_number());
  AnswerFile(extension == nullptr ? nullptr : extension->file(), "extension", sent, response);
}

void AnswerExtensionNumbers(const std::string& name, pb::ServerReflectionResponse& response) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  const auto* type = pool.FindMessageTypeByName(name);
  if (type == nullptr) return SetNotFound(response, "type");
  std::vector<const FieldDescriptor*> extensions;
  pool.FindAllExtensions(type, &extensions);
  auto& numbers = *response.mutable_all_extension_numbers_response();
  numbers.set_base_type_name(name);
  for (const FieldDescriptor* extension : extensions) {
    numbers.add_extension_number(extension->number());
  }
}

void Answer(const pb::ServerReflectionRequest& request, const std::vector<std::string>& services,
            Sent& sent, pb::ServerReflectionResponse& response) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case pb::ServerReflectionRequest::kFileByFilename:
      return AnswerFile(pool.FindFileByName(request.file_by_filename()), "file", sent, response);
    case pb::ServerReflectionRequest::kFileContainingSymbol:
      return AnswerFile(pool.FindFileContainingSymbol(request.file_containing_symbol()), "symbol",
                        sent, response);
    case pb::ServerReflectionRequest::kFileContainingExtension:
      return AnswerExtension(request.file_containing_extension(), sent, response);
    case pb::ServerReflectionRequest::kAllExtensionNumbersOfType:
      return AnswerExtensionNumbers(request.all_extension_numbers_of_type(), response);
    case pb::ServerReflectionRequest::kListServices:
      for (const std::string& name : services) {
        response.mutable_list_services_response()->add_service()->set_name(name);
      }
      return;
    case pb::ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      break;
  }
  response.mutable_error_response()->set_error_code(
      static_cast<int>(absl::StatusCode::kUnimplemented));
  response.mutable_error_response()->set_error_message("nothing that is known here is asked for");
}

}  // namespace

// One conversation: a request is read when the answer to the one before has left.
class ReflectionService::Stream final : public StreamCall::Handler {
 public:
  Stream(const std::vector<std::string>& services, BidiCall<Request, Response>* call)
      : services_(services), call_(call) {}

  // Owns itself from here on.
  void Start() {
    call_->Accept(*this);
    call_->StartRead(&request_);
  }

 private:
  // All of them on the thread of the call's queue, so no lock.
  void OnReadDone(bool ok) override {
    busy_ = false;
    if (!ok || !end_.ok()) return Finish(end_);
    if (request_.ByteSizeLong() > kMaxRequest) {
      return Finish(Error(absl::StatusCode::kInvalidArgument, "TOO_LONG",
                          absl::StrCat("a request of more than ", kMaxRequest, " bytes")));
    }
    response_.Clear();
    Answer(request_, services_, sent_, response_);
    busy_ = true;
    writing_ = true;
    call_->StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    busy_ = false;
    writing_ = false;
    if (!ok) end_.Update(Left());
    if (!end_.ok()) return Finish(end_);
    busy_ = true;
    call_->StartRead(&request_);
  }
  void OnCancel() override {
    end_.Update(Left());
    if (!busy_) Finish(end_);
  }
  void OnRefused(const absl::Status& why) override {
    end_.Update(why);
    if (!writing_) Finish(end_);
  }
  void OnDone() override { delete this; }

  static absl::Status Left() { return absl::CancelledError("the client left"); }

  void Finish(const absl::Status& status) {
    if (!std::exchange(finished_, true)) call_->Finish(status);
  }

  const std::vector<std::string>& services_;
  BidiCall<Request, Response>* const call_;
  Request request_;
  Response response_;
  Sent sent_;
  bool busy_ = true;  // A read or a write is under way.
  bool writing_ = false;
  absl::Status end_;  // Not OK: what it is to end with.
  bool finished_ = false;
};

ReflectionService::ReflectionService(std::vector<std::string> services)
    : Service(kName), services_(std::move(services)) {
  services_.emplace_back(kName);
  Handle("ServerReflectionInfo", &ReflectionService::Open);
}

void ReflectionService::Open(BidiCall<Request, Response>* call) {
  (new Stream(services_, call))->Start();
}

}  // namespace kantoku::platform
