#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/inputs/keys_reader.h"
#include "services/inputs/service.h"
#include "services/inputs/wire.h"
#include "services/platform/rpc/unary.h"
#include "services/platform/status.h"

// The calls about admission: limits, rates and weights of keys, and pauses of types and namespaces.
namespace kantoku::inputs {

using platform::Error;
using platform::HandleUnary;
using platform::Identity;
using platform::Reply;

namespace {

constexpr uint32_t kDefaultPage = 1'000;
constexpr uint32_t kMaxPage = 10'000;

absl::StatusOr<LimitPageCommand> ReadPage(const v1::ListLimitsRequest& request) {
  LimitPageCommand command{.name_space = NamespaceOf(request)};
  if (request.page_size() > kMaxPage) {
    return Error(
        absl::StatusCode::kInvalidArgument, "OUT_OF_RANGE",
        absl::StrCat("page_size: ", request.page_size(), " exceeds the limit of ", kMaxPage));
  }
  command.limit = request.page_size() == 0 ? kDefaultPage : request.page_size();
  if (request.page_token().empty()) return command;
  std::string from;
  if (!absl::WebSafeBase64Unescape(request.page_token(), &from)) {
    return Error(absl::StatusCode::kInvalidArgument, "BAD_PAGE_TOKEN",
                 "page_token: is none of this call");
  }
  command.from = std::move(from);
  return command;
}

}  // namespace

void InputsServiceImpl::SetLimits(Served& served, platform::UnaryCall* call,
                                  const v1::SetLimitsRequest* request,
                                  v1::SetLimitsResponse* response) {
  HandleUnary(call, set_limits_, [&](const Identity& caller, Reply reply) {
    auto command = ReadLimits(*request, NamespaceOf(*request));
    absl::Status sound = command.status();
    if (sound.ok()) sound = CheckNamespace(caller, command->name_space);
    if (!sound.ok()) return reply(sound);
    command->by = caller;
    served.partition.SetLimits(
        *std::move(command),
        [response, reply = std::move(reply)](absl::StatusOr<LimitsCommand> done) mutable {
          if (done.ok()) {
            for (const auto& item : done->set) SetStatus(item.status, *response->add_set());
            for (const auto& item : done->remove) SetStatus(item.status, *response->add_removed());
          }
          reply(done.status());
        });
  });
}

void InputsServiceImpl::ListLimits(Served& served, platform::UnaryCall* call,
                                   const v1::ListLimitsRequest* request,
                                   v1::ListLimitsResponse* response) {
  HandleUnary(call, list_limits_, [&](const Identity& caller, Reply reply) {
    auto command = ReadPage(*request);
    absl::Status sound = command.status();
    if (sound.ok()) sound = CheckNamespace(caller, command->name_space);
    if (!sound.ok()) return reply(sound);
    served.partition.ListLimits(*std::move(command), [response, reply = std::move(reply)](
                                                         absl::StatusOr<LimitPage> page) mutable {
      if (page.ok()) {
        for (const LimitView& view : page->limits) SetLimitInfo(view, *response->add_limits());
        if (page->next.has_value()) {
          response->set_next_page_token(absl::WebSafeBase64Escape(*page->next));
        }
      }
      reply(page.status());
    });
  });
}

void InputsServiceImpl::SetPause(Served& served, platform::UnaryCall* call,
                                 const v1::SetPauseRequest* request, v1::SetPauseResponse*) {
  HandleUnary(call, set_pause_, [&](const Identity& caller, Reply reply) {
    auto command = ReadPause(*request, NamespaceOf(*request));
    absl::Status sound = command.status();
    if (sound.ok()) sound = CheckNamespace(caller, command->name_space);
    if (!sound.ok()) return reply(sound);
    command->by = caller;
    served.partition.SetPause(
        *std::move(command),
        [reply = std::move(reply)](absl::StatusOr<Partition::Nothing> done) mutable {
          reply(done.status());
        });
  });
}

void InputsServiceImpl::ListPauses(Served& served, platform::UnaryCall* call,
                                   const v1::ListPausesRequest* request,
                                   v1::ListPausesResponse* response) {
  HandleUnary(call, list_pauses_, [&](const Identity& caller, Reply reply) {
    const std::string name_space = NamespaceOf(*request);
    if (const absl::Status known = CheckNamespace(caller, name_space); !known.ok())
      return reply(known);
    served.partition.ListPauses(name_space,
                                [response, reply = std::move(reply)](
                                    absl::StatusOr<std::vector<PauseRecord>> pauses) mutable {
                                  if (pauses.ok()) {
                                    for (const PauseRecord& pause : *pauses) {
                                      v1::Pause& proto = *response->add_pauses();
                                      proto.set_type(pause.type);
                                      proto.set_reason(pause.reason);
                                    }
                                  }
                                  reply(pauses.status());
                                });
  });
}

}  // namespace kantoku::inputs
