#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/src/fake_server.h"
#include "services/platform/status.h"

// Limits and pauses, which are kept and not looked at.
namespace kantoku {

absl::StatusOr<Connection::SetLimitsAnswer> FakeKantoku::Server::SetLimits(
    SetLimitsRequest request) {
  platform::MutexLock lock(mutex_);
  std::vector<Limit>& limits = limits_[request.namespace_name];
  const auto erase = [&](const LimitName& name) {
    return std::erase_if(limits, [&](const Limit& limit) { return limit.name == name; }) > 0;
  };
  SetLimitsAnswer answer;
  for (Limit& limit : request.set) {
    erase(limit.name);
    limits.push_back(std::move(limit));
    answer.set.push_back(absl::OkStatus());
  }
  for (const LimitName& name : request.remove) {
    answer.removed.push_back(
        erase(name)
            ? absl::OkStatus()
            : platform::Error(absl::StatusCode::kNotFound, "NO_SUCH_LIMIT",
                              absl::StrCat("remove.key: nothing is set for \"", name.key, "\"")));
  }
  return answer;
}

absl::StatusOr<Connection::LimitPage> FakeKantoku::Server::ListLimits(ListLimitsRequest request) {
  platform::MutexLock lock(mutex_);
  LimitPage page;
  for (const Limit& limit : limits_[request.namespace_name])
    page.limits.push_back({.limit = limit});
  return page;
}

absl::Status FakeKantoku::Server::SetPause(SetPauseRequest request) {
  platform::MutexLock lock(mutex_);
  const auto key = std::make_pair(request.namespace_name, request.pause.type);
  if (request.paused) {
    pauses_[key] = request.pause.reason;
    return absl::OkStatus();
  }
  if (pauses_.erase(key) > 0) return absl::OkStatus();
  return platform::Error(absl::StatusCode::kNotFound, "NO_SUCH_PAUSE",
                         absl::StrCat("type: \"", request.pause.type, "\" is not paused"));
}

absl::StatusOr<std::vector<TypePause>> FakeKantoku::Server::ListPauses(ListPausesRequest request) {
  platform::MutexLock lock(mutex_);
  std::vector<TypePause> pauses;
  for (const auto& [key, reason] : pauses_) {
    if (key.first == request.namespace_name) pauses.push_back({key.second, reason});
  }
  return pauses;
}

}  // namespace kantoku
