#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/partition/record_codec.h"
#include "services/platform/status.h"

// What the store holds, into the engine, in the order that engine.h asks for.
namespace kantoku::inputs {

template <typename Decoder, typename Use>
absl::Status Partition::RecoverKind(RecordKind kind, Decoder decode, Use use) {
  absl::Status status;
  const absl::Status scanned =
      store_->Scan({.kind = ToKind(kind)}, [&](uint64_t key, std::string_view bytes) {
        if (!status.ok()) return;
        auto record = decode(bytes);
        if (record.ok()) {
          use(key, *std::move(record));
        } else {
          status = platform::Annotate(record.status(), absl::StrCat("recover key ", key));
        }
      });
  return scanned.ok() ? status : scanned;
}

absl::Status Partition::Recover() {
  KANTOKU_RETURN_IF_ERROR(RecoverMeta());
  KANTOKU_RETURN_IF_ERROR(
      RecoverKind(RecordKind::kHighWater, DecodeNumber, [&](uint64_t slot, uint64_t reserved) {
        engine_.RecoverHighWater(static_cast<uint32_t>(slot), reserved);
      }));
  KANTOKU_RETURN_IF_ERROR(
      RecoverKind(RecordKind::kHistory, DecodeEnded,
                  [&](uint64_t row, auto tasks) { engine_.RecoverHistory(row, tasks); }));
  KANTOKU_RETURN_IF_ERROR(
      RecoverKind(RecordKind::kDead, DecodeEnded,
                  [&](uint64_t row, auto tasks) { engine_.RecoverDead(row, tasks); }));
  KANTOKU_RETURN_IF_ERROR(
      RecoverKind(RecordKind::kSession, DecodeSession, [&](uint64_t number, auto session) {
        engine_.RecoverSession(static_cast<SessionNumber>(number), session);
      }));
  uint64_t misplaced = 0;
  KANTOKU_RETURN_IF_ERROR(
      RecoverKind(RecordKind::kSpec, DecodeSpec, [&](uint64_t key, const StoredSpec& record) {
        if (record.id.key() != key) {
          ++misplaced;
          return;
        }
        engine_.RecoverTask(record.id, record.name_space, record.owner, record.spec);
      }));
  if (misplaced > 0) {
    return platform::Error(absl::StatusCode::kDataLoss, "DAMAGED_RECORD",
                           absl::StrCat(misplaced, " records of kind spec are of other tasks"));
  }
  KANTOKU_RETURN_IF_ERROR(
      RecoverKind(RecordKind::kState, DecodeState,
                  [&](uint64_t task, auto record) { engine_.RecoverState(task, record); }));
  KANTOKU_RETURN_IF_ERROR(
      RecoverKind(RecordKind::kGroup, DecodeGroup,
                  [&](uint64_t number, auto record) { engine_.RecoverGroup(number, record); }));
  KANTOKU_RETURN_IF_ERROR(
      RecoverKind(RecordKind::kTree, DecodeTree,
                  [&](uint64_t, const TreeRecord& record) { engine_.RecoverTree(record); }));
  KANTOKU_RETURN_IF_ERROR(RecoverKind(RecordKind::kCheckpoint, DecodeCheckpoint,
                                      [&](uint64_t task, const StoredCheckpoint& checkpoint) {
                                        checkpoints_.Recover(task, checkpoint.data.size());
                                      }));
  KANTOKU_RETURN_IF_ERROR(
      RecoverKind(RecordKind::kEndedDependency, DecodeEndedDependency,
                  [&](uint64_t, const auto& record) { engine_.RecoverEndedDependency(record); }));
  KANTOKU_RETURN_IF_ERROR(
      RecoverKind(RecordKind::kReference, DecodeReference,
                  [&](uint64_t, auto record) { engine_.RecoverReference(record); }));
  KANTOKU_RETURN_IF_ERROR(RecoverKind(
      RecordKind::kRequest, DecodeRequest,
      [&](uint64_t number, auto record) { engine_.RecoverRequest(number, std::move(record)); }));
  KANTOKU_RETURN_IF_ERROR(
      RecoverKind(RecordKind::kObject, DecodeObject, [&](uint64_t number, auto record) {
        if (const auto* const route = std::get_if<RouteRecord>(&record)) {
          engine_.RecoverRoute(number, *route);
        } else {
          engine_.RecoverBlock(number, std::get<platform::Block>(record));
        }
      }));
  KANTOKU_RETURN_IF_ERROR(
      RecoverKind(RecordKind::kAdmission, DecodeAdmission, [&](uint64_t number, auto record) {
        if (const auto* const limit = std::get_if<LimitRecord>(&record)) {
          engine_.RecoverLimit(number, *limit);
        } else {
          engine_.RecoverPause(number, std::get<PauseRecord>(record));
        }
      }));
  KANTOKU_RETURN_IF_ERROR(RecoverKind(
      RecordKind::kRestart, DecodeRestart,
      [&](uint64_t dead, const RestartRecord& record) { engine_.RecoverRestart(dead, record); }));
  KANTOKU_RETURN_IF_ERROR(RecoverKind(RecordKind::kInfo, DecodeInfo, [&](uint64_t task, Info info) {
    engine_.RecoverInfo(task, std::move(info));
  }));
  KANTOKU_RETURN_IF_ERROR(
      RecoverKind(RecordKind::kReuse, DecodeReuse,
                  [&](uint64_t, const ReuseRecord& record) { engine_.RecoverReuse(record); }));
  return RecoverOutbox();
}

absl::Status Partition::RecoverMeta() {
  absl::flat_hash_map<uint64_t, uint64_t> meta;
  KANTOKU_RETURN_IF_ERROR(RecoverKind(RecordKind::kMeta, DecodeNumber,
                                      [&](uint64_t key, uint64_t number) { meta[key] = number; }));
  platform::WriteBatch batch;
  const auto keep = [&](MetaKey key, uint64_t made) {
    const auto [entry, added] = meta.try_emplace(static_cast<uint64_t>(key), made);
    if (added) {
      scratch_.clear();
      Encode(made, scratch_);
      batch.Put(ToKind(RecordKind::kMeta), entry->first, scratch_);
    }
    return entry->second;
  };
  reserved_outbox_ = meta[static_cast<uint64_t>(MetaKey::kNextOutbox)];
  const uint64_t incarnation = keep(MetaKey::kIncarnation, random_() | 1);
  const uint64_t slots = keep(MetaKey::kSlotCount, options_.engine.slot_count);
  if (slots != options_.engine.slot_count) {
    return platform::Error(
        absl::StatusCode::kFailedPrecondition, "SLOT_COUNT_DIFFERS",
        absl::StrCat(options_.name, ": was made with ", slots, " slots, and this program has ",
                     options_.engine.slot_count, "; namespaces would not be found in theirs"));
  }
  if (!batch.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(const uint64_t last, store_->LastBatch());
    batch.set_number(last + 1);
    KANTOKU_RETURN_IF_ERROR(store_->Commit(batch));
  }
  event_source_ = absl::StrFormat("%s/%016x", options_.name, incarnation);
  return absl::OkStatus();
}

// Before there was a mark, lines were numbered no faster than batches.
absl::Status Partition::RecoverOutbox() {
  KANTOKU_ASSIGN_OR_RETURN(const uint64_t last_batch, store_->LastBatch());
  next_outbox_ = std::max(reserved_outbox_, last_batch + 1);
  return store_->Scan({.kind = ToKind(RecordKind::kOutbox)},
                      [&](uint64_t number, std::string_view bytes) {
                        outbox_.emplace_back(number, bytes.size());
                        outbox_bytes_ += bytes.size();
                        last_outbox_ = number;
                        recovered_outbox_.emplace_back(number, std::string(bytes));
                      });
}

}  // namespace kantoku::inputs
