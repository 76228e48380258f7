#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/inputs/service.h"
#include "services/inputs/wire.h"
#include "services/platform/audit/why.h"
#include "services/platform/proto_time.h"
#include "services/platform/rpc/unary.h"
#include "services/platform/status.h"

// The calls that run dead tasks anew, and patch the info of living ones.
namespace kantoku::inputs {

using platform::Error;
using platform::HandleUnary;
using platform::Identity;
using platform::Reply;

namespace {

constexpr int kMaxRestarts = 1'000;
// Of names that a patch sets or removes; what is left over has its own bound.
constexpr size_t kMaxPatchEntries = 200;
constexpr uint32_t kDefaultPage = 100;

absl::Status Bad(std::string_view reason, std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, reason, message);
}

// Ids by position; malformed ones have a status instead.
struct Wanted {
  RestartCommand command;
  std::vector<absl::Status> statuses;  // One per id.
};

absl::Status ReadIds(const v1::RestartTasksRequest& request, Wanted& wanted) {
  if (request.task_ids_size() < 1 || request.task_ids_size() > kMaxRestarts) {
    return Bad("BAD_BATCH_SIZE",
               absl::StrCat("task_ids: ", request.task_ids_size(), " are not 1 to ", kMaxRestarts));
  }
  if (request.page_size() != 0 || !request.page_token().empty()) {
    return Bad("CONTRADICTION", "page_size, page_token: go with matching");
  }
  for (const std::string& bytes : request.task_ids()) {
    const auto id = TaskId::FromBytes(bytes);
    if (id.ok()) wanted.command.tasks.push_back(*id);
    wanted.statuses.push_back(id.ok() ? absl::OkStatus()
                                      : platform::Annotate(id.status(), "task_ids"));
  }
  return absl::OkStatus();
}

absl::Status ReadTime(std::string_view field, const google::protobuf::Timestamp& proto,
                      absl::Time& time) {
  if (proto.nanos() < 0 || proto.nanos() >= 1'000'000'000) {
    return Bad("OUT_OF_RANGE", absl::StrCat(platform::ToAbsl(field), ": is malformed"));
  }
  time = platform::FromProto(proto);
  return absl::OkStatus();
}

absl::Status ReadMatching(const v1::RestartTasksRequest& request, RestartCommand& command) {
  const v1::DeadTaskFilter& filter = request.matching();
  if (request.task_ids_size() > 0) return Bad("CONTRADICTION", "matching: stands beside task_ids");
  if (request.page_size() > kMaxRestarts) {
    return Bad("OUT_OF_RANGE", absl::StrCat("page_size: ", request.page_size(),
                                            " is not from 1 to ", kMaxRestarts));
  }
  command.matching = true;
  command.limit = request.page_size() == 0 ? kDefaultPage : request.page_size();
  command.page_token = request.page_token();
  command.type = filter.type();
  command.reason = filter.reason();
  command.states = ReadStates(filter.states());
  for (const TaskState state : command.states) {
    if (state == TaskState::kFailed || state == TaskState::kCancelled) continue;
    return Bad("BAD_STATE", "matching.states: dead tasks are FAILED or CANCELLED");
  }
  if (!filter.root_id().empty()) {
    const auto root = TaskId::FromBytes(filter.root_id());
    if (!root.ok()) return platform::Annotate(root.status(), "matching.root_id");
    command.root = *root;
  }
  command.context = filter.context_id();
  KANTOKU_RETURN_IF_ERROR(CheckContext("matching.context_id", filter.context_id()));
  KANTOKU_ASSIGN_OR_RETURN(command.selector, ReadFilter("matching.filter", filter.filter()));
  if (filter.has_ended_after()) {
    KANTOKU_RETURN_IF_ERROR(
        ReadTime("matching.ended_after", filter.ended_after(), command.ended_after));
  }
  if (filter.has_ended_before()) {
    KANTOKU_RETURN_IF_ERROR(
        ReadTime("matching.ended_before", filter.ended_before(), command.ended_before));
  }
  return absl::OkStatus();
}

absl::Status CheckPatches(const v1::PatchInfoRequest& request) {
  if (request.patches_size() >= 1 && request.patches_size() <= InputsServiceImpl::kMaxPatches) {
    return platform::CheckWhy(request.why());
  }
  return Bad("BAD_BATCH_SIZE", absl::StrCat("patches: ", request.patches_size(), " are not 1 to ",
                                            InputsServiceImpl::kMaxPatches));
}

absl::StatusOr<InfoPatch> ReadPatch(const v1::InfoPatch& proto) {
  const auto id = TaskId::FromBytes(proto.task_id());
  if (!id.ok()) return platform::Annotate(id.status(), "task_id");
  const size_t entries = proto.set().size() + static_cast<size_t>(proto.remove_size());
  if (entries > kMaxPatchEntries) {
    return Bad(kLabelLimit, absl::StrCat("patches: ", entries,
                                         " entries of one exceed the limit of ", kMaxPatchEntries));
  }
  InfoPatch patch{.task = *id};
  for (const auto& [name, value] : proto.set()) patch.set.push_back({name, value});
  patch.remove.assign(proto.remove().begin(), proto.remove().end());
  if (proto.has_expected_revision()) patch.expected = proto.expected_revision();
  return patch;
}

void SetPatchResult(const InfoAnswer& answer, v1::PatchInfoResult& proto) {
  SetStatus(answer.status, *proto.mutable_status());
  proto.set_revision(answer.revision);
}

absl::StatusOr<Wanted> ReadRestart(const v1::RestartTasksRequest& request, const Identity& caller,
                                   platform::Viewer viewer) {
  KANTOKU_RETURN_IF_ERROR(platform::CheckWhy(request.why()));
  Wanted wanted;
  wanted.command.why = request.why();
  wanted.command.app = caller.client_id;
  wanted.command.name_space = NamespaceOf(request);
  wanted.command.viewer = std::move(viewer);
  wanted.command.dry_run = request.dry_run();
  const absl::Status sound =
      request.has_matching() ? ReadMatching(request, wanted.command) : ReadIds(request, wanted);
  if (!sound.ok()) return sound;
  return wanted;
}

}  // namespace

void InputsServiceImpl::RestartTasks(Served& served, platform::UnaryCall* call,
                                     const v1::RestartTasksRequest* request,
                                     v1::RestartTasksResponse* response) {
  HandleUnary(call, restart_tasks_, [&](const Identity& caller, Reply reply) {
    auto wanted = ReadRestart(*request, caller, platform::Viewer(*call->identity()));
    absl::Status sound = wanted.status();
    if (sound.ok()) sound = CheckNamespace(caller, wanted->command.name_space);
    if (!sound.ok()) return reply(sound);
    served.partition.RestartTasks(
        std::move(wanted->command),
        [call, request, response, statuses = std::move(wanted->statuses),
         reply = std::move(reply)](absl::StatusOr<RestartPage> page) mutable {
          if (!page.ok()) return reply(page.status());
          call->NoteRefusedItem(page->tasks, [](const auto& task) -> const absl::Status& {
            return task.successor.status();
          });
          response->set_next_page_token(page->next);
          auto next = page->tasks.begin();
          for (size_t i = 0; i < statuses.size(); ++i) {
            if (statuses[i].ok()) {
              SetRestartResult(*next++, *response->add_results());
              continue;
            }
            v1::RestartResult& refused = *response->add_results();
            refused.set_task_id(request->task_ids(static_cast<int>(i)));
            SetStatus(statuses[i], *refused.mutable_status());
          }
          for (; next != page->tasks.end(); ++next) {
            SetRestartResult(*next, *response->add_results());
          }
          reply(absl::OkStatus());
        });
  });
}

void InputsServiceImpl::PatchInfo(Served& served, platform::UnaryCall* call,
                                  const v1::PatchInfoRequest* request,
                                  v1::PatchInfoResponse* response) {
  HandleUnary(call, patch_info_, [&](const Identity&, Reply reply) {
    if (const absl::Status sound = CheckPatches(*request); !sound.ok()) return reply(sound);
    std::vector<absl::Status> statuses;
    PatchCommand command{.viewer = platform::Viewer(*call->identity()), .why = request->why()};
    for (const v1::InfoPatch& proto : request->patches()) {
      auto patch = ReadPatch(proto);
      statuses.push_back(patch.status());
      if (patch.ok()) command.patches.push_back(*std::move(patch));
    }
    using Answers = std::vector<InfoAnswer>;
    served.partition.PatchInfo(
        std::move(command), [call, response, statuses = std::move(statuses),
                             reply = std::move(reply)](absl::StatusOr<Answers> answers) mutable {
          if (!answers.ok()) return reply(answers.status());
          call->NoteRefusedItem(*answers, &InfoAnswer::status);
          auto next = answers->begin();
          for (const absl::Status& status : statuses) {
            SetPatchResult(status.ok() ? *next++ : InfoAnswer{.status = status},
                           *response->add_results());
          }
          reply(absl::OkStatus());
        });
  });
}

}  // namespace kantoku::inputs
