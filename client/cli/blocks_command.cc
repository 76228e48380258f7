#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/server_stub.h"
#include "client/cli/text.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"

// Who is let in no more, whatever tokens he shows.
namespace kantoku::cli {
namespace {

namespace authpb = ::kantoku::auth::v1;
namespace inputspb = ::kantoku::inputs::v1;

using Inputs = ServerStub<inputspb::InputsService>;

absl::Status Wrong(const std::string& message) {
  return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_ARGUMENTS", message);
}

std::string TokensText(const authpb::Block& block) {
  if (!block.has_tokens_until()) return "all";
  return "until " + TimeText(platform::FromProto(block.tokens_until()));
}

Json ToJson(const authpb::Block& block) {
  Json json = {{"user", block.user()},
               {"app", block.app()},
               {"executor", block.executor()},
               {"reason", block.reason()}};
  if (block.has_tokens_until()) {
    json["tokens_until"] = TimeText(platform::FromProto(block.tokens_until()));
  }
  if (block.has_set_time()) {
    json["set_by"] = block.set_by();
    json["set_time"] = TimeText(platform::FromProto(block.set_time()));
  }
  return json;
}

class BlocksCommand final : public Command {
 public:
  std::string name() const override { return "blocks"; }
  std::string description() const override {
    return "Refuses users, apps and executors, and takes back at once what they hold";
  }
  void AddTo(CLI::App& app) override {
    app.add_option("action", action_, "set, lift or list")
        ->required()
        ->check(CLI::IsMember({"set", "lift", "list"}).description(""));
    app.add_option("--user", user_, "Whose tokens are for this user")->type_name("NAME");
    app.add_option("--app", app_, "Whose tokens are for this app")->type_name("NAME");
    app.add_option("--executor", executor_, "Executors of this name")->type_name("NAME");
    app.add_flag("--old-tokens", old_tokens_,
                 "Only with the tokens that there are now: who gets a new one is let in again");
    app.add_option("--reason", reason_, "Why, as those are told whom it refuses");
    AddWhy(app, why_);
  }
  ExitCode Run(const Context& context) override {
    if (const absl::Status sound = Check(); !sound.ok()) return context.Fail(sound);
    const auto inputs = Inputs::Connect(context);
    if (!inputs.ok()) return context.Fail(inputs.status());
    return action_ == "list" ? List(context, *inputs) : Change(context, *inputs);
  }

 private:
  absl::Status Check() const {
    const bool named = !user_.empty() || !app_.empty() || !executor_.empty();
    if (action_ == "list") {
      return named || !why_.empty() ? Wrong("blocks list: wants no more") : absl::OkStatus();
    }
    if (!named)
      return Wrong(absl::StrCat("blocks ", action_, ": wants --user, --app or --executor"));
    const bool more = old_tokens_ || !reason_.empty();
    if (action_ == "lift" && more) return Wrong("blocks lift: wants names alone, and --why");
    return absl::OkStatus();
  }

  authpb::Block Read(absl::Time now) const {
    authpb::Block block;
    block.set_user(user_);
    block.set_app(app_);
    block.set_executor(executor_);
    block.set_reason(reason_);
    if (old_tokens_) *block.mutable_tokens_until() = platform::ToProto(now);
    return block;
  }

  ExitCode Change(const Context& context, const Inputs& inputs) const {
    const authpb::Block block = Read(context.now());
    inputspb::SetBlocksRequest request;
    *(action_ == "set" ? request.add_set() : request.add_lift()) = block;
    request.set_why(why_);
    const auto response = inputs.Ask(&Inputs::Stub::SetBlocks, request);
    if (!response.ok()) return context.Fail(response.status());
    const auto& items = action_ == "set" ? response->set() : response->lifted();
    const absl::Status done = items.empty()
                                  ? absl::InternalError("there was no answer")
                                  : platform::Error(static_cast<absl::StatusCode>(items[0].code()),
                                                    items[0].reason(), items[0].message());
    if (!done.ok()) return context.Fail(done);
    if (context.json()) context.Print(ToJson(block));
    return ExitCode::kOk;
  }

  static ExitCode List(const Context& context, const Inputs& inputs) {
    const auto response = inputs.Ask(&Inputs::Stub::ListBlocks, inputspb::ListBlocksRequest());
    if (!response.ok()) return context.Fail(response.status());
    std::vector<std::vector<std::string>> rows;
    const auto text = [](const std::string& name) { return name.empty() ? "-" : OneLine(name); };
    for (const authpb::Block& block : response->blocks()) {
      if (context.json()) context.Print(ToJson(block));
      rows.push_back({text(block.user()), text(block.app()), text(block.executor()),
                      TokensText(block), text(block.set_by()),
                      AgeText(context.now() - platform::FromProto(block.set_time())),
                      OneLine(block.reason())});
    }
    if (context.json()) return ExitCode::kOk;
    if (rows.empty()) {
      context.Note("nobody is blocked");
    } else {
      context.PrintTable({"USER", "APP", "EXECUTOR", "TOKENS", "SET BY", "SINCE", "REASON"}, rows);
    }
    return ExitCode::kOk;
  }

  std::string action_;
  std::string user_;
  std::string app_;
  std::string executor_;
  bool old_tokens_ = false;
  std::string reason_;
  std::string why_;
};

}  // namespace

std::unique_ptr<Command> MakeBlocksCommand() { return std::make_unique<BlocksCommand>(); }

}  // namespace kantoku::cli
