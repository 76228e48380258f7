#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/inputs/partition/in_inbox.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/partition/record_codec.h"
#include "services/inputs/partition/spawn_refusal.h"
#include "services/platform/identity/refusal.h"
#include "services/platform/log/log.h"
#include "services/platform/status.h"
#include "services/platform/utf8.h"

// Tasks that were spawned by SQL. Their records lie in the store before we know of them; each goes
// with the very batch that makes its task durable, or that follows Outputs' word on its end.
//
// A record is seen in the store until the batch that erases it is durable, and several groups may
// be under way: until then InboxBook has it in hand, so that it is not taken twice.
namespace kantoku::inputs {

using platform::Error;
using platform::Transaction;

namespace {

using Stage = InboxBook::Stage;

// Of one task, those that it names and those that these name.
constexpr int kMostNested = 64;
// What a step takes, so that it stays short and its batch is one that a store can commit.
constexpr size_t kMostTaken = 1'000;
constexpr size_t kMostBytes = size_t{8} << 20;
constexpr size_t kReadBytes = size_t{4} << 20;
// How many records are read at once whose sizes nobody knows, at first and at most.
constexpr size_t kFewKeys = 4;
constexpr size_t kManyKeys = 1'024;
constexpr size_t kMostReasonBytes = 1'000;
constexpr uint32_t kRetentionOfRefused = 86'400;  // Seconds.

bool KeepsOrder(const SpawnBatch& batch) {
  const TaskKeys* const keys = batch.specs.front().keys.get();
  return keys != nullptr && !keys->ordering.empty();
}

// Bounds of its namespace, which end a task as those of a type do; beyond the server's it waits.
bool IsOfNamespace(const absl::Status& limit) {
  const std::string reason = platform::ReasonOf(limit);
  return reason == "PLACEMENT_LIMIT" || reason == "KEY_LIMIT";
}

// Its payload and options are not kept: it can never be restarted.
StoredInbox RefusedRecord(const InboxBook::Entry& entry) {
  return {.id = entry.id,
          .role = entry.role,
          .name_space = entry.name_space,
          .owner = entry.owner,
          .type = entry.type,
          .options = {},
          .payload = {},
          .refusal = entry.why};
}

Failure FailureOf(const absl::Status& why) {
  const std::string_view message(why.message().data(), why.message().size());
  return {platform::ReasonOf(why),
          std::string(message.substr(0, platform::Utf8Prefix(message, kMostReasonBytes)))};
}

}  // namespace

// ---- Taking ----

absl::StatusOr<std::optional<TaskKey>> Partition::TakeKeys(std::span<const TaskKey> keys,
                                                           const Taking& taking,
                                                           Transaction& transaction) {
  if (options_.read_inbox == nullptr) return std::nullopt;
  if (taking_ == 0) {
    inbox_.ForgetLeft();
    taken_ = taken_bytes_ = 0;
  }
  std::vector<TaskKey> free;
  std::ranges::copy_if(keys, std::back_inserter(free),
                       [this](TaskKey key) { return !inbox_.Holds(key); });
  std::ranges::sort(free);
  free.erase(std::unique(free.begin(), free.end()), free.end());
  size_t at_once = taking.at_once;
  for (std::span<const TaskKey> rest(free); !rest.empty();) {
    const auto some = rest.first(std::min(at_once, rest.size()));
    KANTOKU_ASSIGN_OR_RETURN(const InboxPage page, ReadInbox(some));
    for (const auto& [key, bytes] : page.records) {
      // What others in hand name has been read, and is put when these are.
      const bool is_full = taken_ >= kMostTaken || taken_bytes_ >= kMostBytes ||
                           transaction.batch().bytes() >= kMostBytes;
      if (is_full) return key;
      ++taking_;
      TakeOne(key, bytes, taking.out_of_turn, transaction);
      --taking_;
    }
    const auto read = page.next.has_value() ? std::ranges::find(some, *page.next) - some.begin()
                                            : std::ssize(some);
    rest = rest.subspan(static_cast<size_t>(read));
    at_once = page.next.has_value() ? std::max<size_t>(page.records.size(), 1)
                                    : std::min(2 * at_once, kManyKeys);
  }
  return std::nullopt;
}

absl::StatusOr<Partition::InboxPage> Partition::ReadInbox(std::span<const TaskKey> keys) {
  InboxPage page;
  size_t bytes = 0;
  KANTOKU_RETURN_IF_ERROR(
      store_->Read({ToKind(RecordKind::kInbox), keys}, [&](TaskKey key, std::string_view record) {
        if (bytes >= kReadBytes) {
          if (!page.next.has_value()) page.next = key;
          return;
        }
        bytes += record.size();
        page.records.emplace_back(key, record);
      }));
  return page;
}

void Partition::TakeOne(TaskKey key, std::string_view bytes, bool out_of_turn,
                        Transaction& transaction) {
  if (inbox_.Holds(key)) return;  // Taken by one before it that names it.
  const auto record = DecodeInbox(bytes);
  if (!record.ok() || record->id.key() != key) {
    // Of none that kantoku.spawn has put there anything is known that could be ended.
    inbox_.LeaveUnread(key);
    return TellOfInbox(Error(absl::StatusCode::kDataLoss, "DAMAGED_RECORD",
                             absl::StrCat("the record with key ", key, " is damaged")));
  }
  ++taken_;
  taken_bytes_ += bytes.size();
  inbox_.Take(*record, bytes.size());
  if (!record->refusal.empty()) {
    if (!inbox_.Refuse(key, record->refusal)) return inbox_.Leave(key);
    return EndRefused(key);
  }
  if (engine_.KnowsKey(key)) {
    // A sequence of ids went back, as it may with a database that was restored.
    return RefuseTaken(key,
                       Error(absl::StatusCode::kAlreadyExists, "ID_TAKEN",
                             "another task was given the place of this id"),
                       transaction);
  }
  auto batch = options_.read_inbox(*record, transaction.now().wall);
  if (absl::IsUnavailable(batch.status())) return LeaveTaken(key, batch.status());
  if (!batch.ok()) return RefuseTaken(key, batch.status(), transaction);
  // Whatever is before it in that order is found with it when it is its turn.
  if (out_of_turn && KeepsOrder(**batch)) return inbox_.Leave(key);
  TryAdmit(AdmissionOfTaken(key, *std::move(batch)), transaction);
}

void Partition::TakeSoon(std::vector<TaskKey> keys) {
  if (keys.empty()) return;
  (void)PostUrgent([this, keys = std::move(keys)](Transaction& transaction) mutable {
    const auto next = TakeKeys(keys, {.at_once = kFewKeys}, transaction);
    if (!next.ok() || !next->has_value()) return;
    std::erase_if(keys, [&next](TaskKey key) { return key < **next; });
    TakeSoon(std::move(keys));
  });
}

absl::StatusOr<std::optional<TaskId>> Partition::TakeNamed(std::span<const TaskId> tasks,
                                                           Transaction& transaction) {
  std::vector<TaskKey> keys;
  const auto may_be_there = [this](const TaskId& task) {
    return task.made_outside() && !engine_.KnowsKey(task.key());
  };
  for (const TaskId& task : tasks) {
    if (may_be_there(task)) keys.push_back(task.key());
  }
  if (keys.empty()) return std::nullopt;
  if (taking_ == kMostNested) return *std::ranges::find_if(tasks, may_be_there);
  KANTOKU_ASSIGN_OR_RETURN(const auto next,
                           TakeKeys(keys, {.at_once = kFewKeys, .out_of_turn = true}, transaction));
  if (!next.has_value()) return std::nullopt;
  return *std::ranges::find(tasks, *next, &TaskId::key);
}

namespace {

std::vector<TaskId> NamedBy(const SpawnBatch& batch) {
  std::vector<TaskId> named;
  // What a handler may name lives, or has lived.
  if (batch.handler.has_value()) return named;
  for (const TaskSpec& spec : batch.specs) {
    for (const TaskId& kin : {spec.parent, spec.root}) {
      if (kin.made_outside()) named.push_back(kin);
    }
    for (const Dependency& dependency : spec.dependencies) {
      if (dependency.task.made_outside()) named.push_back(dependency.task);
    }
  }
  return named;
}

}  // namespace

absl::StatusOr<std::optional<TaskId>> Partition::FindInInbox(const SpawnBatch& batch,
                                                             Transaction& transaction) {
  const std::vector<TaskId> named = NamedBy(batch);
  KANTOKU_ASSIGN_OR_RETURN(const auto no_room, TakeNamed(named, transaction));
  if (no_room.has_value()) return no_room;
  const platform::Viewer owner =
      platform::Viewer(platform::Onlooker(batch.owner, {batch.name_space}));
  for (const TaskId& task : named) {
    const InboxBook::Entry* const entry = inbox_.Find(task);
    if (entry == nullptr || entry->stage == Stage::kLeaving) continue;
    if (owner.Sees(entry->name_space, entry->owner)) return task;
  }
  return std::nullopt;
}

// ---- What becomes of them ----

void Partition::FinishTaken(TaskKey key, const absl::StatusOr<SpawnOutcome>& outcome,
                            Transaction& transaction) {
  // The inbox is a queue: what the whole server has no room for waits there.
  if (absl::IsResourceExhausted(outcome.status()) && !IsOfNamespace(outcome.status())) {
    return LeaveTaken(key, outcome.status());
  }
  if (!outcome.ok()) return RefuseTaken(key, outcome.status(), transaction);
  const SpawnOutcome::Item& item = outcome->items.front();
  if (item.created) return EraseTaken(key, transaction);
  const absl::Status refusal = RefusalOf(item);
  if (!refusal.ok()) return RefuseTaken(key, refusal, transaction);
  // Whoever spawned it has its id, and can get no other.
  RefuseTaken(
      key,
      Error(absl::StatusCode::kAlreadyExists, "REFERENCE_TAKEN",
            absl::StrCat("reference: belongs to task ", item.id.ToString(), ", which is the same")),
      transaction);
}

void Partition::LeaveTaken(TaskKey key, const absl::Status& why) {
  inbox_.Leave(key);
  TellOfInbox(why);
}

void Partition::TellOfInbox(const absl::Status& why) {
  // How full the server is changes all the time.
  const bool is_full = absl::IsResourceExhausted(why);
  if (!inbox_.IsNews(is_full ? platform::ReasonOf(why) : std::string(why.message()))) return;
  platform::Log(platform::LogLevel::kWarn, "inputs: a task from SQL waits in the database",
                {{"partition", options_.name}, {"why", why}});
}

// Outputs hears of it when the record that says so is durable: a takeover or a crash that comes
// between cannot admit what its waiter believes to have failed.
void Partition::RefuseTaken(TaskKey key, const absl::Status& why, Transaction& transaction) {
  if (!inbox_.Refuse(key, FailureOf(why))) return inbox_.Leave(key);
  scratch_.clear();
  Encode(RefusedRecord(inbox_.at(key)), scratch_);
  transaction.batch().Put(ToKind(RecordKind::kInbox), key, scratch_);
  EndRefused(key);
}

void Partition::EndRefused(TaskKey key) {
  const InboxBook::Entry& refused = inbox_.at(key);
  effects_.fences.push_back({.task = refused.id,
                             .dispatch = 0,
                             .name_space = refused.name_space,
                             .owner = refused.owner,
                             .settlement = FenceMessage::Settlement{TaskState::kFailed, refused.why,
                                                                    kRetentionOfRefused}});
}

void Partition::EraseTaken(TaskKey key, Transaction& transaction) {
  transaction.batch().Erase(ToKind(RecordKind::kInbox), key);
  erased_.push_back(key);
  inbox_.Erase(key);
  TakeSoon(inbox_.TakePutOff(key));
}

void Partition::ForgetErased(Transaction& transaction) {
  inbox_.ForgetLeft();
  if (erased_.empty()) return;
  transaction.OnDurable([this, keys = std::exchange(erased_, {})] {
    (void)PostUrgent([this, keys](Transaction&) {
      for (const TaskKey key : keys) inbox_.Forget(key);
    });
  });
}

void Partition::BuryRefused(const FenceAnswer& answer, Transaction& transaction) {
  const InboxBook::Entry* const refused = inbox_.Find(answer.task);
  if (refused == nullptr || refused->stage != Stage::kRefused) return;
  if (!answer.terminal.has_value()) return;
  effects_.events.push_back({.type = EventType::kTaskFinished,
                             .task = refused->id,
                             .name_space = refused->name_space,
                             .owner = refused->owner,
                             .task_type = refused->type,
                             .session = {},
                             .state = *answer.terminal,
                             .failure = refused->why});
  engine_.Bury({.id = refused->id,
                .name_space = refused->name_space,
                .owner = refused->owner,
                .type = refused->type,
                .state = *answer.terminal,
                .ended_at = transaction.now().wall,
                .last_failure = refused->why});
  EraseTaken(answer.task.key(), transaction);
}

// ---- What calls find ----

namespace {

// As it is told of until it is a task.
TaskView ViewOf(const InboxBook::Entry& entry) {
  TaskView view{.id = entry.id,
                .name_space = entry.name_space,
                .owner = entry.owner,
                .type = entry.type,
                .state = TaskState::kScheduled};
  if (entry.stage != Stage::kRefused) return view;
  view.state = TaskState::kSettling;
  view.last_failure = entry.why;
  return view;
}

}  // namespace

absl::StatusOr<Partition::Views> Partition::LookEverywhere(const Named& named,
                                                           Transaction& transaction) {
  KANTOKU_ASSIGN_OR_RETURN(const auto no_room, TakeNamed(named.tasks, transaction));
  if (no_room.has_value()) return InInbox(*no_room);
  KANTOKU_ASSIGN_OR_RETURN(Views views, named.trees
                                            ? LookAtTrees(named.tasks, named.viewers.front())
                                            : Look(named.tasks, named.viewers));
  LookInInbox(named, views);
  return views;
}

void Partition::LookInInbox(const Named& named, Views& views) const {
  for (size_t i = 0; i < views.size(); ++i) {
    if (!absl::IsNotFound(views[i].status())) continue;
    const InboxBook::Entry* const entry = inbox_.Find(named.tasks[i]);
    if (entry == nullptr || entry->stage == Stage::kLeaving) continue;
    const platform::Viewer& viewer = named.viewers[named.viewers.size() == 1 ? 0 : i];
    if (!viewer.Sees(entry->name_space, entry->owner)) {
      views[i] = platform::Hidden(views[i].status());
    } else if (named.shows_inbox) {
      views[i] = ViewOf(*entry);
    } else {
      views[i] = InInbox(entry->id);
    }
  }
}

}  // namespace kantoku::inputs
