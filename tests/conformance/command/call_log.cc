#include "tests/conformance/command/call_log.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>
#include <iterator>
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

constexpr std::string_view kSecrets[] = {"lease_token", "read_grant", "read_grants",
                                         "receipt",     "task_token", "access_token"};
constexpr std::string_view kOfOthers[] = {"kantoku.inputs.v1.ListExecutorsResponse",
                                          "kantoku.inputs.v1.ListPausesResponse"};

void ClearSecrets(Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const auto* const field : fields) {
    if (std::ranges::find(kSecrets, field->name()) != std::end(kSecrets)) {
      reflection.ClearField(&message, field);
    } else if (field->message_type() == nullptr) {
      continue;
    } else if (!field->is_repeated()) {
      ClearSecrets(*reflection.MutableMessage(&message, field));
    } else {
      for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
        ClearSecrets(*reflection.MutableRepeatedMessage(&message, field, i));
      }
    }
  }
}

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
  return message->ParseFromZeroCopyStream(&reader) ? TextForReport(*message) : "";
}

std::string StatusText(const grpc::Status& status) {
  return status.ok() ? "OK" : platform::FromGrpc(status).ToString();
}

}  // namespace

std::string TextForReport(const Message& message) {
  const std::string& type = message.GetDescriptor()->full_name();
  if (std::ranges::find(kOfOthers, type) != std::end(kOfOthers)) return "(left out)";
  const std::unique_ptr<Message> shown(message.New());
  shown->CopyFrom(message);
  ClearSecrets(*shown);
  return TextOf(*shown);
}

// Notes one call.
class CallLog::Noter final : public grpc::experimental::Interceptor {
 public:
  Noter(CallLog& log, const std::string& path)
      : log_(log),
        method_(FindMethod(path)),
        call_(log.Begin({.method = method_ != nullptr ? method_->name() : path})) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE)) {
      log_.Add(&Call::request, *call_, RequestText(method_, *methods->GetSerializedSendMessage()),
               kRequestBytes);
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_MESSAGE) &&
        methods->GetRecvMessage() != nullptr && method_ != nullptr) {
      // All messages of our stubs are of generated classes, which have one base.
      const auto* const answer = static_cast<const Message*>(methods->GetRecvMessage());
      log_.Add(&Call::answer, *call_, TextForReport(*answer), kAnswerBytes);
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

void CallLog::Note(std::string_view who, std::string_view call, const Message& message) {
  std::string text;
  Append(text, TextForReport(message), kRequestBytes);
  Begin({.method = absl::StrCat(std::string(who), ": ", std::string(call)),
         .request = std::move(text),
         .is_note = true});
}

void CallLog::Clear() {
  const platform::MutexLock lock(mu_);
  calls_.clear();
}

std::vector<std::string> CallLog::Last() const {
  const platform::MutexLock lock(mu_);
  std::vector<std::string> texts;
  for (const auto& call : calls_) {
    if (call->is_note) {
      texts.push_back(absl::StrCat(call->method, " {", call->request, "}"));
      continue;
    }
    texts.push_back(absl::StrCat(call->method, " {", call->request, "} -> ",
                                 call->status.empty() ? "not ended" : call->status,
                                 call->answer.empty() ? "" : " {", call->answer,
                                 call->answer.empty() ? "" : "}"));
  }
  return texts;
}

std::shared_ptr<CallLog::Call> CallLog::Begin(Call begun) {
  auto call = std::make_shared<Call>(std::move(begun));
  const platform::MutexLock lock(mu_);
  calls_.push_back(call);
  if (calls_.size() > kCalls) calls_.pop_front();
  return call;
}

void CallLog::Add(std::string Call::*field, Call& call, std::string_view text, size_t limit) {
  const platform::MutexLock lock(mu_);
  Append(call.*field, text, limit);
}

void CallLog::Append(std::string& kept, std::string_view text, size_t limit) {
  if (kept.size() >= limit) return;  // Its end says that there is more.
  if (!kept.empty()) kept += " + ";
  kept += text.substr(0, limit - std::min(limit, kept.size()));
  if (kept.size() >= limit) kept += "...";
}

}  // namespace kantoku::conformance
