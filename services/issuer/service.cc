#include "services/issuer/service.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/issuer/grant_audit.h"
#include "services/platform/audit/why.h"
#include "services/platform/identity/scopes.h"
#include "services/platform/peer.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"

namespace kantoku::issuer {
namespace {

using platform::Error;
using platform::Reply;
using platform::Transaction;

namespace authpb = ::kantoku::auth::v1;

constexpr int kMaxScopes = 100;
constexpr uint32_t kDefaultPage = 100;
constexpr uint32_t kMaxPage = 1'000;
constexpr absl::Duration kDefaultLifetime = absl::Hours(90 * 24);
constexpr absl::Duration kLeastLifetime = absl::Minutes(1);
constexpr absl::Duration kMostLifetime = absl::Hours(10 * 365 * 24);

absl::Status Invalid(std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_GRANT", message);
}

absl::Status Starting() {
  return Error(absl::StatusCode::kUnavailable, "SERVER_STARTING", "the server is starting");
}

absl::StatusOr<absl::Duration> LifetimeOf(const authpb::CreateGrantRequest& request) {
  if (!request.has_lifetime()) return kDefaultLifetime;
  const absl::Duration lifetime = platform::FromProto(request.lifetime());
  if (lifetime >= kLeastLifetime && lifetime <= kMostLifetime) return lifetime;
  return Invalid(absl::StrCat("lifetime: ", absl::FormatDuration(lifetime),
                              " is not from 1 minute to 10 years"));
}

std::string HostOf(const platform::Call& call) { return platform::HostOfPeer(call.peer()); }

void Encode(const Grant& grant, authpb::Grant& proto) {
  proto.set_id(ToText(grant.id));
  proto.set_user(grant.user);
  proto.set_app(grant.app);
  for (const std::string& scope : grant.scopes) proto.add_scopes(scope);
  for (const std::string& name : grant.namespaces) proto.add_namespaces(name);
  proto.mutable_labels()->insert(grant.labels.begin(), grant.labels.end());
  proto.set_reusable(grant.reusable);
  proto.set_created_by(grant.created_by);
  *proto.mutable_create_time() = platform::ToProto(grant.created);
  *proto.mutable_expire_time() = platform::ToProto(grant.expires);
  if (grant.taken.has_value()) *proto.mutable_take_time() = platform::ToProto(*grant.taken);
  if (grant.revoked.has_value()) *proto.mutable_revoke_time() = platform::ToProto(*grant.revoked);
}

struct PageAsked {
  GrantMachine::Place after;
  size_t limit;
};

absl::StatusOr<PageAsked> ReadPage(const authpb::ListGrantsRequest& request) {
  if (request.page_size() > kMaxPage) {
    return Error(
        absl::StatusCode::kInvalidArgument, "OUT_OF_RANGE",
        absl::StrCat("page_size: ", request.page_size(), " exceeds the limit of ", kMaxPage));
  }
  PageAsked asked{.limit = request.page_size() == 0 ? kDefaultPage : request.page_size()};
  if (request.page_token().empty()) return asked;
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(request.page_token(), absl::MaxSplits('.', 1));
  const auto id = GrantIdOf(platform::ToStd(parts.second));
  if (!id.has_value() || !absl::SimpleAtoi(parts.first, &asked.after.created)) {
    return Error(absl::StatusCode::kInvalidArgument, "BAD_PAGE_TOKEN",
                 "page_token: did not come from an earlier page");
  }
  asked.after.id = *id;
  return asked;
}

void Encode(const GrantMachine::Page& page, authpb::ListGrantsResponse& response) {
  for (const Grant& grant : page.grants) Encode(grant, *response.add_grants());
  if (!page.next.has_value()) return;
  response.set_next_page_token(absl::StrCat(page.next->created, ".", ToText(page.next->id)));
}

}  // namespace

Service::Service(const Parts& parts)
    : platform::Service(authpb::GrantsService::service_full_name()),
      parts_(parts),
      create_(parts.calls.MethodOf("GrantsService/CreateGrant")),
      list_(parts.calls.MethodOf("GrantsService/ListGrants")),
      revoke_(parts.calls.MethodOf("GrantsService/RevokeGrant")),
      exchange_(parts.calls.MethodOf("GrantsService/ExchangeGrant")) {
  HandleSound("CreateGrant", create_, &Service::CreateGrant);
  HandleSound("ListGrants", list_, &Service::ListGrants);
  HandleSound("RevokeGrant", revoke_, &Service::RevokeGrant);
  HandleSound("ExchangeGrant", exchange_, &Service::ExchangeGrant);
}

template <typename Command>
void Service::Post(Reply reply, Command command, Urgency urgency) {
  if (!open_) return reply(Starting());
  // Shared, as a command that is not taken is gone.
  const auto answer = std::make_shared<Reply>(std::move(reply));
  const absl::Status posted = parts_.runner.Post(
      [answer, command = std::move(command)](Transaction& transaction) mutable {
        command(transaction, std::move(*answer));
      },
      urgency);
  if (!posted.ok()) (*answer)(posted);
}

absl::StatusOr<Grant> Service::Read(const authpb::CreateGrantRequest& request,
                                    const Identity& caller) const {
  Grant grant;
  grant.user = request.user().empty() ? caller.subject : request.user();
  grant.app = request.app();
  grant.scopes.assign(request.scopes().begin(), request.scopes().end());
  grant.namespaces.assign(request.namespaces().begin(), request.namespaces().end());
  if (grant.namespaces.empty()) grant.namespaces = {"default"};
  grant.labels.insert(request.labels().begin(), request.labels().end());
  grant.reusable = request.reusable();
  grant.created_by = caller.subject;
  if (grant.app.empty()) return Invalid("app: is empty");
  if (grant.scopes.empty() || grant.scopes.size() > kMaxScopes) {
    return Invalid(
        absl::StrCat("scopes: ", grant.scopes.size(), " are not from 1 to ", kMaxScopes));
  }
  for (const std::string& scope : grant.scopes) {
    KANTOKU_RETURN_IF_ERROR(platform::Annotate(platform::CheckScope(scope), "scopes"));
  }
  for (const std::string& name : grant.namespaces) {
    KANTOKU_RETURN_IF_ERROR(platform::CheckMayUse(caller, name));
  }
  const absl::Time now = parts_.clock.Read().wall;
  grant.created = now;
  grant.expires = now + kLeastLifetime;
  KANTOKU_RETURN_IF_ERROR(parts_.issuer.Check(grant, now));
  return grant;
}

void Service::CreateGrant(platform::UnaryCall* call, const authpb::CreateGrantRequest* request,
                          authpb::CreateGrantResponse* response) {
  HandleUnary(call, create_, [&](const Identity& caller, Reply reply) {
    if (const absl::Status why = platform::CheckWhy(request->why()); !why.ok()) return reply(why);
    auto grant = Read(*request, caller);
    if (!grant.ok()) return reply(grant.status());
    const auto lifetime = LifetimeOf(*request);
    if (!lifetime.ok()) return reply(lifetime.status());
    Post(std::move(reply), [this, call, request, response, grant = *std::move(grant),
                            lifetime = *lifetime](Transaction& transaction, Reply reply) mutable {
      parts_.machine.Create(
          transaction, std::move(grant), lifetime,
          [this, call, request, response,
           reply = std::move(reply)](absl::StatusOr<GrantMachine::Created> created) mutable {
            if (created.ok()) {
              const Grant& grant = created->grant;
              parts_.audit.Say(GrantCreated(
                  grant, {.by = grant.created_by, .why = request->why(), .peer = HostOf(*call)}));
              Encode(grant, *response->mutable_grant());
              response->set_secret(created->secret);
            }
            reply(created.status());
          });
    });
  });
}

void Service::ListGrants(platform::UnaryCall* call, const authpb::ListGrantsRequest* request,
                         authpb::ListGrantsResponse* response) {
  HandleUnary(call, list_, [&](const Identity& caller, Reply reply) {
    const auto asked = ReadPage(*request);
    if (!asked.ok()) return reply(asked.status());
    // The caller lives as long as the call, which the answer ends.
    Post(std::move(reply), [this, response, &caller, asked = *asked](Transaction& transaction,
                                                                     Reply reply) mutable {
      parts_.machine.List(
          transaction, caller, asked.after, asked.limit,
          [response, reply = std::move(reply)](absl::StatusOr<GrantMachine::Page> page) mutable {
            if (page.ok()) Encode(*page, *response);
            reply(page.status());
          });
    });
  });
}

void Service::RevokeGrant(platform::UnaryCall* call, const authpb::RevokeGrantRequest* request,
                          authpb::RevokeGrantResponse* response) {
  HandleUnary(call, revoke_, [&](const Identity& caller, Reply reply) {
    const auto id = GrantIdOf(request->id());
    if (!id.has_value()) return reply(Invalid("id: is not 16 hexadecimal digits"));
    if (const absl::Status why = platform::CheckWhy(request->why()); !why.ok()) return reply(why);
    // As above, the caller lives until the answer.
    Post(
        std::move(reply),
        [this, call, request, response, &caller, id = *id](Transaction& transaction,
                                                           Reply reply) mutable {
          parts_.machine.Revoke(
              transaction, id, caller,
              [this, call, request, response, &caller,
               reply = std::move(reply)](absl::StatusOr<GrantMachine::Changed> revoked) mutable {
                if (revoked.ok()) {
                  const Grant& grant = revoked->grant;
                  // Again as well: the first may have been answered by nobody,
                  // after a crash.
                  parts_.audit.Say(GrantRevoked(
                      grant, revoked->now,
                      {.by = caller.subject, .why = request->why(), .peer = HostOf(*call)}));
                  Encode(grant, *response->mutable_grant());
                }
                reply(revoked.status());
              });
        },
        Urgency::kUrgent);
  });
}

void Service::ExchangeGrant(platform::UnaryCall* call, const authpb::ExchangeGrantRequest* request,
                            authpb::ExchangeGrantResponse* response) {
  HandleUnary(call, exchange_, [&](const Identity&, Reply reply) {
    if (!open_) return reply(Starting());
    const auto id = GrantIdOf(request->id());
    if (!id.has_value()) return reply(Invalid("id: is not 16 hexadecimal digits"));
    parts_.desk.Exchange(
        {.id = *id, .secret = request->secret(), .holder_secret = request->holder_secret()},
        HostOf(*call),
        [response, reply = std::move(reply)](absl::StatusOr<TokenDesk::Token> token) mutable {
          if (token.ok()) {
            response->set_access_token(token->access_token);
            *response->mutable_lifetime() = platform::ToProto(token->lifetime);
          }
          reply(token.status());
        });
  });
}

}  // namespace kantoku::issuer
