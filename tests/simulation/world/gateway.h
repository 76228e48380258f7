#ifndef KANTOKU_TESTS_SIMULATION_WORLD_GATEWAY_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_GATEWAY_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "services/inputs/partition/links.h"
#include "services/inputs/partition/session_frame.h"
#include "services/platform/auth/tokens.h"
#include "tests/simulation/world/model.h"
#include "tests/simulation/world/scene.h"
#include "tests/simulation/world/witness.h"

namespace kantoku::simulation {

SessionId NewSession(Random& random);

// One Pull stream: two queues that keep their order and lose only their ends, when they are cut.
class Connection final : public inputs::SessionChannel {
 public:
  Connection(Model& model, platform::Caller caller, SessionId session)
      : model_(model), caller_(std::move(caller)), session_(session) {}

  // ---- The executor's end ----
  void Say(inputs::v1::PullRequest request);
  bool CanHear() const { return !down_.empty(); }
  inputs::v1::PullResponse Hear();
  // Nothing more will be heard.
  bool over() const { return down_.empty() && (cut_ || closed_); }
  size_t unread() const { return up_.size(); }
  // Breaks; of what is on its way some arrives.
  void Cut(Random& random);

  // ---- The partition's end ----
  void Expect(size_t bytes) override { unsent_ += bytes; }
  size_t unsent_bytes() const override { return unsent_; }
  void NotifyDrained(size_t bytes, absl::AnyInvocable<void()> drained) override;
  void Send(inputs::v1::PullResponse& frame) override;
  void OnApplied(size_t) override {}
  void Close(const absl::Status&) override;
  // For the server it is over; the executor may yet hear what is on its way.
  void End();

 private:
  friend class Gateway;
  Speaker speaker() const { return {session_, caller_.subject}; }
  void Drained();

  Model& model_;
  const platform::Caller caller_;
  std::shared_ptr<const LabelMap> labels_;  // Once hello was read.
  const SessionId session_;
  std::deque<inputs::v1::PullRequest> up_;
  std::deque<inputs::v1::PullResponse> down_;
  bool cut_ = false;
  bool closed_ = false;  // By the server, which reads no more.
  bool ended_ = false;   // The server knows that it is over.
  inputs::ConnectionId id_ = 0;
  size_t unsent_ = 0;
  size_t drain_bytes_ = 0;
  absl::AnyInvocable<void()> drained_;
};

// The edge of Inputs: reads frames as the service does, and sees what each may change.
class Gateway {
 public:
  Gateway(const Scene& scene, InputsServer& server, Witness& witness, Model& model)
      : scene_(scene), server_(server), witness_(witness), model_(model) {}

  // `foreign`: the session belongs to somebody else.
  std::shared_ptr<Connection> Open(const platform::Caller& caller, const SessionId& session,
                                   bool foreign = false);

  // Takes the next frame of some connection, or notices its end.
  void Read();
  // Until nothing is unread.
  void ReadAll();
  // An operator asks an executor to leave, for a while or for good.
  void AskToLeave(const platform::Caller& caller, const SessionId& session,
                  const std::string& name_space);
  // Inputs was killed, or has stopped.
  void ServerLost();

 private:
  struct Entry {
    std::shared_ptr<Connection> connection;
    bool foreign = false;
  };

  void Read(const Entry& entry);
  void Take(const Entry& entry, const inputs::SessionFrame& frame);
  std::vector<Said> Describe(const Connection& connection, const inputs::SessionFrame& frame) const;
  Witness::Standing StandingOf(const Connection& connection, bool hello) const;
  void MarkWhatCounts(const Entry& entry, const inputs::SessionFrame& frame);

  const Scene scene_;
  InputsServer& server_;
  Witness& witness_;
  Model& model_;
  std::set<SessionId> contested_;         // That were opened by more than one caller.
  std::map<SessionId, uint64_t> latest_;  // Of hellos that this server has read.
  std::vector<Entry> connections_;        // That the server has not noticed the end of.
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_GATEWAY_H_
