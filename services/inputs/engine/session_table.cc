#include "services/inputs/engine/session_table.h"

#include <algorithm>

namespace kantoku::inputs {

Session& SessionTable::Add(SessionNumber number, const SessionId& id) {
  next_number_ = std::max(next_number_, number + 1);
  Session& session = sessions_[number];
  session.number = number;
  session.id = id;
  by_id_[id] = number;
  return session;
}

void SessionTable::Erase(SessionNumber number) {
  const auto found = sessions_.find(number);
  by_id_.erase(found->second.id);
  by_connection_.erase(found->second.connection);
  sessions_.erase(found);
}

void SessionTable::Connect(Session& session, ConnectionId connection) {
  by_connection_.erase(session.connection);
  session.connection = connection;
  if (connection != 0) by_connection_[connection] = session.number;
}

Session* SessionTable::Find(SessionNumber number) {
  const auto found = sessions_.find(number);
  return found == sessions_.end() ? nullptr : &found->second;
}

Session* SessionTable::Find(const SessionId& id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : Find(found->second);
}

Session* SessionTable::FindConnection(ConnectionId connection) {
  const auto found = by_connection_.find(connection);
  return found == by_connection_.end() ? nullptr : Find(found->second);
}

std::vector<SessionNumber> SessionTable::Numbers() const {
  std::vector<SessionNumber> numbers;
  numbers.reserve(sessions_.size());
  for (const auto& [number, session] : sessions_) numbers.push_back(number);
  std::ranges::sort(numbers);
  return numbers;
}

}  // namespace kantoku::inputs
