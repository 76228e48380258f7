#include "services/platform/identity/block_list.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::platform {

bool Block::Matches(const Caller& caller, std::string_view executor, absl::Time issued) const {
  return (names.user.empty() || names.user == caller.subject) &&
         (names.app.empty() || names.app == caller.client_id) &&
         (names.executor.empty() || names.executor == executor) && issued <= tokens_until;
}

absl::Status RefusalOf(const Block& block) {
  const std::string_view what = !block.names.executor.empty() ? "the executor"
                                : !block.names.user.empty()   ? "the user"
                                                              : "the app";
  const bool for_good = block.tokens_until == absl::InfiniteFuture();
  return Error(
      absl::StatusCode::kUnauthenticated, for_good ? "BLOCKED" : "TOKEN_BLOCKED",
      absl::StrCat(ToAbsl(what), " is blocked", for_good ? "" : " with tokens as old as this one",
                   block.reason.empty() ? "" : ": ", block.reason));
}

void BlockList::Set(Block block) {
  BlockNames names = block.names;
  blocks_.insert_or_assign(std::move(names), std::move(block));
}

bool BlockList::Lift(const BlockNames& names) { return blocks_.erase(names) > 0; }

const Block* BlockList::Find(const Caller& caller, std::string_view executor,
                             absl::Time issued) const {
  if (blocks_.empty()) return nullptr;
  constexpr unsigned kUser = 1;
  constexpr unsigned kApp = 2;
  constexpr unsigned kExecutor = 4;
  const unsigned all = kUser | kApp | (executor.empty() ? 0 : kExecutor);
  for (unsigned part = 1; part <= all; ++part) {
    const auto found = blocks_.find(BlockNamesOf<std::string_view>{
        (part & kUser) != 0 ? std::string_view(caller.subject) : std::string_view(),
        (part & kApp) != 0 ? std::string_view(caller.client_id) : std::string_view(),
        (part & kExecutor) != 0 ? executor : std::string_view()});
    if (found != blocks_.end() && issued <= found->second.tokens_until) return &found->second;
  }
  return nullptr;
}

}  // namespace kantoku::platform
