#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_SESSION_FRAME_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_SESSION_FRAME_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/inputs/engine/commands.h"
#include "services/inputs/engine/types.h"
#include "services/platform/status.h"

namespace kantoku::inputs {

// PERMISSION_DENIED, INVALID_RECEIPT: of the receipt in this field.
inline absl::Status NotProven(std::string_view field, const TaskId& task, uint32_t dispatch) {
  return platform::Error(
      absl::StatusCode::kPermissionDenied, "INVALID_RECEIPT",
      absl::StrCat(platform::ToAbsl(field), ": does not prove a result of dispatch ", dispatch,
                   " of ", task.ToString()));
}

// What an executor said in one frame, checked as far as that goes without the partition: ids and
// names are well-formed, receipts are genuine.
struct SessionFrame {
  struct Hello {
    SessionId session;
    Caller caller;
    absl::Time token_issued = absl::InfinitePast();  // Of the access token.
    std::string name_space;
    std::string name;
    std::vector<std::string> types;
    Labels labels;  // Built-in ones included.
    std::string version;
    std::vector<HeldDispatch> held;
    uint32_t max_held = 0;
    uint64_t order = 0;  // Of the session's connections; 0: not said.
  };
  struct Report {
    TaskId task;
    uint32_t dispatch = 0;
  };
  struct Progress {
    Report about;
    double fraction = 0;
    std::string message;
  };
  struct Checkpoint {
    Report about;
    uint64_t number = 0;
    std::string data;
    absl::Status refusal = absl::OkStatus();  // Not OK: it did not pass the check.
  };
  struct Refusal {
    std::string task;  // Bytes as they came: they may be no id.
    uint32_t dispatch = 0;
    absl::Status status;
  };

  std::optional<Hello> hello;
  std::optional<uint32_t> credit;
  std::vector<Report> started;
  std::vector<Report> finished;
  std::vector<Report> disproved;  // Acks whose receipt proves nothing; also among `refused`.
  std::vector<NackCommand> nacks;
  std::vector<Progress> progress;
  std::vector<HandlerStatusCommand> handler_states;
  std::vector<Checkpoint> checkpoints;
  std::vector<Refusal> refused;  // Reports that did not pass the check.
  size_t bytes = 0;              // About what it takes in memory.

  // Whether it only says what nobody waits for. (An ack may make room for a task that waits; that
  // is the engine's to notice.)
  bool IsPatient() const {
    return !hello.has_value() && !credit.has_value() && nacks.empty() && refused.empty() &&
           handler_states.empty();
  }
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_SESSION_FRAME_H_
