#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/engine/engine.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

// Who is let in no more, and what becomes of what they hold.
namespace kantoku::inputs {

using platform::Block;
using platform::BlockNames;
using platform::Error;
using platform::Now;

absl::Status Engine::SetBlock(const Block& block, const Now& now, Effects& effects) {
  Advance(now);
  const auto known = block_numbers_.find(block.names);
  if (known == block_numbers_.end() && blocks_.size() >= options_.max_blocks) {
    return Error(absl::StatusCode::kResourceExhausted, "BLOCK_LIMIT",
                 absl::StrCat(blocks_.size(), " blocks are set, one more exceeds the limit of ",
                              options_.max_blocks));
  }
  const uint64_t number = known == block_numbers_.end() ? next_object_++ : known->second;
  block_numbers_.insert_or_assign(block.names, number);
  blocks_.Set(block);
  effects.blocks.push_back({number, block});
  EndBlocked(block, now, effects);
  return absl::OkStatus();
}

absl::Status Engine::LiftBlock(const BlockNames& names, Effects& effects) {
  const auto known = block_numbers_.find(names);
  if (known == block_numbers_.end()) {
    return Error(absl::StatusCode::kNotFound, "NO_SUCH_BLOCK",
                 absl::StrCat("no block of user \"", names.user, "\", app \"", names.app,
                              "\", executor \"", names.executor, "\" is set"));
  }
  effects.blocks.push_back({known->second, std::nullopt});
  block_numbers_.erase(known);
  blocks_.Lift(names);
  return absl::OkStatus();
}

void Engine::RecoverBlock(uint64_t number, const Block& block) {
  next_object_ = std::max(next_object_, number + 1);
  if (KANTOKU_PLANTED("block lost in recovery")) return;
  block_numbers_.insert_or_assign(block.names, number);
  blocks_.Set(block);
}

// Sessions of others go on, and so do those that were opened with a newer token than what is
// blocked; one that has shown a newer token since then is ended all the same, and comes back with
// it.
void Engine::EndBlocked(const Block& block, const Now& now, Effects& effects) {
  if (KANTOKU_PLANTED("who is blocked keeps what he holds")) return;
  for (const SessionNumber number : sessions_.Numbers()) {
    Session& session = sessions_.at(number);
    if (!block.Matches(session.caller, session.name, session.token_issued)) continue;
    Expel(session, platform::RefusalOf(block), now, effects);
  }
}

// The tasks are not to blame: no attempt is counted.
void Engine::Expel(Session& session, absl::Status why, const Now& now, Effects& effects) {
  if (session.connection != 0) {
    effects.closes.push_back({session.connection, std::move(why)});
    sessions_.Connect(session, 0);
    matcher_.Detach(session.number);
    SaySession(EventType::kExecutorDisconnected, session, effects);
  }
  EndSession(session.number, /*lost=*/false, now, effects);
}

}  // namespace kantoku::inputs
