#include "services/outputs/partition.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "services/platform/log/log.h"
#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

using platform::TaskId;
using platform::Transaction;
using Presence = ResultBook::Presence;
using Kind = AnswerBatch::Kind;

// How many records to read in one go, when nobody knows how large they are: more and more of small
// ones, fewer of large ones.
class ReadSize {
 public:
  size_t next() const { return next_; }
  void Saw(size_t bytes) {
    next_ = bytes > kLarge ? std::max<size_t>(next_ / 4, 1) : std::min(2 * next_, kMost);
  }

 private:
  static constexpr size_t kLarge = size_t{1} << 20;
  static constexpr size_t kMost = 1024;
  size_t next_ = 16;
};

bool WaitsOn(TaskLife life) { return life == TaskLife::kLives || life == TaskLife::kUnsaid; }

// Wall time may jump, so that a long wait for one of its instants is looked at again.
constexpr absl::Duration kLongestSleep = absl::Minutes(10);

}  // namespace

absl::StatusOr<std::unique_ptr<OutputsPartition>> OutputsPartition::Start(
    Options options, platform::RecordStore& store, platform::Clock& clock, TaskLives& lives,
    Metrics& metrics) {
  auto runner_options = std::move(options.runner);
  KANTOKU_ASSIGN_OR_RETURN(auto book, ResultBook::Recover(options.book, store));
  constexpr size_t kSaid = 20;
  const auto& damages = book->items().damages();
  for (const std::string& damage : std::span(damages).first(std::min(damages.size(), kSaid))) {
    platform::Log(platform::LogLevel::kError, "outputs: a record of items is damaged",
                  {{"what", damage}, {"damaged", damages.size()}});
  }
  std::unique_ptr<OutputsPartition> partition(
      new OutputsPartition(std::move(options), std::move(book), lives, metrics));
  KANTOKU_ASSIGN_OR_RETURN(
      partition->runner_,
      platform::PartitionRunner::Start(std::move(runner_options), store, *partition, clock));
  return partition;
}

OutputsPartition::OutputsPartition(Options options, std::unique_ptr<ResultBook> book,
                                   TaskLives& lives, Metrics& metrics)
    : random_(std::move(options.random)),
      lives_(lives),
      waiters_(*metrics.waiters),
      results_(*metrics.results),
      fences_(*metrics.fences),
      bytes_(*metrics.bytes),
      book_(std::move(book)),
      hub_(options.awaits, std::move(options.awaited)),
      lookup_(options.lookup) {}

OutputsPartition::~OutputsPartition() { Stop(); }

absl::Status OutputsPartition::Post(Command command, Urgency urgency) {
  return runner_->Post([this, command = std::move(command)](
                           Transaction& transaction) mutable { command(*this, transaction); },
                       urgency);
}

void OutputsPartition::Stop() {
  if (runner_ == nullptr) return;
  runner_->Stop();
  // Nobody applies any more. Streams own what they wait in, so they are let go of.
  deliveries_ = {};
  followers_.clear();
  hub_.FailAll(platform::Error(absl::StatusCode::kUnavailable, "PARTITION_CLOSED",
                               "the tasks are not served here any more"));
  for (GaugeShare* const share : {&waiters_, &results_, &fences_, &bytes_}) share->Set(0);
}

absl::StatusOr<std::vector<ResultBook::Decision>> OutputsPartition::Put(
    std::span<const ResultBook::Offer> offers, Transaction& transaction) {
  return book_->Put(offers, transaction,
                    [this](const StoredResult& result, std::string_view record) {
                      hub_.Resolve(result, Kind::kResult, record, deliveries_);
                    });
}

absl::StatusOr<std::vector<ResultBook::ClosingDecision>> OutputsPartition::Fence(
    uint64_t epoch, std::span<const ResultBook::Closing> closings, Transaction& transaction) {
  return book_->Fence(epoch, closings, transaction,
                      [this](const StoredResult& result, std::string_view record) {
                        hub_.Resolve(result, Kind::kResult, record, deliveries_);
                      });
}

absl::StatusOr<std::vector<ResultBook::Decision>> OutputsPartition::PutItems(
    std::span<const ItemBook::Batch> batches, Transaction& transaction) {
  KANTOKU_ASSIGN_OR_RETURN(auto decisions, book_->PutItems(batches, transaction));
  for (size_t i = 0; i < batches.size(); ++i) {
    if (decisions[i].outcome != ResultBook::Outcome::kStored) continue;
    if (followers_.contains(batches[i].task)) yielded_.push_back(batches[i].task);
  }
  return decisions;
}

void OutputsPartition::Follow(const TaskId& task, std::shared_ptr<ItemFollower> follower) {
  followers_[task].push_back(std::move(follower));
}

void OutputsPartition::Unfollow(const TaskId& task, const ItemFollower* follower) {
  const auto found = followers_.find(task);
  if (found == followers_.end()) return;
  std::erase_if(found->second, [&](const auto& each) { return each.get() == follower; });
  if (found->second.empty()) followers_.erase(found);
}

absl::StatusOr<ItemBook::Reading> OutputsPartition::ReadItems(const TaskId& task,
                                                              const platform::Identity& caller,
                                                              ItemPosition from, size_t max_bytes,
                                                              ItemBook::ItemVisitor visit) {
  if (!book_->items().IsSeenBy(caller, task)) return ItemBook::Reading{.next = from};
  return book_->items().Read(task, from, max_bytes, visit);
}

void OutputsPartition::TellFollowers(std::vector<TaskId> tasks, Transaction& transaction) {
  transaction.OnDurable([this, tasks = std::move(tasks)]() mutable {
    // Refused only when all of this ends.
    static_cast<void>(
        Post([tasks = std::move(tasks)](OutputsPartition& self,
                                        Transaction& later) { self.OnYielded(tasks, later); },
             Urgency::kUrgent));
  });
}

void OutputsPartition::OnYielded(std::span<const TaskId> tasks, Transaction& transaction) {
  for (const TaskId& task : tasks) {
    const auto found = followers_.find(task);
    if (found == followers_.end()) continue;
    for (const auto& follower : found->second) follower->OnItems(transaction);
  }
}

absl::Status OutputsPartition::Get(std::span<const TaskId> tasks, absl::Time now,
                                   GetVisitor visit) {
  ReadSize size;
  bool wanted = true;
  for (size_t begin = 0; wanted && begin < tasks.size();) {
    const auto chunk = tasks.subspan(begin, std::min(size.next(), tasks.size() - begin));
    size_t bytes = 0;
    KANTOKU_RETURN_IF_ERROR(book_->Find(
        chunk, now,
        [&](size_t index, Presence presence, const StoredResult* result, std::string_view record) {
          bytes += record.size();
          wanted = wanted && visit(begin + index, presence, result);
        }));
    size.Saw(bytes);
    begin += chunk.size();
  }
  return absl::OkStatus();
}

void OutputsPartition::Await(AwaitHub::StreamId stream, std::span<const TaskId> tasks,
                             Transaction& transaction) {
  AwaitSink* const sink = hub_.Find(stream);
  if (sink == nullptr) return;
  std::vector<TaskId> fresh;
  if (const absl::Status added = hub_.Add(stream, tasks, fresh); !added.ok()) {
    return sink->Fail(added);
  }
  std::vector<TaskId> absent;
  const auto looked_up = LookUp(fresh, sink, transaction, absent);
  if (!looked_up.ok()) return sink->Fail(looked_up.status());
  for (const TaskId& task : absent) lookup_.Add({task, stream}, transaction.now().steady);
  if (*looked_up < fresh.size()) {
    const auto rest = std::span<const TaskId>(fresh).subspan(*looked_up);
    hub_.Forget(stream, rest);
    sink->Defer(rest);
  }
}

absl::StatusOr<size_t> OutputsPartition::LookUp(std::span<const TaskId> tasks,
                                                const AwaitSink* asking, Transaction& transaction,
                                                std::vector<TaskId>& absent) {
  ReadSize size;
  std::vector<TaskId> in_flight;
  size_t done = 0;
  for (bool room = true; room && done < tasks.size();) {
    const auto chunk = tasks.subspan(done, std::min(size.next(), tasks.size() - done));
    size_t bytes = 0;
    Deliveries deliveries;
    const auto visit = [&](size_t index, Presence presence, const StoredResult* result,
                           std::string_view record) {
      bytes += record.size();
      switch (presence) {
        case Presence::kAbsent:
          return absent.push_back(chunk[index]);
        case Presence::kInFlight:
          return in_flight.push_back(chunk[index]);
        case Presence::kGone:
          return hub_.Resolve(*result, Kind::kGone, {}, deliveries);
        case Presence::kHeld:
          return hub_.Resolve(*result, Kind::kResult, record, deliveries);
        case Presence::kDamaged:
          return hub_.Resolve(chunk[index], Kind::kDamaged, deliveries);
      }
    };
    const absl::Status found = book_->Find(chunk, transaction.now().wall, visit);
    // What was read is durable, whatever becomes of the running group.
    room = deliveries.Send(asking);
    KANTOKU_RETURN_IF_ERROR(found);
    size.Saw(bytes);
    done += chunk.size();
  }
  if (!in_flight.empty()) LookUpOnceDurable(std::move(in_flight), transaction);
  return done;
}

void OutputsPartition::LookUpOnceDurable(std::vector<TaskId> tasks, Transaction& transaction) {
  transaction.OnDurable([this, tasks = std::move(tasks)]() mutable {
    // Refused only when all of this ends.
    static_cast<void>(
        Post([tasks = std::move(tasks)](OutputsPartition& self,
                                        Transaction& later) { self.OnDurable(tasks, later); },
             Urgency::kUrgent));
  });
}

void OutputsPartition::OnDurable(std::span<const TaskId> tasks, Transaction& transaction) {
  std::vector<TaskId> absent;
  if (!LookUp(tasks, nullptr, transaction, absent).ok()) {
    // Inputs will say that they ended, and then it is tried again.
    for (const TaskId& task : tasks) {
      for (const AwaitHub::StreamId stream : hub_.WaitersFor(task)) {
        lookup_.Add({task, stream}, transaction.now().steady);
      }
    }
    return;
  }
  Deliveries deliveries;
  for (const TaskId& task : absent) hub_.Resolve(task, Kind::kGone, deliveries);
  deliveries.Send();
}

void OutputsPartition::AskInputs(absl::Duration now) {
  const auto is_awaited = [this](const Awaited& awaited) {
    return hub_.Waits(awaited.task, awaited.stream);
  };
  lookup_.Trim(hub_.waiters(), is_awaited);
  std::vector<Awaited> asked = lookup_.Take(now, is_awaited);
  if (asked.empty()) return;
  std::vector<TaskLives::Question> questions;
  questions.reserve(asked.size());
  for (const Awaited& awaited : asked) {
    questions.push_back({awaited.task, hub_.Find(awaited.stream)->caller()});
  }
  lives_.Ask(std::move(questions),
             [this, asked = std::move(asked)](absl::StatusOr<std::vector<TaskLife>> lives) mutable {
               static_cast<void>(Post(
                   [asked = std::move(asked), lives = std::move(lives)](
                       OutputsPartition& self, Transaction& transaction) mutable {
                     self.OnAnswer(std::move(asked), lives, transaction);
                   },
                   Urgency::kUrgent));
             });
}

void OutputsPartition::OnAnswer(std::vector<Awaited> asked,
                                const absl::StatusOr<std::vector<TaskLife>>& lives,
                                Transaction& transaction) {
  if (lives.ok() && lives->size() == asked.size()) {
    lookup_.Succeeded();
    AskLater(asked, *lives, transaction.now().steady);
    return OnLives(asked, *lives, transaction);
  }
  if (!lookup_.failing()) {
    platform::Log(platform::LogLevel::kWarn,
                  "outputs: Inputs cannot be asked about awaited tasks; they wait",
                  {{"tasks", asked.size()}, {"why", lives.status()}});
  }
  lookup_.Failed(std::move(asked), transaction.now().steady, random_());
}

void OutputsPartition::AskLater(std::span<const Awaited> asked, std::span<const TaskLife> lives,
                                absl::Duration now) {
  size_t unsaid = 0;
  for (size_t i = 0; i < asked.size(); ++i) {
    if (lives[i] != TaskLife::kUnsaid) continue;
    lookup_.AskLater(asked[i], now);
    ++unsaid;
  }
  if (unsaid == 0) return;
  platform::Log(platform::LogLevel::kWarn,
                "outputs: Inputs cannot say whether awaited tasks live; they wait",
                {{"tasks", unsaid}});
}

void OutputsPartition::OnLives(std::span<const Awaited> asked, std::span<const TaskLife> lives,
                               Transaction& transaction) {
  std::vector<TaskId> ended;
  for (size_t i = 0; i < asked.size(); ++i) {
    if (!WaitsOn(lives[i])) ended.push_back(asked[i].task);
  }
  // A result may have come since the store was read.
  std::vector<TaskId> absent;
  if (!LookUp(ended, nullptr, transaction, absent).ok()) {
    for (size_t i = 0; i < asked.size(); ++i) {
      if (!WaitsOn(lives[i])) lookup_.Add(asked[i], transaction.now().steady);
    }
    return;
  }
  const absl::flat_hash_set<TaskId> without_result(absent.begin(), absent.end());
  Deliveries deliveries;
  for (size_t i = 0; i < asked.size(); ++i) {
    if (WaitsOn(lives[i]) || !without_result.contains(asked[i].task)) continue;
    hub_.Resolve(asked[i].task, asked[i].stream,
                 lives[i] == TaskLife::kEnded ? Kind::kGone : Kind::kUnknown, deliveries);
  }
  deliveries.Send();
}

void OutputsPartition::FinishGroup(Transaction& transaction) {
  const platform::Now& now = transaction.now();
  book_->FinishGroup(transaction);
  if (!deliveries_.empty()) {
    transaction.OnDurable(
        [deliveries = std::exchange(deliveries_, {})]() mutable { deliveries.Send(); });
  }
  if (!yielded_.empty()) {
    std::sort(yielded_.begin(), yielded_.end());
    yielded_.erase(std::unique(yielded_.begin(), yielded_.end()), yielded_.end());
    TellFollowers(std::exchange(yielded_, {}), transaction);
  }
  if (auto idle = hub_.TakeIdle(); !idle.empty()) {
    transaction.OnDurable([idle = std::move(idle)] {
      for (const auto& sink : idle) sink->Finish();
    });
  }
  AskInputs(now.steady);
  const bool more = hub_.CleanUp();
  waiters_.Set(static_cast<double>(hub_.waiters()));
  results_.Set(static_cast<double>(book_->result_count()));
  fences_.Set(static_cast<double>(book_->fence_count()));
  bytes_.Set(static_cast<double>(book_->bytes()));

  next_wake_ = lookup_.NextDue();
  if (more) next_wake_ = now.steady;
  if (const absl::Time due = book_->NextDue(); due != absl::InfiniteFuture()) {
    const absl::Duration sleep = std::clamp(due - now.wall, absl::ZeroDuration(), kLongestSleep);
    next_wake_ = std::min(next_wake_, now.steady + sleep);
  }
}

}  // namespace kantoku::outputs
