#include "tests/support/replica_board.h"

#include <utility>

#include "services/platform/status.h"

namespace kantoku::platform {

class ReplicaBoard::Connection final : public ReplicaDirectory {
 public:
  explicit Connection(ReplicaBoard& board) : board_(board) {}

  absl::StatusOr<uint32_t> CountPartitions(uint32_t wanted) override {
    const auto count = static_cast<uint32_t>(board_.owners().size());
    if (wanted == 0 || wanted == count) return count;
    return Error(absl::StatusCode::kFailedPrecondition, kPartitionCountDiffers, "of a board");
  }

  absl::StatusOr<ReplicaView> Beat(const Replica& self, absl::Duration lease) override {
    ReplicaView view;
    KANTOKU_RETURN_IF_ERROR(Do(self.id, "Beat", [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(board_.mu_) {
      const absl::Duration now = board_.clock_.Read().steady;
      board_.rows_[self.id] = {
          .address = self.address, .leaving = self.leaving, .expires = now + lease};
      for (const auto& [id, row] : board_.rows_) {
        if (row.expires > now)
          view.living.push_back({.id = id, .address = row.address, .leaving = row.leaving});
      }
      view.owners = board_.owners_;
    }));
    return view;
  }

  absl::StatusOr<bool> Claim(std::string_view id, uint32_t partition) override {
    bool is_ours = false;
    KANTOKU_RETURN_IF_ERROR(Do(id, "Claim", [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(board_.mu_) {
      std::string& owner = board_.owners_[partition];
      const auto lives = [&](std::string_view who) ABSL_EXCLUSIVE_LOCKS_REQUIRED(board_.mu_) {
        const auto row = board_.rows_.find(who);
        return row != board_.rows_.end() && row->second.expires > board_.clock_.Read().steady;
      };
      is_ours = owner == id || (lives(id) && !lives(owner));
      if (is_ours) owner = id;
    }));
    return is_ours;
  }

  absl::Status Release(std::string_view id, uint32_t partition) override {
    return Do(id, "Release", [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(board_.mu_) {
      std::string& owner = board_.owners_[partition];
      if (owner == id) owner.clear();
    });
  }

  absl::Status Leave(std::string_view id) override {
    return Do(id, "Leave", [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(board_.mu_) {
      const auto row = board_.rows_.find(id);
      if (row != board_.rows_.end()) board_.rows_.erase(row);
      for (std::string& owner : board_.owners_) {
        if (owner == id) owner.clear();
      }
    });
  }

 private:
  template <typename Work>
  absl::Status Do(std::string_view id, std::string_view method, Work work) {
    Gate before, after;
    {
      MutexLock lock(board_.mu_);
      before = board_.gate_;
      after = board_.answer_gate_;
    }
    KANTOKU_RETURN_IF_ERROR(before(id, method));
    {
      MutexLock lock(board_.mu_);
      work();
    }
    return after(id, method);
  }

  ReplicaBoard& board_;
};

std::unique_ptr<ReplicaDirectory> ReplicaBoard::Connect() {
  return std::make_unique<Connection>(*this);
}

void ReplicaBoard::set_gate(Gate gate) {
  MutexLock lock(mu_);
  gate_ = std::move(gate);
}

void ReplicaBoard::set_answer_gate(Gate gate) {
  MutexLock lock(mu_);
  answer_gate_ = std::move(gate);
}

std::vector<std::string> ReplicaBoard::owners() const {
  MutexLock lock(mu_);
  return owners_;
}

void ReplicaBoard::set_owner(uint32_t partition, std::string id) {
  MutexLock lock(mu_);
  owners_[partition] = std::move(id);
}

}  // namespace kantoku::platform
