#include "tests/conformance/command/call_log.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "kantoku/inputs/v1/inputs.pb.h"
#include "kantoku/outputs/v1/outputs.pb.h"

namespace kantoku::conformance {
namespace {

TEST_CASE("A report shows nothing that gives rights to whoever reads it") {
  inputs::v1::PullResponse dispatched;
  inputs::v1::Dispatch& task = *dispatched.add_tasks();
  task.set_payload("seen");
  task.set_lease_token("secret");
  task.add_arguments()->set_read_grant("secret");
  CHECK(TextForReport(dispatched) == "tasks { payload: \"seen\" arguments { } }");

  outputs::v1::GetRequest get;
  get.add_read_grants("secret");
  CHECK(TextForReport(get).empty());

  outputs::v1::PutRequest put;
  put.add_items()->set_lease_token("secret");
  CHECK(TextForReport(put) == "items { }");

  inputs::v1::PullRequest ack;
  ack.add_acks()->set_receipt("secret");
  ack.set_access_token("secret");
  CHECK(TextForReport(ack).find("secret") == std::string::npos);
}

TEST_CASE("A report shows none of the others who use the target") {
  inputs::v1::ListExecutorsResponse executors;
  executors.add_executors()->set_name("somebody's");
  CHECK(TextForReport(executors) == "(left out)");
  inputs::v1::ListPausesResponse pauses;
  pauses.add_pauses()->set_reason("somebody's");
  CHECK(TextForReport(pauses) == "(left out)");
}

TEST_CASE("What was said on a connection of somebody else's is shown with who said it") {
  inputs::v1::PullRequest ack;
  ack.add_acks()->set_receipt("secret");
  CallLog calls;
  calls.Note("the executor says", "Pull", ack);
  CHECK(calls.Last() == std::vector<std::string>{"the executor says: Pull {acks { }}"});
}

}  // namespace
}  // namespace kantoku::conformance
