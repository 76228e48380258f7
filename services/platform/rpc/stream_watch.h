#ifndef KANTOKU_SERVICES_PLATFORM_RPC_STREAM_WATCH_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_STREAM_WATCH_H_

#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/clock.h"
#include "services/platform/identity/authenticator.h"
#include "services/platform/identity/identity.h"
#include "services/platform/mutex.h"

namespace kantoku::platform {

// Looks after one open stream: whether whoever opened it is still let in, and that it is asked for
// a newer access token before the one that it has shown ends.
//
// A token is asked for when a fifth of the time that it had left when it was shown is left, a
// minute at most, and again every few seconds. Who shows none is refused some seconds after the
// end; who is refused for another reason, at once; a stream that does not end then is cancelled a
// second later.
//
// Thread-safe. The stream calls Forget before it is gone.
class StreamWatch {
 public:
  // How long a stream outlives its token.
  static constexpr absl::Duration kGrace = absl::Seconds(5);

  // What is watched. Its functions are called by whoever calls Look, with the watch's lock held, so
  // that the stream is still there: they begin something elsewhere, and do not come back here.
  class Stream {
   public:
    // The token that is known is good for so long, about; zero: it has ended. Who cannot ask his
    // client does nothing.
    virtual void WantToken(absl::Duration within) = 0;
    // Ends it with the status that says why. Once.
    virtual void Refuse(const absl::Status& why) = 0;
    // Ends it whatever its client does. May come again.
    virtual void Cancel() = 0;

   protected:
    ~Stream() = default;
  };

  StreamWatch(Stream& stream, std::shared_ptr<const Identity> identity, const Now& now);

  // Does what is due. To be called several times a second.
  void Look(Authenticator& authenticator, const Now& now);

  // The stream has shown a newer token, and this is what it says. ABORTED, TOKEN_DIFFERS unless it
  // is the same caller, who may do the same; then nothing has changed. One that ends before the one
  // that is known changes nothing either.
  absl::Status Renew(std::shared_ptr<const Identity> identity, const Now& now);

  // The stream is gone: when this returns nothing of it is called any more.
  void Forget();

 private:
  void Shown(std::shared_ptr<const Identity> identity, const Now& now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Refuse(const absl::Status& why, const Now& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  Stream* stream_ ABSL_GUARDED_BY(mutex_);                            // Null: it is gone.
  std::shared_ptr<const Identity> identity_ ABSL_GUARDED_BY(mutex_);  // By the newest token.
  absl::Time ask_from_ ABSL_GUARDED_BY(mutex_);
  // Steady times.
  absl::Duration next_ask_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  std::optional<absl::Duration> refused_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_STREAM_WATCH_H_
