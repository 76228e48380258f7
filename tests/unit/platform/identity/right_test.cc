#include "services/platform/identity/right.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "kantoku/auth/v1/blocks.pb.h"
#include "kantoku/auth/v1/grants.pb.h"
#include "kantoku/events/v1/events.pb.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "kantoku/outputs/v1/outputs.pb.h"

namespace kantoku::platform {
namespace {

// "inputs:read" or, of several, "outputs:read|services"; the columns of docs/security.md.
std::string TextOf(const Right& right) {
  std::string text;
  const auto add = [&text](std::string_view word) {
    text += text.empty() ? "" : "|";
    text += word;
  };
  if (right.anybody) add("anybody");
  if (right.verbs.size() == kVerbs) {
    add("any scope");
  } else {
    for (const Verb verb : right.verbs) add(NameOf(verb));
  }
  if (right.services) add("services");
  return text;
}

TEST_CASE("Every method of every service says who may call it") {
  const std::map<std::string, std::string> expected = {
      {"grpc.health.v1.Health.Check", "anybody"},
      {"grpc.health.v1.Health.Watch", "anybody"},
      {"grpc.reflection.v1alpha.ServerReflection.ServerReflectionInfo", "any scope"},
      {"kantoku.inputs.v1.InputsService.Spawn", "inputs:spawn"},
      {"kantoku.inputs.v1.InputsService.Pull", "inputs:pull"},
      {"kantoku.inputs.v1.InputsService.Control", "inputs:control"},
      {"kantoku.inputs.v1.InputsService.GetTasks", "inputs:read|services"},
      {"kantoku.inputs.v1.InputsService.ListTasks", "inputs:read"},
      {"kantoku.inputs.v1.InputsService.RestartTasks", "inputs:control"},
      {"kantoku.inputs.v1.InputsService.PatchInfo", "inputs:control"},
      {"kantoku.inputs.v1.InputsService.ListExecutors", "inputs:read"},
      {"kantoku.inputs.v1.InputsService.ControlExecutors", "inputs:control"},
      {"kantoku.inputs.v1.InputsService.SetRoute", "admin"},
      {"kantoku.inputs.v1.InputsService.ListRoutes", "inputs:read"},
      {"kantoku.inputs.v1.InputsService.SetLimits", "admin"},
      {"kantoku.inputs.v1.InputsService.ListLimits", "inputs:read"},
      {"kantoku.inputs.v1.InputsService.SetPause", "admin"},
      {"kantoku.inputs.v1.InputsService.ListPauses", "inputs:read"},
      {"kantoku.inputs.v1.InputsService.SetBlocks", "admin"},
      {"kantoku.inputs.v1.InputsService.ListBlocks", "admin"},
      {"kantoku.auth.v1.BlocksService.ReplaceBlocks", "services"},
      {"kantoku.outputs.v1.OutputsService.Put", "outputs:write"},
      {"kantoku.outputs.v1.OutputsService.Get", "outputs:read|outputs:write|services"},
      {"kantoku.outputs.v1.OutputsService.Await", "outputs:read"},
      {"kantoku.outputs.v1.OutputsService.PutItems", "outputs:write"},
      {"kantoku.outputs.v1.OutputsService.Stream", "outputs:read"},
      {"kantoku.outputs.v1.OutputsService.Fence", "services"},
      {"kantoku.auth.v1.GrantsService.CreateGrant", "admin"},
      {"kantoku.auth.v1.GrantsService.ListGrants", "admin"},
      {"kantoku.auth.v1.GrantsService.RevokeGrant", "admin"},
      {"kantoku.auth.v1.GrantsService.ExchangeGrant", "anybody"},
      {"kantoku.events.v1.EventsService.Append", "services"},
      {"kantoku.events.v1.EventsService.Read", "events:read|services"},
      {"kantoku.events.v1.EventsService.Subscribe", "events:read|services"},
  };
  const std::vector<const google::protobuf::FileDescriptor*> files = {
      grpc::health::v1::HealthCheckRequest::descriptor()->file(),
      grpc::reflection::v1alpha::ServerReflectionRequest::descriptor()->file(),
      inputs::v1::SpawnRequest::descriptor()->file(),
      outputs::v1::PutRequest::descriptor()->file(),
      events::v1::AppendRequest::descriptor()->file(),
      auth::v1::Grant::descriptor()->file(),
      auth::v1::Block::descriptor()->file(),
  };
  std::map<std::string, std::string> said;
  for (const auto* file : files) {
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        const auto* method = file->service(i)->method(j);
        const auto right = RightOf(*method);
        said[method->full_name()] = right.has_value() ? TextOf(*right) : "says nothing";
      }
    }
  }
  CHECK(said == expected);
}

TEST_CASE("The guide's table has every method") {
  std::ifstream file(KANTOKU_SECURITY_GUIDE);
  const std::string guide((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  for (const auto* const file_of :
       {inputs::v1::SpawnRequest::descriptor()->file(),
        outputs::v1::PutRequest::descriptor()->file(),
        events::v1::AppendRequest::descriptor()->file(), auth::v1::Grant::descriptor()->file()}) {
    for (int i = 0; i < file_of->service(0)->method_count(); ++i) {
      const auto* method = file_of->service(0)->method(i);
      const std::string name = "| `" + method->service()->name() + "/" + method->name() + "` | ";
      CAPTURE(name);
      const size_t row = guide.find(name);
      REQUIRE(row != std::string::npos);
      const std::string text = guide.substr(row, guide.find('\n', row) - row);
      const auto right = RightOf(*method);
      for (size_t verb = 0; verb < kVerbs; ++verb) {
        const auto each = static_cast<Verb>(verb);
        const bool named = std::count(right->verbs.begin(), right->verbs.end(), each) > 0;
        // `admin` also stands where it lets do more.
        if (each == Verb::kAdmin && !named) continue;
        CHECK((text.find("`" + std::string(NameOf(each)) + "`") != std::string::npos) == named);
      }
      CHECK((text.find("| services |") != std::string::npos) == right->services);
    }
  }
}

}  // namespace
}  // namespace kantoku::platform
