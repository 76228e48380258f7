#ifndef KANTOKU_SERVICES_PLATFORM_RPC_FORWARDER_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_FORWARDER_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/impl/codegen/serialization_traits.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/platform/auth/mac.h"
#include "services/platform/check.h"
#include "services/platform/clock.h"
#include "services/platform/mutex.h"
#include "services/platform/replicas/replica_directory.h"
#include "services/platform/rpc/call_queue.h"
#include "services/platform/rpc/gate.h"
#include "services/platform/rpc/grpc_status.h"

namespace kantoku::platform {

// Whether another replica has forwarded the call here. It is not to be forwarded again: two who
// each take the other for the owner would play ball with it.
inline bool IsForwarded(const Call& call) { return call.forwarded_to().has_value(); }

// The answer to a forwarded call about what is not here (UNAVAILABLE, NOT_OWNER), and to one that
// there is nobody to forward to: whoever asked repeats it. `what` is "partition 3".
absl::Status NotHere(std::string_view what);

// A message as gRPC would send it.
template <typename Message>
grpc::ByteBuffer BytesOf(const Message& message) {
  grpc::ByteBuffer bytes;
  bool owned = false;
  KANTOKU_CHECK(grpc::SerializationTraits<Message>::Serialize(message, &bytes, &owned).ok());
  return bytes;
}
template <typename Message>
grpc::Slice SliceOf(const Message& message) {
  grpc::Slice slice;
  KANTOKU_CHECK(BytesOf(message).DumpToSingleSlice(&slice).ok());
  return slice;
}
inline std::string_view ViewOf(const grpc::Slice& slice) {
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

// Has calls answered by other replicas, as whoever made them: with the tokens that they show, their
// deadline, and the mark that IsForwarded sees; no other metadata. What the other one says is
// passed on as it is: message by message, and in the end its status with its reason. A refusal
// among these is ToldElsewhere (refusal.h): the audit trail has it once, from the one that has
// refused.
//
// A call that could not reach the other one, or lost it, is UNAVAILABLE, and may have been carried
// out. When the caller leaves, or its call ends, a call with one answer is cancelled over there.
//
// Thread-safe. Owns a queue with a thread, and a connection to each replica.
class Forwarder {
 public:
  // Makes a channel to an address. Its errors become those of the calls.
  using Connect =
      std::function<absl::StatusOr<std::shared_ptr<grpc::Channel>>(const std::string& address)>;

  // Keys and clock outlive it.
  Forwarder(Connect connect, const MacKeys& keys, Clock& clock);
  ~Forwarder();
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  // Who answers, and for which of its partitions: requests do not all say that by themselves.
  struct Target {
    std::string address;
    uint32_t partition = 0;
  };

  // One call with one answer: `path` is "/kantoku.inputs.v1.InputsService/Control". The call and
  // the response live until `done`, which is called once, on the forwarder's thread, where it must
  // not block, or, for what cannot begin, before this returns. An Encoded response is not parsed,
  // and a Received request leaves as it came, with text that is no UTF-8: who has only the message
  // of one has checked it (CheckReceived).
  template <typename Request, typename Response>
  void Forward(const grpc::ServerContextBase& call, const std::string& path, const Target& target,
               const Request& request, Response* response,
               absl::AnyInvocable<void(const absl::Status&)> done) {
    ForwardBytes(
        call, path, target, BytesOf(request),
        [response, done = std::move(done)](absl::Status status, grpc::ByteBuffer& answer) mutable {
          if (status.ok()) {
            status = FromGrpc(grpc::SerializationTraits<Response>::Deserialize(&answer, response));
          }
          done(status);
        });
  }

  // These are the others now: whoever was one and is none any more is given up.
  void SetOthers(const std::vector<Replica>& others);
  // Nobody answers at this address any more: what is under way there, or would go there until it is
  // one of the others again, ends as UNAVAILABLE, OWNER_LEFT, without waiting until the connection
  // is found to be silent.
  void GiveUp(const std::string& address);

  // Relays (relay.h) end as UNAVAILABLE, DRAINING, those to come as well; other calls go on.
  void Drain();

  // The same for every call, then waits for the end of all. Idempotent. Not from `done` or a
  // function of a relay's receiver.
  void Stop();

 private:
  friend class Relay;

  // A call that is under way at another replica.
  class Outgoing {
   public:
    enum class Kind { kUnary, kRelay };
    explicit Outgoing(Kind kind) : kind_(kind) {}
    // Lets it end soon. From any thread, at any time between Begin and Settle; calls nothing back.
    virtual void CutOff() = 0;

   protected:
    ~Outgoing() = default;

   private:
    friend class Forwarder;
    const Kind kind_;
    // Under the forwarder's lock.
    std::string address_;
    absl::Status cut_;  // Why it was cut off; OK: it was not.
  };
  class UnaryCall;
  using AnswerDone = absl::AnyInvocable<void(absl::Status, grpc::ByteBuffer& answer)>;

  // Gives the context what a forwarded call shows, and the deadline. `token`: as Relay::Open.
  void PassOn(const grpc::ServerContextBase& call, uint32_t partition, grpc::ClientContext& context,
              std::string_view token = {}) const;

  void ForwardBytes(const grpc::ServerContextBase& call, const std::string& path,
                    const Target& target, const grpc::ByteBuffer& request, AnswerDone done);

  // The call begins, and may be cut off from now on; returns the channel that it takes. After an
  // error it has not begun, and is told so.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> Begin(Outgoing& call, const std::string& address);
  // It has ended with `status`, and is not cut off any more; returns what its caller is told.
  absl::Status Settle(Outgoing& call, const absl::Status& status);
  // Its caller was told. The last thing.
  void Ended() { queue_.CallEnded(); }

  absl::Status MayBegin(const Outgoing& call, const std::string& address) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::shared_ptr<grpc::Channel>> ChannelTo(const std::string& address);
  void CutOffWhere(absl::FunctionRef<bool(const Outgoing&)> applies, const absl::Status& why)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Connect connect_;
  const MacKeys& keys_;
  Clock& clock_;
  CallQueue queue_;

  Mutex mutex_;
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_ ABSL_GUARDED_BY(mutex_);
  std::set<Outgoing*> calls_ ABSL_GUARDED_BY(mutex_);
  // By address.
  std::set<std::string> others_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> given_up_ ABSL_GUARDED_BY(mutex_);
  // Why none begins any more; OK: it may.
  absl::Status no_relays_ ABSL_GUARDED_BY(mutex_);
  absl::Status no_calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_FORWARDER_H_
