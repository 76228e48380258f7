// Any bytes are refused as a record, or mean what their fields mean when they are written again.
// The first byte chooses the kind.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "services/inputs/partition/record_codec.h"
#include "services/platform/check.h"

namespace {

namespace inputs = ::kantoku::inputs;

template <typename Record, typename Decode>
Record WrittenAgain(const Record& record, Decode decode) {
  std::string bytes;
  inputs::Encode(record, bytes);
  const auto again = decode(bytes);
  KANTOKU_CHECK(again.ok());
  return *again;
}

template <typename Decode>
void Check(std::string_view bytes, Decode decode) {
  const auto record = decode(bytes);
  if (record.ok()) KANTOKU_CHECK(WrittenAgain(*record, decode) == *record);
}

// Of records of several kinds.
template <typename Decode>
void CheckEither(std::string_view bytes, Decode decode) {
  const auto either = decode(bytes);
  if (!either.ok()) return;
  std::visit(
      [&](const auto& record) {
        std::string again;
        inputs::Encode(record, again);
        KANTOKU_CHECK(*decode(again) == *either);
      },
      *either);
}

// Its data lives in the bytes.
void CheckCheckpoint(std::string_view bytes) {
  const auto checkpoint = inputs::DecodeCheckpoint(bytes);
  if (!checkpoint.ok()) return;
  std::string record;
  inputs::Encode(*checkpoint, record);
  const auto again = inputs::DecodeCheckpoint(record);
  KANTOKU_CHECK(again.ok() && again->id == checkpoint->id);
  KANTOKU_CHECK(again->dispatch == checkpoint->dispatch && again->data == checkpoint->data);
}

template <typename Value>
bool SameValue(const Value& a, const Value& b) {
  return (a == nullptr) == (b == nullptr) && (a == nullptr || *a == *b);
}

void CheckSpec(std::string_view bytes) {
  const auto stored = inputs::DecodeSpec(bytes);
  if (!stored.ok()) return;
  const inputs::TaskSpec& spec = stored->spec;
  std::string body;
  const inputs::SpecPlaces places = inputs::EncodeSpecBody(
      stored->name_space, stored->owner, spec, stored->content_type, stored->payload, body);
  std::string record;
  inputs::EncodeSpec(stored->id, spec.parent, spec.root, spec.provenance, body, record, spec.order);
  KANTOKU_CHECK(std::string_view(body).substr(0, places.payload_end).ends_with(stored->payload));
  const auto again = inputs::DecodeSpec(record);
  KANTOKU_CHECK(again.ok() && again->id == stored->id && again->spec.order == spec.order);
  KANTOKU_CHECK(again->spec.stored_bytes == inputs::SpecHeaderBytes(spec) + body.size());
  KANTOKU_CHECK(again->spec.provenance.app == spec.provenance.app);
  KANTOKU_CHECK(again->spec.provenance.executor_owner == spec.provenance.executor_owner);
  KANTOKU_CHECK(again->spec.provenance.root_app == spec.provenance.root_app);
  KANTOKU_CHECK(again->spec.provenance.spawn_scope == spec.provenance.spawn_scope);
  KANTOKU_CHECK(SameValue(again->spec.provenance.ancestors, spec.provenance.ancestors));
  KANTOKU_CHECK(again->name_space == stored->name_space && again->owner == stored->owner);
  KANTOKU_CHECK(again->content_type == stored->content_type);
  KANTOKU_CHECK(again->payload == stored->payload);
  KANTOKU_CHECK(again->spec.type == spec.type && again->spec.reference == spec.reference);
  KANTOKU_CHECK(again->spec.priority == spec.priority);
  KANTOKU_CHECK(again->spec.not_before == spec.not_before);
  KANTOKU_CHECK(again->spec.timeout_ms == spec.timeout_ms);
  KANTOKU_CHECK(again->spec.retention_s == spec.retention_s);
  KANTOKU_CHECK(again->spec.retry == spec.retry && again->spec.effect == spec.effect);
  KANTOKU_CHECK(again->spec.parent == spec.parent && again->spec.root == spec.root);
  KANTOKU_CHECK(again->spec.restarted_from == spec.restarted_from);
  KANTOKU_CHECK(again->spec.dependencies == spec.dependencies);
  KANTOKU_CHECK(again->spec.equal == spec.equal);
  KANTOKU_CHECK(SameValue(again->spec.placement, spec.placement));
  KANTOKU_CHECK(SameValue(again->spec.keys, spec.keys));
  KANTOKU_CHECK(SameValue(again->spec.info, spec.info));
}

void CheckEnded(std::string_view bytes) {
  const auto ended = inputs::DecodeEnded(bytes);
  if (!ended.ok()) return;
  const auto again = WrittenAgain(*ended, inputs::DecodeEnded);
  KANTOKU_CHECK(again.size() == ended->size());
  for (size_t i = 0; i < again.size(); ++i) {
    const inputs::TaskView& a = again[i];
    const inputs::TaskView& b = (*ended)[i];
    KANTOKU_CHECK(a.id == b.id && a.name_space == b.name_space && a.owner == b.owner);
    KANTOKU_CHECK(a.type == b.type && a.reference == b.reference && a.priority == b.priority);
    KANTOKU_CHECK(a.state == b.state && inputs::IsFinal(a.state));
    KANTOKU_CHECK(a.failed_attempts == b.failed_attempts && a.dispatch == b.dispatch);
    KANTOKU_CHECK(a.ended_at == b.ended_at && a.last_failure == b.last_failure);
    KANTOKU_CHECK(a.parent == b.parent && a.root == b.root);
    KANTOKU_CHECK(a.restarted_from == b.restarted_from && SameValue(a.info, b.info));
    KANTOKU_CHECK(a.provenance.app == b.provenance.app);
    KANTOKU_CHECK(a.provenance.executor_owner == b.provenance.executor_owner);
    KANTOKU_CHECK(a.provenance.root_app == b.provenance.root_app);
    KANTOKU_CHECK(a.provenance.spawn_scope == b.provenance.spawn_scope);
    KANTOKU_CHECK(SameValue(a.provenance.ancestors, b.provenance.ancestors));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 's':
      CheckSpec(bytes);
      break;
    case 't':
      Check(bytes, inputs::DecodeState);
      break;
    case 'g':
      Check(bytes, inputs::DecodeGroup);
      break;
    case 'c':
      Check(bytes, inputs::DecodeSession);
      break;
    case 'r':
      Check(bytes, inputs::DecodeReference);
      break;
    case 'q':
      Check(bytes, inputs::DecodeRequest);
      break;
    case 'T':
      Check(bytes, inputs::DecodeTree);
      break;
    case 'd':
      Check(bytes, inputs::DecodeEndedDependency);
      break;
    case 'o':
      CheckEither(bytes, inputs::DecodeObject);
      break;
    case 'a':
      CheckEither(bytes, inputs::DecodeAdmission);
      break;
    case 'i':
      Check(bytes, inputs::DecodeInfo);
      break;
    case 'R':
      Check(bytes, inputs::DecodeRestart);
      break;
    case 'u':
      Check(bytes, inputs::DecodeReuse);
      break;
    case 'p':
      CheckCheckpoint(bytes);
      break;
    case 'n':
      Check(bytes, inputs::DecodeNumber);
      break;
    case 'e':
      CheckEnded(bytes);
      break;
    default:
      break;
  }
  return 0;
}
