#include <grpcpp/client_context.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/commands.h"
#include "client/cli/text.h"
#include "kantoku/auth/v1/grants.grpc.pb.h"
#include "services/platform/access/join_string.h"
#include "services/platform/access/target.h"
#include "services/platform/proto_time.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "services/platform/tls/certificate_authority.h"

// Who may come, with the issuer that a server has of its own.
namespace kantoku::cli {
namespace {

namespace authpb = ::kantoku::auth::v1;

absl::Status Wrong(const std::string& message) {
  return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_ARGUMENTS", message);
}

// The issuer of a server.
class Issuer {
 public:
  Issuer(const Context& context, const platform::Target& target,
         const std::shared_ptr<grpc::Channel>& channel)
      : context_(context), target_(target), stub_(authpb::GrantsService::NewStub(channel)) {}

  static absl::StatusOr<Issuer> Connect(const Context& context) {
    KANTOKU_ASSIGN_OR_RETURN(const platform::Target target, context.FindTarget());
    KANTOKU_ASSIGN_OR_RETURN(const auto channel,
                             platform::MakeChannel(target.server, target.channel));
    return Issuer(context, target, channel);
  }

  const platform::Target& target() const { return target_; }

  // One call: `(stub.*method)(context, request, response)`.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(grpc::Status (authpb::GrantsService::StubInterface::*method)(
                                   grpc::ClientContext*, const Request&, Response*),
                               const Request& request) const {
    grpc::ClientContext call;
    const absl::Duration patience = std::min(context_.call_options().timeout, kPatience);
    call.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMicroseconds(patience));
    call.set_wait_for_ready(true);
    Response response;
    const absl::Status status =
        platform::FromGrpc((stub_.get()->*method)(&call, request, &response));
    if (status.ok()) return response;
    if (!absl::IsUnimplemented(status)) return status;
    return platform::Error(
        absl::StatusCode::kFailedPrecondition, "NO_OWN_ISSUER",
        absl::StrCat("the server at ", target_.server,
                     " has no issuer of its own; its tokens come from the one that its "
                     "configuration names"));
  }

 private:
  static constexpr absl::Duration kPatience = absl::Seconds(30);

  const Context& context_;
  platform::Target target_;
  std::unique_ptr<authpb::GrantsService::StubInterface> stub_;
};

std::string StateOf(const authpb::Grant& grant, absl::Time now) {
  if (grant.has_revoke_time()) return "revoked";
  if (now >= platform::FromProto(grant.expire_time())) return "ended";
  if (grant.reusable()) return "reusable";
  return grant.has_take_time() ? "taken" : "open";
}

Json ToJson(const authpb::Grant& grant, absl::Time now) {
  Json json = {{"id", grant.id()},
               {"user", grant.user()},
               {"app", grant.app()},
               {"scopes", Json::array()},
               {"namespaces", Json::array()},
               {"state", StateOf(grant, now)},
               {"created_by", grant.created_by()},
               {"create_time", TimeText(platform::FromProto(grant.create_time()))},
               {"expire_time", TimeText(platform::FromProto(grant.expire_time()))}};
  for (const std::string& scope : grant.scopes()) json["scopes"].push_back(scope);
  for (const std::string& name : grant.namespaces()) json["namespaces"].push_back(name);
  for (const auto& [name, value] : grant.labels()) json["labels"][name] = value;
  return json;
}

class TokenCommand final : public Command {
 public:
  std::string name() const override { return "token"; }
  std::string description() const override {
    return "Lets somebody in: makes a join string, lists and revokes those that were made";
  }
  void AddTo(CLI::App& app) override {
    app.add_option("action", action_, "create, list, or revoke ID...")
        ->required()
        ->check(CLI::IsMember({"create", "list", "revoke"}).description(""));
    app.add_option("ids", ids_, "What is revoked, as `kantoku token list` shows it");
    app.add_option("--app", app_, "For which program")->type_name("NAME");
    app.add_option("--scope", scopes_,
                   "What it may do: inputs:spawn, inputs:pull:segment-*, outputs:write, … (repeat)")
        ->type_name("SCOPE")
        ->allow_extra_args(false);
    app.add_option("--user", user_, "Whose it is (default: yours)")->type_name("NAME");
    app.add_option("--in", namespaces_, "In which namespace (repeat; default: that of --namespace)")
        ->type_name("NAME")
        ->allow_extra_args(false);
    app.add_option("--label", labels_,
                   "What an executor is trusted to be: 'site=lab' is trusted/site for placements")
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false);
    app.add_flag("--reusable", reusable_, "For any number of computers, as in a fleet of pods");
    app.add_option("--lifetime", lifetime_, "How long it is good for (default 2160h)")
        ->type_name("TIME");
    app.add_option("--address", address_,
                   "Where others reach the server, in the join string (default: where you do)")
        ->type_name("HOST:PORT");
    AddWhy(app, why_);
  }
  ExitCode Run(const Context& context) override {
    const auto request = Check(context);
    if (!request.ok()) return context.Fail(request.status());
    const auto issuer = Issuer::Connect(context);
    if (!issuer.ok()) return context.Fail(issuer.status());
    if (action_ == "create") return Create(context, *issuer, *request);
    return action_ == "list" ? List(context, *issuer) : Revoke(context, *issuer);
  }

 private:
  // What is to be created; empty where nothing is.
  absl::StatusOr<authpb::CreateGrantRequest> Check(const Context& context) const {
    authpb::CreateGrantRequest request;
    if (action_ != "create") {
      if (!app_.empty() || !scopes_.empty()) return Wrong("--app and --scope: only for create");
      if (action_ == "revoke" && ids_.empty()) return Wrong("revoke: name what is to be revoked");
      const bool has_more = !ids_.empty() || !why_.empty();
      if (action_ == "list" && has_more) return Wrong("list: wants no more");
      return request;
    }
    if (!ids_.empty()) return Wrong("create: wants options alone");
    if (app_.empty() || scopes_.empty()) return Wrong("create: wants --app and --scope");
    request.set_app(app_);
    request.set_user(user_);
    request.set_reusable(reusable_);
    request.set_why(why_);
    for (const std::string& scope : scopes_) request.add_scopes(scope);
    for (const std::string& name : namespaces_) request.add_namespaces(name);
    if (namespaces_.empty()) request.add_namespaces(context.namespace_name());
    KANTOKU_ASSIGN_OR_RETURN(const auto labels, ParseEntries("--label", labels_));
    request.mutable_labels()->insert(labels.begin(), labels.end());
    if (!lifetime_.empty()) {
      KANTOKU_ASSIGN_OR_RETURN(const absl::Duration lifetime,
                               ParseDuration("--lifetime", lifetime_));
      *request.mutable_lifetime() = platform::ToProto(lifetime);
    }
    return request;
  }

  // All of the join string but the grant, before there is one that nobody would get.
  absl::StatusOr<platform::JoinString> BeginJoin(const platform::Target& target) const {
    platform::JoinString join;
    join.server = address_.empty() ? target.server : address_;
    const size_t colon = join.server.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == join.server.size()) {
      return Wrong(absl::StrCat("--address: ", join.server, " is not of the form host:port"));
    }
    const auto& tls = target.channel.tls;
    if (!tls.has_value() || tls->server_name != platform::kInternalName) {
      return platform::Error(
          absl::StatusCode::kFailedPrecondition, "NO_OWN_AUTHORITY",
          absl::StrCat("the server at ", target.server,
                       " has no certificate of its own authority, which a join string names"));
    }
    KANTOKU_ASSIGN_OR_RETURN(join.authority, platform::SpkiFingerprint(tls->authorities));
    return join;
  }

  ExitCode Create(const Context& context, const Issuer& issuer,
                  const authpb::CreateGrantRequest& request) const {
    auto join = BeginJoin(issuer.target());
    if (!join.ok()) return context.Fail(join.status());
    const auto created = issuer.Ask(&authpb::GrantsService::StubInterface::CreateGrant, request);
    if (!created.ok()) return context.Fail(created.status());
    join->grant = created->grant().id();
    join->secret = created->secret();
    if (platform::IsOwnAddress(join->server)) {
      context.Note(absl::StrCat("other computers do not reach ", join->server,
                                "; let the server listen where they do, and name that with "
                                "--address"));
    }
    if (context.json()) {
      Json json = ToJson(created->grant(), context.now());
      json["join"] = platform::ToText(*join);
      context.Print(json);
    } else {
      context.PrintLine(platform::ToText(*join));
    }
    return ExitCode::kOk;
  }

  static std::vector<std::string> RowOf(const authpb::Grant& grant, absl::Time now) {
    return {grant.id(),
            OneLine(grant.app()),
            OneLine(grant.user()),
            OneLine(absl::StrJoin(grant.scopes(), " ")),
            OneLine(absl::StrJoin(grant.namespaces(), " ")),
            StateOf(grant, now),
            AgeText(now - platform::FromProto(grant.create_time()))};
  }

  static ExitCode List(const Context& context, const Issuer& issuer) {
    constexpr uint32_t kPageSize = 1'000;
    std::vector<std::vector<std::string>> rows;
    authpb::ListGrantsRequest request;
    request.set_page_size(kPageSize);
    do {
      const auto page = issuer.Ask(&authpb::GrantsService::StubInterface::ListGrants, request);
      if (!page.ok()) return context.Fail(page.status());
      for (const authpb::Grant& grant : page->grants()) {
        if (context.json()) {
          context.Print(ToJson(grant, context.now()));
        } else {
          rows.push_back(RowOf(grant, context.now()));
        }
      }
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    if (context.json()) return ExitCode::kOk;
    if (rows.empty()) {
      context.Note("none was made");
    } else {
      context.PrintTable({"ID", "APP", "USER", "SCOPES", "NAMESPACES", "STATE", "AGE"}, rows);
    }
    return ExitCode::kOk;
  }

  ExitCode Revoke(const Context& context, const Issuer& issuer) const {
    ExitCode code = ExitCode::kOk;
    for (const std::string& id : ids_) {
      authpb::RevokeGrantRequest request;
      request.set_id(id);
      request.set_why(why_);
      const auto revoked = issuer.Ask(&authpb::GrantsService::StubInterface::RevokeGrant, request);
      if (!revoked.ok()) {
        Merge(code, context.Fail(revoked.status(), id));
      } else if (context.json()) {
        context.Print(ToJson(revoked->grant(), context.now()));
      } else {
        context.PrintLine(absl::StrCat(OneLine(id), "  revoked"));
      }
    }
    return code;
  }

  std::string action_;
  std::vector<std::string> ids_;
  std::string app_;
  std::string user_;
  std::vector<std::string> scopes_;
  std::vector<std::string> namespaces_;
  std::vector<std::string> labels_;
  bool reusable_ = false;
  std::string lifetime_;
  std::string address_;
  std::string why_;
};

class JoinCommand final : public Command {
 public:
  std::string name() const override { return "join"; }
  std::string description() const override {
    return "Keeps what a join string says in a file, for --access and $KANTOKU_ACCESS";
  }
  bool needs_server() const override { return false; }
  void AddTo(CLI::App& app) override {
    app.add_option("join", join_,
                   "What `kantoku token create` printed; - reads it from standard input")
        ->required();
  }
  ExitCode Run(const Context& context) override {
    std::string text = join_;
    if (text == "-") std::getline(context.streams().in, text);
    const auto path =
        platform::AcceptJoinString(text, platform::DefaultJoinedDir(), absl::Seconds(20));
    if (!path.ok()) return context.Fail(path.status());
    if (context.json()) {
      context.Print({{"access", *path}});
    } else {
      context.PrintLine(*path);
    }
    return ExitCode::kOk;
  }

 private:
  std::string join_;
};

}  // namespace

std::unique_ptr<Command> MakeTokenCommand() { return std::make_unique<TokenCommand>(); }
std::unique_ptr<Command> MakeJoinCommand() { return std::make_unique<JoinCommand>(); }

}  // namespace kantoku::cli
