#include "services/executor-runtime/core.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

constexpr absl::Duration kFirstReconnect = absl::Milliseconds(50);
constexpr absl::Duration kLongestReconnect = absl::Seconds(2);
constexpr absl::Duration kWelcomeWithin = absl::Seconds(10);
constexpr absl::Duration kHangUpWithin = absl::Seconds(1);
constexpr uint32_t kInlineMaxHeld = 1000;
// What the slowest line that is still of use carries.
constexpr size_t kLeastBytesPerSecond = size_t{64} << 10;

bool IsType(std::string_view type) {
  return !type.empty() && type.size() <= 255 && std::all_of(type.begin(), type.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-/:").find(c) != std::string_view::npos;
  });
}

}  // namespace

Core::Core(ExecutorOptions options, std::unique_ptr<Journal> journal,
           std::shared_ptr<grpc::Channel> inputs, std::shared_ptr<grpc::Channel> outputs,
           std::shared_ptr<platform::TokenSource> tokens)
    : options_(std::move(options)),
      journal_(std::move(journal)),
      tokens_(std::move(tokens)),
      inputs_(inputs::v1::InputsService::NewStub(inputs)),
      outputs_(outputs::v1::OutputsService::NewStub(outputs)),
      reconnect_(kFirstReconnect, kLongestReconnect) {
  queue_.Start();
}

Core::~Core() {
  Stop();
  for (std::thread& worker : workers_) worker.join();
  platform::MutexLock lock(mu_);
  while (calls_ > 0) calls_end_.Wait(mu_);
}

absl::Status Core::Handle(std::string_view type, Handler handler) {
  return Register(type, std::move(handler), /*run_inline=*/false);
}

absl::Status Core::HandleInline(std::string_view type, Handler handler) {
  return Register(type, std::move(handler), /*run_inline=*/true);
}

absl::Status Core::Register(std::string_view type, Handler handler, bool run_inline) {
  platform::MutexLock lock(mu_);
  if (ran_) return absl::FailedPreconditionError("handlers are registered before Run");
  if (!IsType(type)) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "BAD_TYPE",
                           "a type has 1 to 255 letters, digits and . _ - / :");
  }
  const auto [at, added] = handlers_.try_emplace(
      std::string(type), Registration{.handler = std::move(handler), .run_inline = run_inline});
  if (!added) return absl::AlreadyExistsError(absl::StrCat("type ", at->first, " has a handler"));
  return absl::OkStatus();
}

absl::Status Core::Run() {
  size_t threads = 0;
  {
    platform::MutexLock lock(mu_);
    if (ran_) return absl::FailedPreconditionError("an executor runs once");
    if (handlers_.empty()) return absl::FailedPreconditionError("an executor needs a handler");
    ran_ = true;
    const bool all_inline = std::all_of(handlers_.begin(), handlers_.end(),
                                        [](const auto& entry) { return entry.second.run_inline; });
    if (!all_inline) threads = options_.concurrency;
    uint32_t max_held = all_inline ? kInlineMaxHeld : 2 * options_.concurrency;
    if (options_.max_held > 0) max_held = options_.max_held;
    ledger_.emplace(max_held);
    puts_.emplace(*ledger_, options_.session, options_.random);
    items_.emplace(*ledger_, *puts_, options_.session, options_.random);
    arguments_.emplace(*ledger_, options_.session, options_.random);
  }
  for (size_t i = 0; i < threads; ++i) workers_.emplace_back([this] { Work(); });
  while (Step()) {
  }
  return Finish();
}

// Does what is due, or waits until something is. False when Run is over.
bool Core::Step() {
  Actions actions;
  {
    platform::MutexLock lock(mu_);
    if (stopping_ || !verdict_.ok()) return false;
    const absl::Duration now = Steady();
    if (ending_ != Ending::kNo) OnEnding(now);
    if (ending_ == Ending::kDone) return false;
    OnTime(now, actions);
    Collect(now, actions);
    if (actions.empty()) {
      run_wakes_at_ = NextTime();
      // Each task brings a time a little ahead; while tasks come, looking at that pace saves waking
      // for each of them.
      if (std::exchange(busy_, false)) {
        run_wakes_at_ = std::min(run_wakes_at_, now + Ledger::kStartReportDelay);
      }
      if (run_wakes_at_ > now) options_.clock->Wait(mu_, run_wakes_, run_wakes_at_);
      run_wakes_at_ = -absl::InfiniteDuration();
      return true;
    }
  }
  Perform(actions);
  return true;
}

absl::Status Core::Finish() {
  Actions actions;
  std::shared_ptr<PullStream> hang_up;
  absl::Status verdict;
  {
    platform::MutexLock lock(mu_);
    stopping_ = true;
    verdict = verdict_;
    ledger_->StopHandlers(StopCause::kDraining);
    actions.stops = ledger_->TakeStopped();
    actions.wake_workers = options_.concurrency;  // At least as many as there are.
    actions.wake_starting = true;
    actions.wake_paused = true;
    actions.wake_handlers = true;
  }
  Perform(actions);
  const absl::Duration until = Steady() + kHangUpWithin;
  {
    platform::MutexLock lock(mu_);
    // After the last frame, which may still be on its way.
    while (stream_ != nullptr && writing_ && Steady() < until) {
      options_.clock->Wait(mu_, run_wakes_, until);
    }
    if (stream_ == nullptr || writing_) return verdict;
    writing_ = true;
    stream_->Claim();
    hang_up = stream_;
  }
  hang_up->HangUp();
  platform::MutexLock lock(mu_);
  while (connected_ && Steady() < until) options_.clock->Wait(mu_, run_wakes_, until);
  return verdict;
}

void Core::Drain() {
  Actions actions;
  {
    platform::MutexLock lock(mu_);
    if (ending_ != Ending::kNo) return;
    const absl::Duration now = Steady();
    ending_ = Ending::kFinishing;
    ending_until_ = now + options_.drain_limit;
    if (!ledger_.has_value()) return;
    Collect(now, actions);
  }
  Perform(actions);
}

void Core::Stop() {
  Actions actions;
  {
    platform::MutexLock lock(mu_);
    stopping_ = true;
    if (!ledger_.has_value()) return;
    ledger_->StopHandlers(StopCause::kDraining);
    actions.stops = ledger_->TakeStopped();
    actions.wake_workers = options_.concurrency;  // At least as many as there are.
    actions.wake_starting = true;
    actions.wake_paused = true;
    actions.wake_handlers = true;
    actions.wake_run = true;
    actions.cancel_put = put_context_;
    actions.cancel_put_items = put_items_context_;
    actions.cancel_get = get_context_;
    GiveUpConnection(actions);
  }
  Perform(actions);
}

void Core::OnTime(absl::Duration now, Actions& actions) {
  ledger_->OnTime(now);
  if (!lost_ && now >= liveness_.stop_at()) {
    lost_ = true;
    ledger_->OnLost();
    // Inputs may think that all is well; the next hello tells it what was dropped.
    if (stream_ != nullptr) GiveUpConnection(actions);
  }
  if (now >= progress_at_) {
    progress_at_ = absl::InfiniteDuration();
    speak_ = true;
  }
  if (now >= liveness_.silent_at() || now >= welcome_by_) {
    actions.lines.emplace_back(LogLevel::kWarn, "inputs does not answer; connecting again");
    GiveUpConnection(actions);
  }
  if (!connected_ && now >= connect_at_) Connect(now, actions);
}

// Takes a drain a step further. Ends at once when nothing is held any more.
void Core::OnEnding(absl::Duration now) {
  ledger_->Drain();
  const bool late = now >= ending_until_;
  if (ledger_->empty()) {
    ending_ = Ending::kDone;
  } else if (ending_ == Ending::kConfirming) {
    if (!late) return;
    ending_ = Ending::kDone;
    verdict_ = absl::DeadlineExceededError(
        absl::StrCat(ledger_->size(), " tasks were not confirmed in time"));
  } else if (!ledger_->works()) {
    ending_ = Ending::kConfirming;
    ending_until_ = now + options_.stop_patience;
  } else if (late && ending_ == Ending::kFinishing) {
    ledger_->StopHandlers(StopCause::kDraining);
    ending_ = Ending::kStopping;
    ending_until_ = now + options_.stop_patience;
  } else if (late) {
    // Inputs gives them to others now, instead of after the grace, and counts no attempt.
    ledger_->Abandon();
    ending_ = Ending::kConfirming;
    ending_until_ = now + options_.stop_patience;
  }
}

absl::Duration Core::NextTime() const {
  absl::Duration next = std::min({ledger_->next_time(), puts_->next_time(), items_->next_time(),
                                  arguments_->next_time(), progress_at_});
  if (ending_ != Ending::kNo) next = std::min(next, ending_until_);
  if (!lost_) next = std::min(next, liveness_.stop_at());
  if (!connected_) return std::min(next, connect_at_);
  // A ping that is due leaves with the next frame when one is being written.
  if (!writing_) next = std::min(next, liveness_.next_ping());
  return std::min({next, liveness_.silent_at(), welcome_by_});
}

void Core::Connect(absl::Duration now, Actions& actions) {
  stream_ = PullStream::Make(*inputs_, tokens_, queue_, *this);
  ++calls_;
  connected_ = true;
  writing_ = true;
  welcome_by_ = now + kWelcomeWithin;
  stream_->Claim();
  inputs::v1::Hello& hello = *stream_->request().mutable_hello();
  const std::string_view session = options_.session.bytes();
  hello.set_session_id(session.data(), session.size());
  hello.set_namespace_(options_.name_space);
  hello.set_name(options_.name);
  for (const auto& [type, registration] : handlers_) hello.add_types(type);
  hello.mutable_labels()->insert(options_.labels.begin(), options_.labels.end());
  hello.set_version(options_.version);
  ledger_->FillHello(hello);
  // Higher than before also when another process had this session.
  hellos_ =
      std::max(hellos_ + 1, static_cast<uint64_t>(absl::ToUnixMicros(options_.clock->Read().wall)));
  hello.set_connection(hellos_);
  liveness_.OnHelloSent(now);
  actions.open = stream_;
  actions.write = stream_;
}

// Lets go of the connection; OnClosed follows, and with it the next attempt.
void Core::GiveUpConnection(Actions& actions) {
  actions.cancel = std::move(stream_);
  stream_ = nullptr;
  welcomed_ = false;
  welcome_by_ = absl::InfiniteDuration();
  liveness_.OnDisconnected();
}

void Core::Collect(absl::Duration now, Actions& actions) {
  items_->OnTime(now);
  puts_->OnTime(now);
  for (const HeldTaskPtr& task : ledger_->TakeFetches()) arguments_->Add(task, now);
  arguments_->OnTime(now);
  if (stream_ != nullptr && welcomed_ && !writing_ && FillFrame(now)) {
    writing_ = true;
    stream_->Claim();
    actions.write = stream_;
  }
  if (!stopping_ && puts_->Ready(now) && puts_->Fill(put_request_)) {
    ++calls_;
    put_context_ = PutContext(puts_->sent_bytes());
    actions.put = true;
  }
  if (!stopping_ && items_->Ready(now) && items_->Fill(put_items_request_)) {
    ++calls_;
    put_items_context_ = PutContext(items_->sent_bytes());
    actions.put_items = true;
  }
  if (!stopping_ && arguments_->Ready(now) && arguments_->Fill(get_request_)) {
    ++calls_;
    get_context_ = PutContext(0);
    actions.get = true;
  }
  const bool told = ledger_->TakeHandlersToWake();
  actions.wake_handlers = items_->TakeRoomMade() || told;
  for (std::stop_source& stop : ledger_->TakeStopped()) actions.stops.push_back(std::move(stop));
  for (HeldTaskPtr& task : ledger_->TakeHolds()) actions.holds.push_back(std::move(task));
  actions.wake_paused = ledger_->TakePausesDecided() || actions.wake_paused;
  actions.wake_starting = ledger_->TakeStartsDecided();
  if (ending_ != Ending::kNo || NextTime() < run_wakes_at_) {
    run_wakes_at_ = -absl::InfiniteDuration();
    actions.wake_run = true;
  }
}

std::shared_ptr<grpc::ClientContext> Core::PutContext(size_t bytes) const {
  auto context = std::make_shared<grpc::ClientContext>();
  const absl::Duration timeout = options_.put_timeout + absl::Seconds(bytes / kLeastBytesPerSecond);
  // gRPC's deadlines are by the machine's clock, whichever clock drives the pauses.
  context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
  return context;
}

bool Core::FillFrame(absl::Duration now) {
  const bool owes = pong_.has_value() || !newer_token_.empty();
  if (!speak_ && !ledger_->urgent() && !owes && !liveness_.PingDue(now)) return false;
  inputs::v1::PullRequest& request = stream_->request();
  request.Clear();
  bool any = ledger_->FillReports(request);
  if (liveness_.PingDue(now)) {
    request.mutable_ping()->set_number(liveness_.OnPingSent(now));
    any = true;
  }
  if (pong_.has_value()) {
    request.mutable_pong()->set_number(*pong_);
    pong_.reset();
    any = true;
  }
  if (!newer_token_.empty()) {
    request.set_access_token(std::exchange(newer_token_, {}));
    any = true;
  }
  speak_ = false;
  if (!ledger_->progress_pending()) progress_at_ = absl::InfiniteDuration();
  return any;
}

void Core::Perform(const Actions& actions) {
  if (actions.wake_run) run_wakes_.SignalAll();
  for (size_t i = 0; i < actions.wake_workers; ++i) work_waits_.Signal();
  if (actions.wake_starting) start_waits_.SignalAll();
  if (actions.wake_paused) pause_waits_.SignalAll();
  if (actions.wake_handlers) handler_waits_.SignalAll();
  if (actions.open != nullptr) actions.open->Open();
  if (actions.put_items) {
    std::shared_ptr<grpc::ClientContext> context;
    {
      platform::MutexLock lock(mu_);
      context = put_items_context_;
    }
    platform::ReceiveAnswer(
        queue_, outputs_->AsyncPutItems(context.get(), put_items_request_, queue_.get()),
        &put_items_response_, [this](const absl::Status& status) { OnPutItemsDone(status); });
  }
  if (actions.put) {
    std::shared_ptr<grpc::ClientContext> context;
    {
      platform::MutexLock lock(mu_);
      context = put_context_;
    }
    platform::ReceiveAnswer(queue_, outputs_->AsyncPut(context.get(), put_request_, queue_.get()),
                            &put_response_,
                            [this](const absl::Status& status) { OnPutDone(status); });
  }
  if (actions.get) {
    std::shared_ptr<grpc::ClientContext> context;
    {
      platform::MutexLock lock(mu_);
      context = get_context_;
    }
    platform::ReceiveAnswer(queue_, outputs_->AsyncGet(context.get(), get_request_, queue_.get()),
                            &get_response_,
                            [this](const absl::Status& status) { OnGetDone(status); });
  }
  if (actions.write != nullptr) actions.write->Write();
  if (actions.cancel != nullptr) actions.cancel->Cancel();
  if (actions.cancel_put != nullptr) actions.cancel_put->TryCancel();
  if (actions.cancel_put_items != nullptr) actions.cancel_put_items->TryCancel();
  if (actions.cancel_get != nullptr) actions.cancel_get->TryCancel();
  for (const std::stop_source& stop : actions.stops) stop.request_stop();
  for (const auto& [level, line] : actions.lines) options_.log(level, line);
  for (const HeldTaskPtr& task : actions.holds) HoldBack(task);
}

}  // namespace kantoku::executor
