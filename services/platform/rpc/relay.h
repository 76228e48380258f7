#ifndef KANTOKU_SERVICES_PLATFORM_RPC_RELAY_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_RELAY_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/client_call.h"
#include "services/platform/rpc/forwarder.h"

namespace kantoku::platform {

// Where a stream is relayed to: the method of that path in gRPC, at another replica.
struct RelayTarget {
  std::string path;
  Forwarder::Target replica;
};

// Our side of a stream that another replica answers for a stream of ours: a bidirectional one, or,
// with one message and Finish, one that answers a single request. Messages pass as bytes. The call
// leaves with the first of them, or with Finish.
//
// Guarantees: messages arrive in the order of Write, and no more is taken while kMaxPendingBytes
// have not left; the receiver's functions are called one at a time, on the forwarder's thread,
// where they must not block; OnRelayEnded last and once. While it is paused nothing is read, so
// that the other one waits.
//
// Thread-safe. Owns itself until OnRelayEnded has returned; others hold it by shared_ptr, so that a
// call on a relay that has ended is harmless. The forwarder outlives it until then.
class Relay final : public std::enable_shared_from_this<Relay>,
                    private Forwarder::Outgoing,
                    private ClientStream::Handler {
 public:
  static constexpr size_t kMaxPendingBytes = size_t{1} << 20;

  class Receiver {
   public:
    virtual ~Receiver() = default;
    // A message came, encoded; it may be kept by copying alone.
    virtual void OnRelayed(std::string_view message) = 0;
    // After Write has taken nothing: half of the room is free again.
    virtual void OnRelayWritable() = 0;
    // OK: the other one has said everything. Else as Forwarder says, or CANCELLED after Cancel.
    // What waited to be written or read then is dropped.
    virtual void OnRelayEnded(const absl::Status& status) = 0;
  };

  // Opens the stream of `path` at the target as whoever made `call` does, whose tokens and deadline
  // are read before this returns; `token` is shown instead of that of the call, unless it is empty.
  // That he leaves is for others to notice. A relay that cannot
  // begin, as after Forwarder::Stop, ends before this returns.
  static std::shared_ptr<Relay> Open(Forwarder& forwarder, const grpc::ServerContextBase& call,
                                     const std::string& path, const Forwarder::Target& target,
                                     std::shared_ptr<Receiver> receiver,
                                     std::string_view token = {});
  ~Relay() = default;

  // The next message. False: too much waits already; nothing was taken, and OnRelayWritable will be
  // called unless the relay ends. What comes after the end, or after Finish, is dropped.
  bool Write(std::string_view message);
  // Nothing more is written. Idempotent.
  void Finish();
  // After the message that is being received, if there is one, none is, until Resume. Nor is the
  // other one's end seen.
  void PauseReading();
  void ResumeReading();
  // Ends soon, as CANCELLED; nothing is received any more. Idempotent.
  void Cancel();

 private:
  Relay(Forwarder& forwarder, std::shared_ptr<Receiver> receiver);

  void CutOff() override { Cancel(); }
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const absl::Status& status) override;

  // Starts whatever may start: a read, a write, or the end of what is written. Called after every
  // change of state.
  void Advance();
  bool TakeRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool TakeWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool TakeFinish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Deliver();

  Forwarder& forwarder_;
  ClientBidiStream<grpc::ByteBuffer, grpc::ByteBuffer> stream_;
  std::shared_ptr<Receiver> receiver_;  // Of the forwarder's thread.

  // Belong to gRPC while reading_ or writing_.
  grpc::ByteBuffer received_;
  grpc::ByteBuffer written_;

  Mutex mutex_;
  std::shared_ptr<Relay> self_ ABSL_GUARDED_BY(mutex_);  // From Open to OnDone.
  std::deque<grpc::Slice> pending_ ABSL_GUARDED_BY(mutex_);
  size_t pending_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // With the message on its way.
  size_t written_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // Of the message on its way.
  bool open_ ABSL_GUARDED_BY(mutex_) = false;         // Operations may start.
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;
  bool refused_ ABSL_GUARDED_BY(mutex_) = false;    // OnRelayWritable is owed.
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;  // Nothing more is to be written.
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;   // And the other one is told so.
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;  // Nothing more comes, and no operation starts.
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_RELAY_H_
