#include "services/platform/replicas/partition_keeper.h"

#include <pthread.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/log/log.h"
#include "services/platform/replicas/spread.h"
#include "services/platform/status.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::platform {
namespace {

constexpr size_t kLongestThreadName = 15;

void NameThread(const std::string& name) {
  ::pthread_setname_np(::pthread_self(), name.substr(0, kLongestThreadName).c_str());
}

// As CommitVerdict::kLost: who opens it anew may go on.
bool IsLost(const absl::Status& health) {
  return absl::IsAborted(health) || absl::IsDataLoss(health) || absl::IsFailedPrecondition(health);
}

absl::Status WrongCountError(size_t found, size_t known) {
  return Error(absl::StatusCode::kFailedPrecondition, kPartitionCountDiffers,
               absl::StrCat("the directory has ", found, " partitions, and there are ", known));
}

}  // namespace

PartitionKeeper::PartitionKeeper(Options options, ReplicaDirectory& directory, PartitionHost& host,
                                 Clock& clock)
    : options_(std::move(options)),
      directory_(directory),
      host_(host),
      clock_(clock),
      workers_(options_.partitions),
      last_beat_(Error(absl::StatusCode::kUnavailable, "NOT_STARTED", "no beat yet")),
      slots_(options_.partitions) {
  KANTOKU_CHECK(options_.partitions > 0 && options_.beat < options_.lease);
  view_.owners.resize(options_.partitions);
}

PartitionKeeper::~PartitionKeeper() { Stop(); }

absl::Status PartitionKeeper::Start() {
  thread_ = std::thread([this] { Run(); });
  absl::Status error;
  {
    MutexLock lock(mu_);
    while (start_error_.ok() && (!has_begun_ || AnyIs(State::kOpening))) started_.Wait(mu_);
    error = start_error_;
  }
  if (!error.ok()) Stop();
  return error;
}

bool PartitionKeeper::Drain() {
  MutexLock lock(mu_);
  if (draining_) return true;
  const bool is_alone =
      std::all_of(view_.living.begin(), view_.living.end(),
                  [&](const Replica& replica) { return replica.id == options_.self.id; });
  if (is_alone) return false;
  draining_ = true;
  Wake();
  return true;
}

void PartitionKeeper::Stop() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mu_);
    stopping_ = true;
    Wake();
  }
  thread_.join();
}

PartitionMap::Place PartitionKeeper::Find(uint32_t partition) const {
  KANTOKU_CHECK(partition < options_.partitions);
  MutexLock lock(mu_);
  if (IsOurs(partition)) {
    return {.here = slots_[partition].state == State::kServing && LeaseLasts()};
  }
  const std::string& owner = view_.owners[partition];
  for (const Replica& replica : view_.living) {
    if (replica.id == owner) return {.address = replica.address};
  }
  return {};
}

absl::Status PartitionKeeper::health() const {
  MutexLock lock(mu_);
  if (!last_beat_.ok()) return Annotate(last_beat_, options_.component);
  if (!LeaseLasts()) {
    return Error(absl::StatusCode::kUnavailable, "LEASE_OVER",
                 absl::StrCat(options_.component, ": no beat for ",
                              absl::FormatDuration(options_.lease), " and longer"));
  }
  for (uint32_t partition = 0; partition < options_.partitions; ++partition) {
    const std::string name = PartitionName(options_.component, partition);
    const Slot& slot = slots_[partition];
    if (!slot.health.ok()) return Annotate(slot.health, name);
    if (IsOurs(partition) && slot.state == State::kOpening) {
      return Error(absl::StatusCode::kUnavailable, "PARTITION_OPENING",
                   absl::StrCat(name, " is being opened"));
    }
  }
  return absl::OkStatus();
}

void PartitionKeeper::Run() {
  NameThread(absl::StrCat(options_.component, " beat"));
  absl::Duration next = clock_.Read().steady;
  for (bool is_over = false; !is_over;) {
    const absl::Duration now = clock_.Read().steady;
    if (now >= next) {
      next = now + options_.beat;
      Beat();
    }
    for (uint32_t partition = 0; partition < options_.partitions; ++partition) Tend(partition);
    MutexLock lock(mu_);
    while (!woken_ && clock_.Read().steady < next) clock_.Wait(mu_, wake_, next);
    woken_ = false;
    is_over = stopping_ && AllAreGone();
  }
  for (std::thread& worker : workers_) {
    if (worker.joinable()) worker.join();
  }
  Leave();
}

void PartitionKeeper::Beat() {
  const absl::Duration begun = clock_.Read().steady;
  Replica self = options_.self;
  {
    MutexLock lock(mu_);
    self.leaving = draining_;
  }
  const absl::StatusOr<ReplicaView> view = AskDirectory(self);
  bool was_ok, may_move;
  {
    MutexLock lock(mu_);
    was_ok = std::exchange(last_beat_, view.status()).ok();
    if (view.ok()) {
      view_ = *view;
      lease_end_ = begun + options_.lease;
    }
    if (!has_begun_) FailStart(view.status());
    may_move = view.ok() && LeaseLasts() && !draining_ && !stopping_;
  }
  if (was_ok && !view.ok()) {
    Log(LogLevel::kWarn, absl::StrCat(options_.component, ": replicas: a beat failed"),
        {{"error", view.status()}});
  }
  if (may_move) Move(*view, begun + options_.lease - options_.beat);
  if (view.ok()) TellOfOthers(*view);
  MutexLock lock(mu_);
  has_begun_ = true;
  started_.SignalAll();
}

absl::StatusOr<ReplicaView> PartitionKeeper::AskDirectory(const Replica& self) {
  KANTOKU_ASSIGN_OR_RETURN(ReplicaView view, directory_.Beat(self, options_.lease));
  if (view.owners.size() == options_.partitions) return view;
  return WrongCountError(view.owners.size(), options_.partitions);
}

void PartitionKeeper::TellOfOthers(const ReplicaView& view) {
  std::vector<Replica> others;
  std::copy_if(view.living.begin(), view.living.end(), std::back_inserter(others),
               [&](const Replica& replica) { return replica.id != options_.self.id; });
  if (others == others_) return;
  others_ = std::move(others);
  if (options_.on_others) options_.on_others(others_);
}

// What the last view, the host and Stop demand; what needs a new view is Move's.
void PartitionKeeper::Tend(uint32_t partition) {
  State state;
  bool is_ours, release, draining;
  {
    MutexLock lock(mu_);
    draining = draining_;
    Slot& slot = slots_[partition];
    state = slot.state;
    is_ours = IsOurs(partition);
    release = slot.release;
    if (state == State::kNone && !is_ours) {
      slot.release = false;
      // Of nobody's we still say why we do not have it.
      if (!view_.owners[partition].empty()) slot.health = absl::OkStatus();
    }
    if (state == State::kNone && (stopping_ || !is_ours)) return;
  }
  if (state == State::kServing) return TendServing(partition);
  if (state != State::kNone) return;
  // Ours without our doing: the answer to a claim was lost.
  release || draining ? Release(partition) : StartOpening(partition);
}

void PartitionKeeper::TendServing(uint32_t partition) {
  const absl::Status health = host_.health(partition);
  bool is_ours, is_cut_off, is_end, is_given;
  {
    MutexLock lock(mu_);
    slots_[partition].health = health;
    is_ours = IsOurs(partition);
    is_cut_off = clock_.Read().steady >= lease_end_ + options_.patience;
    is_given = draining_;
    is_end = stopping_;
  }
  const bool lost = IsLost(health) || !is_ours || is_cut_off;
  if (!lost && !is_end && !is_given) return;
  if (lost) {
    Log(LogLevel::kWarn,
        absl::StrCat(PartitionName(options_.component, partition),
                     is_cut_off ? ": the directory cannot be reached" : ": lost to another owner"));
  }
  StartClosing(partition, lost, /*release=*/lost || is_given);
}

// Claims what there is time for: the lease comes first.
void PartitionKeeper::Move(const ReplicaView& view, absl::Duration until) {
  const Moves moves = Spread(view, options_.self.id);
  for (const uint32_t partition : moves.claim) {
    if (clock_.Read().steady > until) break;
    Claim(partition);
  }
  if (moves.release) GiveOneAway();
}

void PartitionKeeper::Claim(uint32_t partition) {
  {
    MutexLock lock(mu_);
    const Slot& slot = slots_[partition];
    if (slot.state != State::kNone || clock_.Read().steady < slot.claim_from) return;
  }
  const absl::StatusOr<bool> claimed = directory_.Claim(options_.self.id, partition);
  {
    MutexLock lock(mu_);
    if (!has_begun_) FailStart(claimed.status());
    if (!claimed.ok() || !*claimed) return;
    view_.owners[partition] = options_.self.id;
  }
  StartOpening(partition);
}

// Not while an earlier one is on its way, nor one that is only being opened: that may hang.
void PartitionKeeper::GiveOneAway() {
  std::optional<uint32_t> chosen;
  {
    MutexLock lock(mu_);
    for (uint32_t partition = 0; partition < options_.partitions; ++partition) {
      if (!IsOurs(partition)) continue;
      if (slots_[partition].state == State::kClosing || slots_[partition].release) return;
      if (slots_[partition].state == State::kServing) chosen = partition;
    }
  }
  if (!chosen.has_value()) return;
  Log(LogLevel::kInfo, absl::StrCat(PartitionName(options_.component, *chosen),
                                    ": given away to a replica that has fewer"));
  StartClosing(*chosen, /*lost=*/false, /*release=*/true);
}

void PartitionKeeper::Release(uint32_t partition) {
  const absl::Status released = directory_.Release(options_.self.id, partition);
  if (!released.ok()) return;  // Once more with the next beat.
  MutexLock lock(mu_);
  view_.owners[partition].clear();
  slots_[partition].release = false;
}

void PartitionKeeper::StartOpening(uint32_t partition) {
  {
    MutexLock lock(mu_);
    slots_[partition].state = State::kOpening;
  }
  std::thread& worker = workers_[partition];
  if (worker.joinable()) worker.join();  // It has done its work.
  worker = std::thread([this, partition] { Open(partition); });
}

void PartitionKeeper::StartClosing(uint32_t partition, bool lost, bool release) {
  {
    MutexLock lock(mu_);
    slots_[partition].state = State::kClosing;
    slots_[partition].release = release;
  }
  std::thread& worker = workers_[partition];
  if (worker.joinable()) worker.join();
  worker = std::thread([this, partition, lost] { Close(partition, lost); });
}

void PartitionKeeper::Open(uint32_t partition) {
  const std::string name = PartitionName(options_.component, partition);
  NameThread(absl::StrCat(name, " open"));
  const absl::Status opened = OpenIfOurs(partition);
  if (opened.ok()) {
    Log(LogLevel::kInfo, absl::StrCat(name, ": open"));
  } else {
    Log(LogLevel::kWarn, absl::StrCat(name, ": could not be opened"), {{"error", opened}});
  }
  MutexLock lock(mu_);
  Slot& slot = slots_[partition];
  slot.state = opened.ok() ? State::kServing : State::kNone;
  slot.health = opened;
  slot.release = !opened.ok();
  slot.claim_from = clock_.Read().steady + options_.retry_pause;
  FailStart(opened);
  Wake();
}

// Opening takes it from whoever has it: not from the next owner, after a long sleep.
absl::Status PartitionKeeper::OpenIfOurs(uint32_t partition) {
  {
    MutexLock lock(mu_);
    if (!IsOurs(partition) || !LeaseLasts()) {
      return Error(absl::StatusCode::kUnavailable, "NOT_OWNER", "it is not ours any more");
    }
  }
  return host_.Open(partition);
}

void PartitionKeeper::Close(uint32_t partition, bool lost) {
  NameThread(absl::StrCat(PartitionName(options_.component, partition), " close"));
  host_.Close(partition);
  MutexLock lock(mu_);
  Slot& slot = slots_[partition];
  slot.state = State::kNone;
  slot.health = absl::OkStatus();
  if (lost) slot.claim_from = clock_.Read().steady + options_.retry_pause;
  Wake();
}

void PartitionKeeper::Leave() {
  const absl::Status left = directory_.Leave(options_.self.id);
  if (!left.ok()) {
    Log(LogLevel::kWarn,
        absl::StrCat(options_.component, ": replicas: others wait until the lease is over"),
        {{"error", left}});
  }
}

bool PartitionKeeper::IsOurs(uint32_t partition) const {
  return view_.owners[partition] == options_.self.id;
}

bool PartitionKeeper::LeaseLasts() const { return clock_.Read().steady < lease_end_; }

bool PartitionKeeper::AnyIs(State state) const {
  return std::any_of(slots_.begin(), slots_.end(),
                     [&](const Slot& slot) { return slot.state == state; });
}

bool PartitionKeeper::AllAreGone() const {
  return std::all_of(slots_.begin(), slots_.end(),
                     [](const Slot& slot) { return slot.state == State::kNone; });
}

void PartitionKeeper::FailStart(const absl::Status& status) {
  start_error_.Update(status);
  if (!status.ok()) started_.SignalAll();
}

void PartitionKeeper::Wake() {
  woken_ = true;
  wake_.SignalAll();
  started_.SignalAll();
}

}  // namespace kantoku::platform
