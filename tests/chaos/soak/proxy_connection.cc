#include "tests/chaos/soak/proxy_connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "tests/chaos/soak/journal.h"
#include "tests/chaos/soak/sockets.h"

namespace kantoku::soak {
namespace {

constexpr size_t kMostHeld = size_t{256} << 10;
constexpr absl::Duration kAfterHalfClose = absl::Seconds(1);

}  // namespace

ProxyConnection::ProxyConnection(int client, uint16_t target, absl::Duration half_close_at,
                                 bool upwards)
    : client_(client),
      server_(Connect(target)),
      up_{.from = client_, .to = server_},
      down_{.from = server_, .to = client_},
      half_close_at_(half_close_at),
      upwards_(upwards),
      last_byte_(Steady()) {}

ProxyConnection::~ProxyConnection() {
  if (!over_) Reset();
}

void ProxyConnection::Reset() {
  over_ = true;
  ResetSocket(client_);
  ResetSocket(server_);
}

absl::Duration ProxyConnection::Prepare(const LinkMood& mood, std::vector<pollfd>& fds) const {
  pollfd client = {client_, 0, 0};
  pollfd server = {server_, 0, 0};
  absl::Duration next = std::min(half_close_at_, last_byte_ + mood.idle_limit);
  if (mood.cut != LinkMood::Cut::kSilent) {
    const absl::Duration now = Steady();
    for (const Flow* flow : {&up_, &down_}) {
      pollfd& from = flow == &up_ ? client : server;
      pollfd& to = flow == &up_ ? server : client;
      if (!flow->ended && flow->held < kMostHeld) from.events |= POLLIN;
      if (flow->chunks.empty()) continue;
      if (flow->chunks.front().due <= now) {
        to.events |= POLLOUT;
      } else {
        next = std::min(next, flow->chunks.front().due);
      }
    }
  }
  // Without a wish it is not looked at: an error would wake the loop for ever.
  if (client.events == 0) client.fd = -1;
  if (server.events == 0) server.fd = -1;
  fds.push_back(client);
  fds.push_back(server);
  return next;
}

void ProxyConnection::Work(std::span<const pollfd> fds, const LinkMood& mood, LinkDeeds& deeds) {
  Keep(mood, deeds);
  if (over_ || mood.cut == LinkMood::Cut::kSilent) return;
  const bool client_in = (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
  const bool server_in = (fds[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
  if ((client_in && !Receive(up_, mood, deeds)) || (server_in && !Receive(down_, mood, deeds)) ||
      !Send(up_) || !Send(down_) || (up_.closed && down_.closed)) {
    Reset();
  }
}

// What does not depend on bytes that come.
void ProxyConnection::Keep(const LinkMood& mood, LinkDeeds& deeds) {
  const absl::Duration now = Steady();
  if (mood.cut == LinkMood::Cut::kReset) {
    ++deeds.resets;
    return Reset();
  }
  const bool silent = mood.cut == LinkMood::Cut::kSilent;
  if (silent && !silenced_) ++deeds.silences;
  silenced_ = silent;
  if (now >= last_byte_ + mood.idle_limit) {
    ++deeds.idle_closes;
    return Reset();
  }
  if (now < half_close_at_ || silent) return;
  if (half_closed_) return Reset();
  half_closed_ = true;
  half_close_at_ = now + kAfterHalfClose;
  ++deeds.half_closes;
  Flow& flow = upwards_ ? up_ : down_;
  flow.ended = true;
}

// False when the connection is broken.
bool ProxyConnection::Receive(Flow& flow, const LinkMood& mood, LinkDeeds& deeds) {
  if (flow.ended || flow.held >= kMostHeld) return true;
  std::string data(16 << 10, '\0');
  const ssize_t got = ::recv(flow.from, data.data(), data.size(), 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) {
    flow.ended = true;
    return true;
  }
  data.resize(static_cast<size_t>(got));
  const absl::Duration now = Steady();
  last_byte_ = now;
  flow.free_at = std::max(flow.free_at, now);
  if (mood.bytes_per_second > 0) {
    flow.free_at += absl::Seconds(static_cast<double>(got) / mood.bytes_per_second);
  }
  const absl::Duration due = flow.free_at + mood.latency;
  if (due > now) deeds.delayed += data.size();
  flow.held += data.size();
  flow.chunks.push_back({.data = std::move(data), .due = due});
  return true;
}

bool ProxyConnection::Send(Flow& flow) {
  const absl::Duration now = Steady();
  while (!flow.chunks.empty() && flow.chunks.front().due <= now) {
    Chunk& chunk = flow.chunks.front();
    const ssize_t sent = ::send(flow.to, chunk.data.data() + chunk.sent,
                                chunk.data.size() - chunk.sent, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    chunk.sent += static_cast<size_t>(sent);
    flow.held -= static_cast<size_t>(sent);
    if (chunk.sent < chunk.data.size()) return true;
    flow.chunks.pop_front();
  }
  if (flow.ended && flow.chunks.empty() && !flow.closed) {
    ::shutdown(flow.to, SHUT_WR);
    flow.closed = true;
  }
  return true;
}

}  // namespace kantoku::soak
