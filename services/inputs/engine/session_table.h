#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_SESSION_TABLE_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_SESSION_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/time/time.h"
#include "services/inputs/engine/task_table.h"
#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

// An executor session: connected, or within its grace.
struct Session {
  SessionNumber number = 0;
  SessionId id;
  Caller caller;
  uint32_t name_space = 0;  // Interned.
  std::string name;
  std::vector<std::string> types;
  Labels labels;  // Built-in ones included.
  std::string version;
  absl::Time token_issued = absl::InfinitePast();  // Of the token that opened its connection.
  ConnectionId connection = 0;                     // 0: not connected.
  uint64_t order = 0;  // Of its latest connection; 0: not said, or before a restart.
  uint32_t max_held = 0;
  uint32_t held = 0;
  uint32_t begun = 0;    // Of those, whose handler started.
  bool paused = false;   // Takes nothing new for now.
  bool leaving = false;  // ... nor ever again on this connection.
  TaskIndex first_held = kNoTask;
  absl::Time connected_at;
  uint32_t wake_position = 0;  // In the heap of graces.

  uint32_t room() const { return !paused && !leaving && held < max_held ? max_held - held : 0; }
};

// Sessions by number, id and connection. References stay valid until the session is erased.
//
// Thread-compatible.
class SessionTable {
 public:
  Session& Add(SessionNumber number, const SessionId& id);
  Session& Add(const SessionId& id) { return Add(next_number_, id); }
  void Erase(SessionNumber number);
  // 0 disconnects.
  void Connect(Session& session, ConnectionId connection);

  Session& at(SessionNumber number) { return sessions_.at(number); }
  const Session& at(SessionNumber number) const { return sessions_.at(number); }
  Session* Find(SessionNumber number);
  Session* Find(const SessionId& id);
  Session* FindConnection(ConnectionId connection);
  const Session* FindConnection(ConnectionId connection) const {
    return const_cast<SessionTable*>(this)->FindConnection(connection);
  }

  // Numbers in ascending order.
  std::vector<SessionNumber> Numbers() const;
  size_t size() const { return sessions_.size(); }

 private:
  absl::node_hash_map<SessionNumber, Session> sessions_;
  absl::flat_hash_map<SessionId, SessionNumber> by_id_;
  absl::flat_hash_map<ConnectionId, SessionNumber> by_connection_;
  SessionNumber next_number_ = 1;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_SESSION_TABLE_H_
