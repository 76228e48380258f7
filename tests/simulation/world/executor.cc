#include "tests/simulation/world/executor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"
#include "tests/simulation/world/names.h"
#include "tests/simulation/world/places.h"

namespace kantoku::simulation {
namespace {

constexpr absl::Duration kFirstReconnect = absl::Milliseconds(50);
constexpr absl::Duration kLongestReconnect = absl::Seconds(2);
constexpr absl::Duration kWelcomeWithin = absl::Seconds(10);
constexpr absl::Duration kProgressDelay = absl::Milliseconds(100);
constexpr size_t kMostRunning = 3;
constexpr size_t kMostUnread = 2;  // Frames on their way, before what is to be said gathers.

}  // namespace

Executor::Executor(const Scene& scene, int number, Gateway& gateway, OutputsServer& outputs,
                   Handlers& handlers)
    : scene_(scene),
      number_(number),
      gateway_(gateway),
      outputs_(outputs),
      handlers_(handlers),
      caller_{absl::StrCat("owner-", number), "app"},
      name_space_(kNamespaces[static_cast<size_t>(number) % kNamespaces.size()]),
      session_(NewSession(scene.random)),
      reconnect_(kFirstReconnect, kLongestReconnect) {
  StartProcess();
}

void Executor::StartProcess() {
  Announce();
  types_.clear();
  for (const std::string_view type : kTypes) {
    if (diligent_ || scene_.random.Chance(70)) types_.emplace_back(type);
  }
  if (types_.empty()) types_.emplace_back(kTypes[0]);
  const auto max_held = static_cast<uint32_t>(1 + scene_.random.Pick(kMaxSessionCredit + 2));
  ledger_ = std::make_unique<executor::Ledger>(max_held);
  puts_ = std::make_unique<executor::PutQueue>(*ledger_, session_,
                                               [this] { return scene_.random.Next(); });
  items_ = std::make_unique<executor::ItemQueue>(*ledger_, *puts_, session_,
                                                 [this] { return scene_.random.Next(); });
  arguments_ = std::make_unique<executor::ArgumentQueue>(*ledger_, session_,
                                                         [this] { return scene_.random.Next(); });
  liveness_ = {};
  reconnect_.Reset();
  welcomed_ = false;
  lost_ = false;
  connect_at_ = now();
  bounced_until_ = absl::ZeroDuration();
  leave_at_ = absl::InfiniteDuration();
  welcome_by_ = absl::InfiniteDuration();
  progress_at_ = absl::InfiniteDuration();
  putting_ = false;
  put_response_.reset();
  putting_items_ = false;
  items_response_.reset();
  getting_ = false;
  get_response_.reset();
}

void Executor::Announce() {
  announced_.Clear();
  announced_.set_name(absl::StrCat("executor-", number_));
  if (diligent_) {
    AnnounceAll(number_, announced_);
  } else {
    AnnounceLabels(scene_.random, announced_);
  }
}

// ---- The connection ----

void Executor::Connect() {
  connection_ = gateway_.Open(caller_, session_);
  welcome_by_ = now() + kWelcomeWithin;
  inputs::v1::PullRequest request;
  inputs::v1::Hello& hello = *request.mutable_hello();
  if (scene_.random.Chance(20)) Announce();
  hello = announced_;
  hello.set_session_id(session_.bytes().data(), session_.bytes().size());
  hello.set_namespace_(name_space_);
  hello.mutable_types()->Assign(types_.begin(), types_.end());
  hello.set_connection(++hellos_);
  ledger_->FillHello(hello);
  liveness_.OnHelloSent(now());
  connection_->Say(std::move(request));
}

void Executor::GiveUpConnection() {
  if (connection_ == nullptr) return;
  connection_->Cut(scene_.random);
  OnClosed();
}

void Executor::OnClosed() {
  connection_ = nullptr;
  welcomed_ = false;
  welcome_by_ = absl::InfiniteDuration();
  liveness_.OnDisconnected();
  connect_at_ = now() + reconnect_.Next(scene_.random.Next());
}

void Executor::LoseConnection() {
  if (connection_ == nullptr) return;
  scene_.Did(Deed::kConnectionLost);
  connection_->Cut(scene_.random);
  if (scene_.random.Chance(50)) return;  // What arrived is read yet.
  OnClosed();
  if (scene_.random.Chance(50)) {
    scene_.coverage.Count(Deed::kCutOff);
    connect_at_ = now() + scene_.random.UpTo(absl::Seconds(60));
    return;
  }
  if (!scene_.random.Chance(30)) return;
  scene_.coverage.Count(
      Deed::kSessionTakenOver);  // It is back before Inputs knows that it was gone.
  connect_at_ = now();
}

void Executor::Hear() {
  if (frozen_ || connection_ == nullptr) return;
  if (connection_->CanHear()) {
    inputs::v1::PullResponse frame = connection_->Hear();
    if (welcomed_) {
      ReadFrame(frame);
    } else if (!ReadWelcome(frame)) {
      scene_.Expect(false, "hello is answered item by item");
      GiveUpConnection();
    } else {
      ReadFrame(frame);
    }
  } else if (connection_->over()) {
    OnClosed();
  }
  OnTime();
}

bool Executor::ReadWelcome(inputs::v1::PullResponse& frame) {
  if (!frame.has_welcome() || !ledger_->OnWelcome(*frame.mutable_welcome())) return false;
  welcomed_ = true;
  lost_ = false;
  welcome_by_ = absl::InfiniteDuration();
  liveness_.OnWelcome(platform::FromProto(frame.welcome().ping_interval()),
                      platform::FromProto(frame.welcome().grace()));
  return true;
}

void Executor::ReadFrame(inputs::v1::PullResponse& frame) {
  for (inputs::v1::Dispatch& dispatch : *frame.mutable_tasks()) {
    scene_.Expect(std::ranges::find(types_, dispatch.type()) != types_.end(),
                  "an executor gets what it implements");
    (void)ledger_->Receive(dispatch, &registration_, now());
  }
  for (const auto& start : frame.starts_confirmed()) {
    (void)ledger_->OnStartConfirmed(start.task_id(), start.dispatch(), now());
  }
  BeginConfirmed();
  for (const auto& settled : frame.confirmed()) {
    ledger_->OnSettled(settled.task_id(), settled.dispatch());
  }
  for (const auto& refused : frame.refused()) {
    (void)ledger_->OnRefused(refused.task_id(), refused.dispatch(), refused.status().reason());
  }
  for (const auto& confirmed : frame.checkpoints_confirmed()) ledger_->OnCheckpoint(confirmed);
  for (const auto& control : frame.controls()) ledger_->OnControl(control, now());
  for (auto& renewal : *frame.mutable_renewals()) ledger_->OnRenewal(renewal);
  if (frame.has_executor_control()) Obey(frame.executor_control());
  if (frame.has_pong()) {
    liveness_.OnPong(frame.pong().number());
    reconnect_.Reset();
  }
}

// ---- What follows ----

void Executor::FillFrame() {
  const bool speak = now() >= progress_at_;
  if (!speak && !ledger_->urgent() && !liveness_.PingDue(now())) return;
  inputs::v1::PullRequest request;
  bool any = ledger_->FillReports(request);
  if (liveness_.PingDue(now())) {
    request.mutable_ping()->set_number(liveness_.OnPingSent(now()));
    any = true;
  }
  if (!ledger_->progress_pending()) progress_at_ = absl::InfiniteDuration();
  if (any) connection_->Say(std::move(request));
}

void Executor::Collect() {
  puts_->OnTime(now());
  items_->OnTime(now());
  for (const executor::HeldTaskPtr& task : ledger_->TakeFetches()) arguments_->Add(task, now());
  arguments_->OnTime(now());
  if (welcomed_ && connection_->unread() < kMostUnread) FillFrame();
  if (!putting_ && puts_->Ready(now())) putting_ = puts_->Fill(put_request_);
  if (!putting_items_ && items_->Ready(now())) putting_items_ = items_->Fill(items_request_);
  if (!getting_ && arguments_->Ready(now())) getting_ = arguments_->Fill(get_request_);
  (void)ledger_->TakeStopped();
  BeginConfirmed();
  StopHandlers();
}

void Executor::OnTime() {
  if (frozen_) return;
  ledger_->OnTime(now());
  if (!lost_ && now() >= liveness_.stop_at()) {
    lost_ = true;
    ledger_->OnLost();
    GiveUpConnection();
  }
  if (now() >= liveness_.silent_at() || now() >= welcome_by_) GiveUpConnection();
  if (connection_ == nullptr && now() >= connect_at_) Connect();
  Collect();
}

absl::Duration Executor::NextTime() const {
  if (frozen_) return absl::InfiniteDuration();
  absl::Duration next = std::min({ledger_->next_time(), puts_->next_time(), items_->next_time(),
                                  arguments_->next_time(), progress_at_});
  if (!lost_) next = std::min(next, liveness_.stop_at());
  if (connection_ == nullptr) return std::min(next, connect_at_);
  return std::min({next, liveness_.next_ping(), liveness_.silent_at(), welcome_by_});
}

// ---- Handlers ----

// They stop at once, but when they are to be cancelled or interrupted, which some do later and
// some never.
void Executor::StopHandlers() {
  for (size_t i = running_.size(); i-- > 0;) {
    const auto cause = running_[i].task->stop_cause.load();
    if (cause == executor::StopCause::kNone) continue;
    const bool asked =
        cause == executor::StopCause::kCancelled || cause == executor::StopCause::kInterrupted;
    if (asked && (running_[i].stubborn || scene_.random.Chance(50))) continue;
    EndHandler(i, absl::CancelledError("stopped"));
  }
}

bool Executor::HasWorker() const { return running_.size() + starting_.size() < kMostRunning; }

void Executor::Begin(executor::HeldTaskPtr task) {
  if (task->phase == executor::Phase::kStarting) {
    starting_.push_back(std::move(task));
  } else {
    BeginHandler(std::move(task));
  }
}

void Executor::BeginConfirmed() {
  if (!ledger_->TakeStartsDecided()) return;
  for (executor::HeldTaskPtr& task : std::exchange(starting_, {})) {
    if (task->dropped) continue;
    if (task->phase == executor::Phase::kStarting || task->phase == executor::Phase::kRunning) {
      Begin(std::move(task));
    }
  }
}

void Executor::BeginHandler(executor::HeldTaskPtr task) {
  handlers_.Begin(number_, task->key.task, task->key.dispatch, task->arguments);
  const uint64_t kind = scene_.random.Pick(100);
  const absl::Duration longest = kind < 60   ? absl::ZeroDuration()
                                 : kind < 80 ? absl::Seconds(1)
                                             : absl::Seconds(50);
  running_.push_back(
      {std::move(task), now() + scene_.random.UpTo(longest), scene_.random.Chance(35)});
}

void Executor::EndHandler(size_t at, const absl::StatusOr<executor::Result>& result) {
  const executor::HeldTaskPtr task = running_[at].task;
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(at));
  handlers_.End(number_, task->key.task);
  if (ledger_->End(task, now(), result)) {
    items_->Finish(task, *result);
  } else {
    items_->Drop(*task);
  }
}

absl::StatusOr<executor::Result> Executor::ResultOf(const executor::HeldTask& task) {
  const uint64_t kind = diligent_ ? 0 : scene_.random.Pick(100);
  if (kind < 65)
    return executor::Result{.data = ResultText(task.key.task, task.items), .content_type = {}};
  if (kind < 92) return platform::Error(absl::StatusCode::kInternal, "BROKEN", "try again");
  return executor::FailFinally("HOPELESS", "never again");
}

// Handlers look now and then whether they are to pause.
bool Executor::StandsStill(const Running& running) {
  const executor::HeldTaskPtr& task = running.task;
  if (task->stop_cause.load() != executor::StopCause::kNone) return false;
  if (task->paused) return true;
  return scene_.random.Chance(60) && ledger_->ReachPausePoint(task, now());
}

bool Executor::Runs(const TaskId& task, uint32_t dispatch) const {
  return std::ranges::any_of(running_, [&](const Running& running) {
    const executor::HeldTask& held = *running.task;
    return held.key.task == task && held.key.dispatch == dispatch && !held.paused &&
           held.stop_cause.load() == executor::StopCause::kNone;
  });
}

void Executor::Work() {
  if (frozen_ || Leaves()) return;
  const uint64_t kind = scene_.random.Pick(100);
  if (HasWorker() && (kind < 45 || running_.empty())) {
    if (executor::HeldTaskPtr task = ledger_->Begin(now()); task != nullptr) Begin(std::move(task));
  } else if (!running_.empty()) {
    const size_t at = scene_.random.Pick(running_.size());
    if (StandsStill(running_[at])) {
      // Until it may go on or is to stop.
    } else if (kind < 52) {
      Yield(running_[at].task);
    } else if (kind < 55) {
      Checkpoint(running_[at].task);
    } else if (kind < 60) {
      ledger_->Report(running_[at].task, 0.5, "half");
      if (ledger_->progress_pending()) {
        progress_at_ = std::min(progress_at_, now() + kProgressDelay);
      }
    } else if (now() >= running_[at].until) {
      EndHandler(at, ResultOf(*running_[at].task));
    }
  }
  OnTime();
}

void Executor::WorkAll() {
  while (executor::HeldTaskPtr task = ledger_->Begin(now())) Begin(std::move(task));
  while (!running_.empty()) EndHandler(running_.size() - 1, ResultOf(*running_.back().task));
  OnTime();
}

// ---- Outputs ----

void Executor::Put() {
  if (late_put_.has_value() && scene_.random.Chance(20)) {
    scene_.Did(Deed::kPutAgain);
    (void)outputs_.Put(*late_put_, caller_);
    late_put_.reset();
  }
  if (frozen_ || !putting_) return;
  if (put_response_.has_value()) return AnswerPut();
  const uint64_t fate = diligent_ ? 100 : scene_.random.Pick(100);
  absl::Status failed;
  if (fate < 4) {
    scene_.Did(Deed::kPutLost);
    failed = absl::DeadlineExceededError("lost");
    if (scene_.random.Chance(50)) late_put_ = put_request_;
  } else {
    scene_.coverage.Count(Deed::kPut);
    auto answer = outputs_.Put(put_request_, caller_);
    failed = answer.status();
    if (answer.ok() && fate >= 8) {
      put_response_ = *std::move(answer);
      return;
    }
    if (answer.ok()) {
      scene_.Did(Deed::kPutAnswerLost);
      failed = absl::DeadlineExceededError("lost");
    }
  }
  outputs::v1::PutResponse none;
  putting_ = false;
  puts_->OnAnswer(failed, put_request_, none, now());
  OnTime();
}

void Executor::AnswerPut() {
  putting_ = false;
  puts_->OnAnswer(absl::OkStatus(), put_request_, *put_response_, now());
  put_response_.reset();
  OnTime();
}

// ---- Misfortunes ----

void Executor::Kill() {
  scene_.Did(Deed::kExecutorKilled);
  for (const Running& running : running_) handlers_.End(number_, running.task->key.task);
  running_.clear();
  starting_.clear();
  if (connection_ != nullptr) connection_->Cut(scene_.random);
  connection_ = nullptr;
  if (putting_ && !put_response_.has_value() && scene_.random.Chance(50)) late_put_ = put_request_;
  if (frozen_) handlers_.SetFrozen(number_, false);
  frozen_ = false;
  if (scene_.random.Chance(70)) session_ = NewSession(scene_.random);
  StartProcess();
}

void Executor::Freeze() {
  if (std::exchange(frozen_, true)) return;
  scene_.Did(Deed::kExecutorFrozen);
  handlers_.SetFrozen(number_, true);
}

void Executor::Thaw() {
  if (!std::exchange(frozen_, false)) return;
  OnTime();
  handlers_.SetFrozen(number_, false);
}

void Executor::Drain() {
  if (!frozen_) ledger_->Drain();
  OnTime();
}

void Executor::BecomeDiligent() {
  Thaw();
  diligent_ = true;
  Kill();
  late_put_.reset();
  late_items_.reset();
}

}  // namespace kantoku::simulation
