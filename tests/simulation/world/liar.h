#ifndef KANTOKU_TESTS_SIMULATION_WORLD_LIAR_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_LIAR_H_

#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/world/gateway.h"
#include "tests/simulation/world/model.h"
#include "tests/simulation/world/outputs_server.h"
#include "tests/simulation/world/scene.h"

namespace kantoku::simulation {

// An executor that says whatever comes to its mind: of tasks that it holds, that others hold, that
// have ended; with receipts that it made up or found, tokens of earlier dispatches, and another's
// session. It can waste dispatches that it was given, and must not be able to do more.
class Liar {
 public:
  Liar(const Scene& scene, int number, Gateway& gateway, OutputsServer& outputs,
       const Model& model);

  // One thing. `victim` is a session that is not its own.
  void Act(const SessionId& victim);
  void Leave();
  const SessionId& session() const { return session_; }
  const std::string& name_space() const { return name_space_; }
  const platform::Caller& caller() const { return caller_; }

 private:
  struct Known {
    TaskId task;
    uint32_t dispatch = 0;
    std::string lease_token;
    std::string receipt;
  };

  void Connect(const SessionId& session, bool foreign);
  void Hear();
  void Say();
  void Put(const SessionId& victim);
  // Some task, with a dispatch that may or may not be its latest, and a receipt that may be good.
  Known Anything();

  const Scene scene_;
  Gateway& gateway_;
  OutputsServer& outputs_;
  const Model& model_;
  const platform::Caller caller_;
  const std::string name_space_;
  SessionId session_;
  SessionId speaks_as_;  // On this connection.
  std::shared_ptr<Connection> connection_;
  std::vector<Known> known_;  // Dispatches that it was given, the latest last.
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_LIAR_H_
