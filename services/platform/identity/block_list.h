#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_BLOCK_LIST_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_BLOCK_LIST_H_

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/auth/tokens.h"

namespace kantoku::platform {

// Whom a block is about: all that is not empty has to match, and something is not.
template <typename Text>
struct BlockNamesOf {
  Text user;
  Text app;
  Text executor;  // As its hello says.

  bool empty() const { return user.empty() && app.empty() && executor.empty(); }
  bool operator==(const BlockNamesOf&) const = default;
};
using BlockNames = BlockNamesOf<std::string>;

struct ByBlockNames {
  using is_transparent = void;
  template <typename A, typename B>
  bool operator()(const BlockNamesOf<A>& a, const BlockNamesOf<B>& b) const {
    return std::tuple<std::string_view, std::string_view, std::string_view>(a.user, a.app,
                                                                            a.executor) <
           std::tuple<std::string_view, std::string_view, std::string_view>(b.user, b.app,
                                                                            b.executor);
  }
};

// Says that somebody is to be let in no more.
struct Block {
  BlockNames names;
  absl::Time tokens_until = absl::InfiniteFuture();  // Only tokens issued until then.
  std::string reason;                                // For people.
  std::string set_by;
  absl::Time set = absl::UnixEpoch();

  // `executor` is empty where nobody says that it is one.
  bool Matches(const Caller& caller, std::string_view executor, absl::Time issued) const;
  bool operator==(const Block&) const = default;
};

// What those hear whom a block refuses. UNAUTHENTICATED: BLOCKED; TOKEN_BLOCKED where a newer token
// is let in.
absl::Status RefusalOf(const Block& block);

// The blocks of an installation, by their names.
//
// Thread-compatible. A value.
class BlockList {
 public:
  // Replaces the one of the same names.
  void Set(Block block);
  // Whether there was one.
  bool Lift(const BlockNames& names);

  bool Has(const BlockNames& names) const { return blocks_.contains(names); }
  // One that refuses whoever shows a token that was issued then; null: none does. At most seven
  // look-ups.
  const Block* Find(const Caller& caller, std::string_view executor, absl::Time issued) const;

  const std::map<BlockNames, Block, ByBlockNames>& all() const { return blocks_; }
  size_t size() const { return blocks_.size(); }
  bool empty() const { return blocks_.empty(); }

 private:
  std::map<BlockNames, Block, ByBlockNames> blocks_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_BLOCK_LIST_H_
