#include "tests/simulation/world/liar.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/simulation/world/names.h"
#include "tests/simulation/world/places.h"

namespace kantoku::simulation {
namespace {

constexpr size_t kMostKnown = 30;

template <typename Report>
void Name(const TaskId& task, uint32_t dispatch, Report& report) {
  report.set_task_id(task.bytes().data(), task.bytes().size());
  report.set_dispatch(dispatch);
}

}  // namespace

Liar::Liar(const Scene& scene, int number, Gateway& gateway, OutputsServer& outputs,
           const Model& model)
    : scene_(scene),
      gateway_(gateway),
      outputs_(outputs),
      model_(model),
      caller_{absl::StrCat("liar-", number), "app"},
      name_space_(kNamespaces[static_cast<size_t>(number) % kNamespaces.size()]),
      session_(NewSession(scene.random)) {}

Liar::Known Liar::Anything() {
  Known any;
  if (!known_.empty() && scene_.random.Chance(50)) {
    any = known_[scene_.random.Pick(known_.size())];
  } else if (!model_.recent().empty()) {
    any.task = model_.recent()[scene_.random.Pick(model_.recent().size())];
    const ModelTask* const task = model_.Find(any.task);
    any.dispatch = task != nullptr && scene_.random.Chance(70)
                       ? task->dispatch
                       : static_cast<uint32_t>(scene_.random.Pick(4));
  }
  if (any.receipt.empty() || scene_.random.Chance(20)) {
    any.receipt = known_.empty() || scene_.random.Chance(50)
                      ? "a receipt that I made up"
                      : known_[scene_.random.Pick(known_.size())].receipt;
  }
  if (any.receipt.empty()) any.receipt = "none";
  return any;
}

void Liar::Connect(const SessionId& session, bool foreign) {
  speaks_as_ = session;
  connection_ = gateway_.Open(caller_, session, foreign);
  inputs::v1::PullRequest request;
  inputs::v1::Hello& hello = *request.mutable_hello();
  hello.set_session_id(session.bytes().data(), session.bytes().size());
  hello.set_namespace_(name_space_);
  for (const std::string_view type : kTypes) {
    if (scene_.random.Chance(60)) hello.add_types(std::string(type));
  }
  if (hello.types().empty()) hello.add_types(std::string(kTypes[0]));
  AnnounceLabels(scene_.random, hello);
  hello.mutable_credit()->set_max_held(static_cast<uint32_t>(scene_.random.Pick(4)));
  while (scene_.random.Chance(60)) {
    const Known any = Anything();
    if (any.task.empty()) break;
    inputs::v1::Held& held = *hello.add_held();
    Name(any.task, any.dispatch, held);
    held.set_started(scene_.random.Chance(50));
    held.set_paused(scene_.random.Chance(20));
    if (scene_.random.Chance(30)) held.set_receipt(any.receipt);
  }
  connection_->Say(std::move(request));
}

void Liar::Hear() {
  if (connection_->over()) {
    connection_ = nullptr;
    return;
  }
  if (!connection_->CanHear()) return;
  const inputs::v1::PullResponse frame = connection_->Hear();
  for (const auto& task : frame.tasks()) {
    known_.push_back({.task = *TaskId::FromBytes(task.task_id()),
                      .dispatch = task.dispatch(),
                      .lease_token = task.lease_token()});
    if (known_.size() > kMostKnown) known_.erase(known_.begin());
  }
}

void Liar::Say() {
  const Known any = Anything();
  if (any.task.empty()) return;
  scene_.coverage.Count(Deed::kLie);
  inputs::v1::PullRequest request;
  switch (scene_.random.Pick(7)) {
    case 0:
      Name(any.task, any.dispatch, *request.add_started());
      break;
    case 1: {
      inputs::v1::Ack& ack = *request.add_acks();
      Name(any.task, any.dispatch, ack);
      ack.set_receipt(any.receipt);
      break;
    }
    case 2: {
      inputs::v1::Nack& nack = *request.add_nacks();
      Name(any.task, any.dispatch, nack);
      nack.set_kind(static_cast<inputs::v1::NackKind>(1 + scene_.random.Pick(4)));
      nack.mutable_error()->set_reason("BORED");
      break;
    }
    case 3: {
      inputs::v1::Progress& progress = *request.add_progress();
      Name(any.task, any.dispatch, progress);
      progress.set_fraction(1);
      break;
    }
    case 4: {
      inputs::v1::HandlerStatus& status = *request.add_handler_states();
      Name(any.task, any.dispatch, status);
      status.set_number(static_cast<uint32_t>(scene_.random.Pick(3)));
      status.set_state(scene_.random.Chance(50) ? inputs::v1::HANDLER_STATE_PAUSED
                                                : inputs::v1::HANDLER_STATE_RUNNING);
      break;
    }
    case 5: {
      inputs::v1::Checkpoint& checkpoint = *request.add_checkpoints();
      Name(any.task, any.dispatch, checkpoint);
      checkpoint.set_number(1 + scene_.random.Pick(3));
      checkpoint.set_data(absl::StrCat(speaks_as_.ToString(), " lies"));
      break;
    }
    default:
      request.mutable_credit()->set_max_held(static_cast<uint32_t>(scene_.random.Pick(6)));
      break;
  }
  connection_->Say(std::move(request));
}

void Liar::Put(const SessionId& victim) {
  if (known_.empty()) return;
  Known& known = known_[scene_.random.Pick(known_.size())];
  const SessionId& session = scene_.random.Chance(80) ? session_ : victim;
  outputs::v1::PutRequest request;
  request.set_session_id(session.bytes().data(), session.bytes().size());
  request.add_items()->set_lease_token(known.lease_token);
  scene_.coverage.Count(Deed::kPut);
  const auto response = outputs_.Put(request, caller_);
  if (!response.ok()) return;
  if (response->results(0).status().code() == 0) known.receipt = response->results(0).receipt();
}

void Liar::Leave() {
  if (connection_ == nullptr) return;
  connection_->Cut(scene_.random);
  connection_ = nullptr;
}

void Liar::Act(const SessionId& victim) {
  const uint64_t kind = scene_.random.Pick(100);
  if (connection_ == nullptr) {
    if (kind < 30) session_ = NewSession(scene_.random);
    if (kind < 85) return Connect(session_, false);
    return Connect(victim, true);
  }
  if (kind < 50) return Hear();
  if (kind < 80) return Say();
  if (kind < 97) return Put(victim);
  Leave();
}

}  // namespace kantoku::simulation
