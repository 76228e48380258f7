#ifndef KANTOKU_TESTS_CONFORMANCE_COMMAND_CALL_LOG_H_
#define KANTOKU_TESTS_CONFORMANCE_COMMAND_CALL_LOG_H_

#include <google/protobuf/message.h>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/channel.h"

namespace kantoku::conformance {

// A message on one line, of each value in it the beginning. What gives rights to whoever has it
// (tokens, grants, receipts) is left out, and all that the answers tell of others who use the
// target (its executors and pauses): reports are shown around.
std::string TextForReport(const google::protobuf::Message& message);

// The last calls of a channel as text, so that a failure can show the request that led to it. Of
// each call, and of each value in it, the beginning alone is kept.
//
// Thread-safe. Lives as long as the channel.
class CallLog {
 public:
  // For ChannelOptions: notes the calls of that channel.
  platform::MakeCallInterceptor Interceptor();

  // Notes what was said in another way than by a call of the channel.
  void Note(std::string_view who, std::string_view call, const google::protobuf::Message& message);

  // Forgets all calls; those that are still at work are not noted any more.
  void Clear();
  // "Scan {…} -> OK {…}", the newest last.
  std::vector<std::string> Last() const;

 private:
  class Noter;
  struct Call {
    std::string method;
    std::string request;
    std::string answer;
    std::string status;  // Empty: it is still at work.
    bool is_note = false;
  };

  std::shared_ptr<Call> Begin(Call begun);
  static void Append(std::string& kept, std::string_view text, size_t limit);
  void Add(std::string Call::*field, Call& call, std::string_view text, size_t limit);

  mutable platform::Mutex mu_;
  std::deque<std::shared_ptr<Call>> calls_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kantoku::conformance

#endif  // KANTOKU_TESTS_CONFORMANCE_COMMAND_CALL_LOG_H_
