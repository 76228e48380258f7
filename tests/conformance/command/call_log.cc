#include "tests/conformance/command/call_log.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/platform/rpc/grpc_status.h"

namespace kantoku::conformance {
namespace {

using google::protobuf::Message;
using google::protobuf::MethodDescriptor;
using grpc::experimental::InterceptionHookPoints;

constexpr size_t kCalls = 6;
constexpr size_t kRequestBytes = 600;
constexpr size_t kAnswerBytes = 300;
constexpr size_t kValueBytes = 40;

std::string TextOf(const Message& message) {
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.SetUseShortRepeatedPrimitives(true);
  printer.SetTruncateStringFieldLongerThan(kValueBytes);
  std::string text;
  printer.PrintToString(message, &text);
  if (text.ends_with(' ')) text.pop_back();
  return text;
}

// "/package.Service/Method"
const MethodDescriptor* FindMethod(const std::string& path) {
  return google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(
      absl::StrReplaceAll(path.substr(1), {{"/", "."}}));
}

// Of what goes out; empty where it is of no type that this program knows.
std::string RequestText(const MethodDescriptor* method, const grpc::ByteBuffer& bytes) {
  if (method == nullptr) return "";
  const std::unique_ptr<Message> message(google::protobuf::MessageFactory::generated_factory()
                                             ->GetPrototype(method->input_type())
                                             ->New());
  grpc::ByteBuffer copy(bytes);
  grpc::ProtoBufferReader reader(&copy);
  return message->ParseFromZeroCopyStream(&reader) ? TextOf(*message) : "";
}

std::string StatusText(const grpc::Status& status) {
  return status.ok() ? "OK" : platform::FromGrpc(status).ToString();
}

}  // namespace

// Notes one call.
class CallLog::Noter final : public grpc::experimental::Interceptor {
 public:
  Noter(CallLog& log, const std::string& path)
      : log_(log),
        method_(FindMethod(path)),
        call_(log.Begin(method_ != nullptr ? method_->name() : path)) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE)) {
      log_.Add(&Call::request, *call_, RequestText(method_, *methods->GetSerializedSendMessage()),
               kRequestBytes);
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_MESSAGE) &&
        methods->GetRecvMessage() != nullptr && method_ != nullptr) {
      // All messages of our stubs are of generated classes, which have one base.
      const auto* const answer = static_cast<const Message*>(methods->GetRecvMessage());
      log_.Add(&Call::answer, *call_, TextOf(*answer), kAnswerBytes);
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_STATUS)) {
      log_.Add(&Call::status, *call_, StatusText(*methods->GetRecvStatus()), kAnswerBytes);
    }
    methods->Proceed();
  }

 private:
  CallLog& log_;
  const MethodDescriptor* const method_;
  const std::shared_ptr<Call> call_;
};

platform::MakeCallInterceptor CallLog::Interceptor() {
  return [this](const std::string& path) { return std::make_unique<Noter>(*this, path); };
}

void CallLog::Clear() {
  const platform::MutexLock lock(mu_);
  calls_.clear();
}

std::vector<std::string> CallLog::Last() const {
  const platform::MutexLock lock(mu_);
  std::vector<std::string> texts;
  for (const auto& call : calls_) {
    texts.push_back(absl::StrCat(call->method, " {", call->request, "} -> ",
                                 call->status.empty() ? "not ended" : call->status,
                                 call->answer.empty() ? "" : " {", call->answer,
                                 call->answer.empty() ? "" : "}"));
  }
  return texts;
}

std::shared_ptr<CallLog::Call> CallLog::Begin(std::string method) {
  auto call = std::make_shared<Call>(Call{.method = std::move(method)});
  const platform::MutexLock lock(mu_);
  calls_.push_back(call);
  if (calls_.size() > kCalls) calls_.pop_front();
  return call;
}

void CallLog::Add(std::string Call::*field, Call& call, std::string_view text, size_t limit) {
  const platform::MutexLock lock(mu_);
  std::string& kept = call.*field;
  if (kept.size() >= limit) return;  // Its end says that there is more.
  if (!kept.empty()) kept += " + ";
  kept += text.substr(0, limit - std::min(limit, kept.size()));
  if (kept.size() >= limit) kept += "...";
}

}  // namespace kantoku::conformance
