#include "services/platform/identity/right.h"

#include <google/protobuf/descriptor.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace kantoku::platform {
namespace {

using google::protobuf::MethodDescriptor;

// "inputs:read" or, of several, "inputs:read|services"; the columns of docs/security.md.
std::string TextOf(const Right& right) {
  std::string text;
  const auto add = [&text](std::string_view word) {
    text += text.empty() ? "" : "|";
    text += word;
  };
  if (right.verbs.size() == kVerbs) {
    add("any");
  } else {
    for (const Verb verb : right.verbs) add(NameOf(verb));
  }
  if (right.services) add("services");
  if (right.anybody) add("anybody");
  return text;
}

// Of every service of every file that the build knows.
std::vector<const MethodDescriptor*> AllMethods() {
  std::vector<const MethodDescriptor*> methods;
  for (const char* const name : {KANTOKU_PROTO_FILES}) {
    const auto* const file =
        google::protobuf::DescriptorPool::generated_pool()->FindFileByName(name);
    CAPTURE(name);
    REQUIRE(file != nullptr);
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        methods.push_back(file->service(i)->method(j));
      }
    }
  }
  return methods;
}

// The words of a cell of the guide's table; what stands in parentheses is for people.
std::vector<std::string> WordsOf(std::string cell) {
  for (size_t open = cell.find('('); open != std::string::npos; open = cell.find('(')) {
    cell.erase(open, cell.find(')', open) - open + 1);
  }
  cell = absl::StrReplaceAll(cell, {{"`", ""}, {" ", ""}});
  return absl::StrSplit(cell, ',', absl::SkipEmpty());
}

// What the rows of the guide's table say, by "Service/Method", as TextOf.
std::map<std::string, std::string> RowsOfGuide() {
  std::map<std::string, std::string> rows;
  std::ifstream file(KANTOKU_SECURITY_GUIDE);
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() != 5 || !absl::StartsWith(cells[1], " `")) continue;
    std::vector<std::string> said = WordsOf(cells[2]);
    for (std::string& word : WordsOf(cells[3])) said.push_back(std::move(word));
    for (const std::string& method : WordsOf(cells[1])) {
      CAPTURE(method);
      CHECK(rows.try_emplace(method, absl::StrJoin(said, "|")).second);
    }
  }
  return rows;
}

TEST_CASE("Every method of every service says who may call it") {
  const std::map<std::string, std::string> expected = {
      {"grpc.health.v1.Health.Check", "anybody"},
      {"grpc.health.v1.Health.Watch", "anybody"},
      {"grpc.reflection.v1alpha.ServerReflection.ServerReflectionInfo", "any"},
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
  std::map<std::string, std::string> said;
  for (const MethodDescriptor* const method : AllMethods()) {
    const auto right = RightOf(*method);
    said[method->full_name()] = right.has_value() ? TextOf(*right) : "says nothing";
  }
  CHECK(said == expected);
}

TEST_CASE("The guide's table says of every method what the method says, and of nothing else") {
  std::map<std::string, std::string> expected;
  for (const MethodDescriptor* const method : AllMethods()) {
    const auto right = RightOf(*method);
    REQUIRE(right.has_value());
    const std::string name = method->service()->name() + "/" + method->name();
    CAPTURE(name);
    CHECK(expected.try_emplace(name, TextOf(*right)).second);
  }
  CHECK(RowsOfGuide() == expected);
}

}  // namespace
}  // namespace kantoku::platform
