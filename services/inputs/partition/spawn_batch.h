#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_SPAWN_BATCH_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_SPAWN_BATCH_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/inputs/engine/types.h"
#include "services/platform/identity/identity.h"

namespace kantoku::inputs {

// The encoded specs of one call: what is kept of them as long as their tasks wait.
struct SpecBytes {
  // Where the parts of one spec lie in `bytes`.
  struct Slice {
    uint32_t body;  // Offset of the record body, which ends where the next begins.
    uint32_t body_size;
    uint32_t content_type;
    uint32_t content_type_size;
    uint32_t payload;
    uint32_t payload_size;
    uint32_t dependencies;  // Offset in the body of the first; 0: there is none.
  };

  std::vector<Slice> slices;  // One per spec.
  std::string bytes;

  std::string_view body(size_t i) const { return Part(slices[i].body, slices[i].body_size); }
  std::string_view Part(uint32_t offset, uint32_t size) const {
    return std::string_view(bytes).substr(offset, size);
  }
  // Of memory, about.
  size_t size() const {
    return sizeof(SpecBytes) + bytes.capacity() + slices.capacity() * sizeof(Slice);
  }
};

// The validated specs of one call, with everything done that needs no partition: record bodies are
// encoded and digests made on the caller's thread.
struct SpawnBatch {
  std::string name_space;
  std::string owner;
  std::string app;                                 // Of the call.
  std::string spawn_scope;                         // As in Provenance.
  std::optional<platform::ActingHandler> handler;  // That spawns with its task token.
  Digest request;
  Digest content;
  std::vector<TaskSpec> specs;
  std::shared_ptr<const SpecBytes> encoded;  // The same specs.
  bool has_dependencies = false;             // Some spec has.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_SPAWN_BATCH_H_
