#include "services/platform/tls/client_files.h"

#include <map>
#include <memory>
#include <thread>
#include <utility>

#include "services/platform/clock.h"
#include "services/platform/mutex.h"
#include "services/platform/status.h"
#include "services/platform/tls/certificate_keeper.h"
#include "services/platform/tls/certificate_source.h"

namespace kantoku::platform {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(1);

absl::StatusOr<std::unique_ptr<CertificateKeeper>> OpenKeeper(const ClientFiles& files,
                                                              absl::Time now) {
  std::unique_ptr<CertificateSource> source;
  if (!files.certificate_file.empty()) {
    source = MakeCertificateFiles(files.certificate_file, files.key_file);
  }
  return CertificateKeeper::Open(
      {.authorities_file = files.ca_file, .authorities = files.authorities}, std::move(source),
      now);
}

// All that this process watches. Lives for ever, and so does its thread.
class Watch {
 public:
  static Watch& OfProcess() {
    static Watch& watch = *new Watch;
    return watch;
  }

  absl::StatusOr<LiveFiles> Add(const ClientFiles& files) {
    const absl::Time now = Clock::Real().Read().wall;
    KANTOKU_ASSIGN_OR_RETURN(auto fresh, OpenKeeper(files, now));
    MutexLock lock(mutex_);
    std::unique_ptr<CertificateKeeper>& keeper = keepers_[files];
    if (keeper == nullptr) {
      keeper = std::move(fresh);
    } else {
      keeper->Refresh(now);
    }
    return LiveFiles{.authorities = keeper->authorities_file(), .identity = keeper->live_file()};
  }

 private:
  Watch() {
    std::thread([this] { Run(); }).detach();
  }

  void Run() {
    MutexLock lock(mutex_);
    while (true) {
      const Now now = Clock::Real().Read();
      for (const auto& [files, keeper] : keepers_) keeper->Refresh(now.wall);
      Clock::Real().Wait(mutex_, never_, now.steady + kInterval);
    }
  }

  Mutex mutex_;
  CondVar never_;
  std::map<ClientFiles, std::unique_ptr<CertificateKeeper>> keepers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<LiveFiles> WatchClientFiles(const ClientFiles& files) {
  return Watch::OfProcess().Add(files);
}

}  // namespace kantoku::platform
