#include "tests/conformance/outputs_exam/exam_client.h"

// Who may read what others own: executors with grants, and services for those whom they name.
namespace kantoku::outputs {
namespace {

platform::ReadGrant GrantOf(uint64_t task) {
  return {.task = Task(task),
          .session = Session(),
          .holder = {.subject = "local", .client_id = "local"},
          .name_space = Namespace(),
          .owner = "somebody",
          .expires = absl::Now() + absl::Hours(1)};
}

// Puts the result of a task that somebody else owns.
void PutForeign(Exam& exam, uint64_t task) {
  platform::Lease lease = LeaseOf(Task(task), 1);
  lease.owner = "somebody";
  CheckStatus(exam.Put(exam.Item(lease, "theirs")).status(), kOk, "");
}

v1::GetRequest With(Exam& exam, const platform::ReadGrant& grant, uint64_t task = 1) {
  v1::GetRequest request;
  request.add_task_ids(Id(task));
  request.add_read_grants(platform::SealReadGrant(exam.subject().keys(), grant));
  request.set_session_id(std::string(Session().bytes()));
  return request;
}

TEST_CASE("With a grant an executor reads the result of another owner, and only that one",
          "[keys][owners]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      PutForeign(exam, 1);
      PutForeign(exam, 2);
      exam.Put(exam.Item(3, 1, "ours"));
      CheckStatus(exam.Get(Id(1)).status(), kNotFound, "UNKNOWN_TASK");
      v1::GetRequest request = With(exam, GrantOf(1));
      request.add_task_ids(Id(2));
      request.add_read_grants("");
      request.add_task_ids(Id(3));
      request.add_read_grants("");
      const auto response = exam.TryRead(request);
      REQUIRE(response.ok());
      CHECK(response->results(0).result().data() == "theirs");
      CheckStatus(response->results(1).status(), kNotFound, "UNKNOWN_TASK");
      CHECK(response->results(2).result().data() == "ours");
    }
  }
}

TEST_CASE("A grant that is not genuine, has ended or is of something else opens nothing",
          "[keys][owners]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      PutForeign(exam, 1);
      const auto check_refused = [&](const v1::GetRequest& request) {
        const auto response = exam.TryRead(request);
        REQUIRE(response.ok());
        CheckStatus(response->results(0).status(), kPermissionDenied, "INVALID_GRANT");
        CHECK_FALSE(response->results(0).has_result());
      };
      platform::ReadGrant grant = GrantOf(1);
      v1::GetRequest forged = With(exam, grant);
      forged.mutable_read_grants(0)->back() ^= 1;
      check_refused(forged);
      v1::GetRequest lease = With(exam, grant);
      lease.set_read_grants(0, platform::SealLease(exam.subject().keys(), LeaseOf(Task(1), 1)));
      check_refused(lease);
      grant.expires = absl::Now();
      check_refused(With(exam, grant));
      grant = GrantOf(2);
      check_refused(With(exam, grant));
      grant = GrantOf(1);
      grant.holder.client_id = "another app";
      check_refused(With(exam, grant));
      v1::GetRequest session = With(exam, GrantOf(1));
      session.set_session_id("fedcba9876543210");
      check_refused(session);
      // Of a task that the grant's owner does not own, nothing is known.
      grant = GrantOf(1);
      grant.owner = "nobody";
      CheckStatus(exam.TryRead(With(exam, grant))->results(0).status(), kNotFound, "UNKNOWN_TASK");
    }
  }
}

TEST_CASE("Grants that do not go with ids, or with no session, refuse the call", "[keys][owners]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      v1::GetRequest request = With(exam, GrantOf(1));
      request.add_task_ids(Id(2));
      CHECK(exam.TryRead(request).status().code() == absl::StatusCode::kInvalidArgument);
      request = With(exam, GrantOf(1));
      request.set_session_id("short");
      CHECK(exam.TryRead(request).status().code() == absl::StatusCode::kInvalidArgument);
    }
  }
}

TEST_CASE("A service asks for whom it names, in a namespace, and for statuses alone",
          "[keys][owners]") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      PutForeign(exam, 1);
      exam.Fence(Exam::Settling(2, v1::RESULT_STATUS_FAILED));
      v1::GetRequest request;
      request.add_task_ids(Id(1));
      request.add_task_ids(Id(2));
      request.set_subject("somebody");
      request.set_namespace_(Namespace());
      request.set_statuses_only(true);
      const auto denied = exam.TryRead(request);
      CHECK(denied.status().code() == absl::StatusCode::kPermissionDenied);
      CHECK(platform::ReasonOf(denied.status()) == "NOT_A_SERVICE");
      auto response = exam.TryRead(request, "inputs");
      REQUIRE(response.ok());
      CHECK(response->results(0).result().status() == v1::RESULT_STATUS_SUCCEEDED);
      CHECK(response->results(0).result().data().empty());
      CHECK(response->results(0).result().content_type().empty());
      CheckStatus(response->results(1).status(), kNotFound, "UNKNOWN_TASK");
      request.set_subject("local");
      response = exam.TryRead(request, "inputs");
      CheckStatus(response->results(0).status(), kNotFound, "UNKNOWN_TASK");
      CHECK(response->results(1).result().status() == v1::RESULT_STATUS_FAILED);
      CHECK(response->results(1).result().error().reason() == "TIMEOUT");
      CHECK(response->results(1).result().error().message().empty());
      request.set_namespace_("another");
      response = exam.TryRead(request, "inputs");
      CheckStatus(response->results(1).status(), kNotFound, "UNKNOWN_TASK");
    }
  }
}

}  // namespace
}  // namespace kantoku::outputs
