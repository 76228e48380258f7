#include "tests/chaos/soak/proxy.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <list>
#include <random>
#include <utility>

#include "services/platform/check.h"
#include "tests/chaos/soak/journal.h"
#include "tests/chaos/soak/proxy_connection.h"
#include "tests/chaos/soak/sockets.h"

namespace kantoku::soak {

struct Proxy::Link {
  std::string address;
  uint16_t target = 0;
  int listener = -1;
  LinkMood mood;
  LinkDeeds deeds;
};

// All connections, on one thread.
class Proxy::Loop {
 public:
  explicit Loop(Proxy& proxy) : proxy_(proxy), random_(proxy.seed_) {}

  void Run() {
    while (!proxy_.stopping_) {
      std::vector<pollfd> fds = {{proxy_.wake_fd_, POLLIN, 0}};
      const absl::Duration next = Prepare(fds);
      const absl::Duration pause = std::clamp(next - Steady(), absl::ZeroDuration(), kLongest);
      ::poll(fds.data(), fds.size(),
             static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(pause, absl::Milliseconds(1)))));
      uint64_t ignored = 0;
      while (::read(proxy_.wake_fd_, &ignored, sizeof(ignored)) > 0) {
      }
      Work(fds);
    }
  }

 private:
  static constexpr absl::Duration kLongest = absl::Seconds(1);

  struct Traveller {
    size_t link = 0;
    std::unique_ptr<ProxyConnection> connection;
  };

  // What to poll for, and when to look again at the latest.
  absl::Duration Prepare(std::vector<pollfd>& fds) {
    platform::MutexLock lock(proxy_.mu_);
    absl::Duration next = absl::InfiniteDuration();
    listeners_ = proxy_.links_.size();
    for (const auto& link : proxy_.links_) fds.push_back({link->listener, POLLIN, 0});
    for (Traveller& traveller : travellers_) {
      Link& link = *proxy_.links_[traveller.link];
      next = std::min(next, traveller.connection->Prepare(link.mood, fds));
    }
    return next;
  }

  void Work(const std::vector<pollfd>& fds) {
    platform::MutexLock lock(proxy_.mu_);
    size_t at = 1 + listeners_;
    for (Traveller& traveller : travellers_) {
      Link& link = *proxy_.links_[traveller.link];
      traveller.connection->Work({&fds[at], ProxyConnection::kFds}, link.mood, link.deeds);
      at += ProxyConnection::kFds;
    }
    travellers_.remove_if([](const Traveller& one) { return one.connection->over(); });
    for (size_t i = 0; i < listeners_; ++i) {
      if (fds[1 + i].revents != 0) Accept(i, *proxy_.links_[i]);
    }
  }

  void Accept(size_t number, Link& link) {
    const int client = AcceptConnection(link.listener);
    if (client < 0) return;
    ++link.deeds.connections;
    if (link.mood.cut == LinkMood::Cut::kReset) {
      ++link.deeds.resets;
      return ResetSocket(client);
    }
    absl::Duration half_close = absl::InfiniteDuration();
    if (link.mood.half_close_after < absl::InfiniteDuration()) {
      std::exponential_distribution<double> wait(1 /
                                                 absl::ToDoubleSeconds(link.mood.half_close_after));
      half_close = Steady() + absl::Seconds(wait(random_));
    }
    travellers_.push_back({number, std::make_unique<ProxyConnection>(
                                       client, link.target, half_close, random_() % 2 == 0)});
  }

  Proxy& proxy_;
  std::mt19937_64 random_;
  size_t listeners_ = 0;  // That the last Prepare polled for.
  std::list<Traveller> travellers_;
};

Proxy::Proxy(uint64_t seed) : seed_(seed) {
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  KANTOKU_CHECK(wake_fd_ >= 0);
  thread_ = std::thread([this] { Loop(*this).Run(); });
}

Proxy::~Proxy() {
  stopping_ = true;
  Wake();
  thread_.join();
  for (const auto& link : links_) ::close(link->listener);
  ::close(wake_fd_);
}

size_t Proxy::AddLink(const std::string& target) {
  auto link = std::make_unique<Link>();
  link->target = PortOf(target);
  const Listener listener = Listen();
  link->listener = listener.socket;
  link->address = listener.address;
  platform::MutexLock lock(mu_);
  links_.push_back(std::move(link));
  Wake();
  return links_.size() - 1;
}

std::string Proxy::address(size_t link) const {
  platform::MutexLock lock(mu_);
  return links_[link]->address;
}

void Proxy::SetMood(size_t link, const LinkMood& mood) {
  platform::MutexLock lock(mu_);
  links_[link]->mood = mood;
  Wake();
}

LinkMood Proxy::mood(size_t link) const {
  platform::MutexLock lock(mu_);
  return links_[link]->mood;
}

LinkDeeds Proxy::deeds(size_t link) const {
  platform::MutexLock lock(mu_);
  return links_[link]->deeds;
}

void Proxy::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof(one));
}

}  // namespace kantoku::soak
