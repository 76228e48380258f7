#ifndef KANTOKU_SERVICES_PLATFORM_RPC_STREAM_WATCH_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_STREAM_WATCH_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
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
// A newer token that nobody can tell good or bad just now, because its issuer's keys are being
// fetched or too many bad ones come from there, ends nothing: the client shows it once, so the
// watch keeps it and tries it again with each look, while the one before lasts.
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

  // Does what is due. To be called several times a second, by one thread.
  void Look(Authenticator& authenticator, const Now& now);

  // The stream shows another token; `peer` says where it comes from. OK: it has taken the place of
  // the one before, unless it ends no later than that, or it is kept, in place of any that was.
  //
  // ABORTED, TOKEN_DIFFERS unless it is of the same caller, who may do the same; else as
  // Authenticator, but for what passes. After an error the stream is to be ended with it.
  absl::Status Show(std::string_view token, absl::FunctionRef<std::string()> peer,
                    Authenticator& authenticator, const Now& now);

  // Whoever serves the stream has ended it by himself: if its client does not let it end, it is
  // cancelled as one that was refused.
  void EndSoon(const Now& now);

  // The stream is gone: when this returns nothing of it is called any more.
  void Forget();

 private:
  // A token that was shown, and from where.
  struct Kept {
    std::string token;
    std::string peer;
  };

  void TryKept(Authenticator& authenticator, const Now& now);
  absl::Status Renew(std::shared_ptr<const Identity> identity, const Now& now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Shown(std::shared_ptr<const Identity> identity, const Now& now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Refuse(const absl::Status& why, const Now& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  Stream* stream_ ABSL_GUARDED_BY(mutex_);                            // Null: it is gone.
  std::shared_ptr<const Identity> identity_ ABSL_GUARDED_BY(mutex_);  // By the newest good token.
  std::shared_ptr<const Kept> kept_ ABSL_GUARDED_BY(mutex_);          // A newer one; null: none.
  absl::Time ask_from_ ABSL_GUARDED_BY(mutex_);
  // Steady times.
  absl::Duration next_ask_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  std::optional<absl::Duration> ending_ ABSL_GUARDED_BY(mutex_);  // Refused, or EndSoon.
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_STREAM_WATCH_H_
