#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/text.h"
#include "services/platform/access/access_file.h"
#include "services/platform/access/join_string.h"
#include "services/platform/access/target.h"
#include "services/platform/clock.h"
#include "services/platform/directories.h"
#include "services/platform/identity/http_client.h"
#include "services/platform/mutex.h"
#include "services/platform/oauth/stored_login.h"
#include "services/platform/oauth/token_endpoint.h"
#include "services/platform/status.h"

// Who one is, with an issuer elsewhere.
namespace kantoku::cli {
namespace {

// Waits; nothing wakes it before.
void Pause(platform::Clock& clock, absl::Duration pause) {
  platform::Mutex mutex;
  platform::CondVar never;
  const absl::Duration end = clock.Read().steady + pause;
  platform::MutexLock lock(mutex);
  while (clock.Read().steady < end) clock.Wait(mutex, never, end);
}

class LoginCommand final : public Command {
 public:
  std::string name() const override { return "login"; }
  std::string description() const override {
    return "Logs in at the issuer whose tokens a server takes, by a code that you confirm in a "
           "browser";
  }
  void AddTo(CLI::App& app) override {
    app.add_option("--issuer", client_.issuer, "Its URL, as in the server's auth.issuers")
        ->type_name("URL")
        ->required();
    app.add_option("--client-id", client_.client_id, "As which program one logs in")
        ->type_name("ID")
        ->required();
    app.add_option(
        "--scope", client_.scope,
        "What one wants to do, words in one text (default: offline_access and what users "
        "do)");
    app.add_option("--audience", client_.audience, "For issuers that want to be told for whom");
    app.add_option("--resource", client_.resource, "The same, as RFC 8707 has it");
  }
  ExitCode Run(const Context& context) override {
    // Where one will go with the tokens, found out before anybody is asked for anything.
    const auto target = context.FindServer();
    if (!target.ok()) return context.Fail(target.status());
    platform::Clock& clock = platform::Clock::Real();
    const auto http = platform::MakeHttpClient({});
    auto granted = LogIn(context, *http, clock);
    if (!granted.ok()) return context.Fail(granted.status());
    const auto path = Keep(*target, *std::move(granted), *http, clock);
    if (!path.ok()) return context.Fail(path.status());
    if (context.json()) {
      context.Print({{"access", *path}});
    } else {
      context.PrintLine(*path);
    }
    return ExitCode::kOk;
  }

 private:
  static constexpr char kUsersScope[] =
      "offline_access inputs:spawn inputs:read inputs:control outputs:read events:read";

  absl::StatusOr<platform::TokenGrant> LogIn(const Context& context, platform::HttpClient& http,
                                             platform::Clock& clock) {
    if (client_.scope.empty()) client_.scope = kUsersScope;
    platform::TokenEndpoint endpoint(client_, http, clock);
    KANTOKU_ASSIGN_OR_RETURN(platform::DeviceLogin login, endpoint.StartDeviceLogin());
    context.streams().err << "Open " << OneLine(login.verification_uri) << " and enter the code "
                          << OneLine(login.user_code) << std::endl;
    while (true) {
      const absl::Duration patience = context.call_options().timeout;
      if (patience <= absl::ZeroDuration()) {
        return platform::Error(absl::StatusCode::kDeadlineExceeded, "TIMEOUT",
                               "nobody has confirmed the code in time");
      }
      Pause(clock, std::min(login.interval, patience));
      auto granted = endpoint.PollDeviceLogin(login);
      if (granted.ok() && granted->has_value()) return **std::move(granted);
      if (!granted.ok() && !absl::IsUnavailable(granted.status())) return granted.status();
    }
  }

  // Writes the login, and an access file that leads to it.
  absl::StatusOr<std::string> Keep(const platform::Access& server, platform::TokenGrant granted,
                                   platform::HttpClient& http, platform::Clock& clock) const {
    if (granted.refresh_token.empty()) {
      return platform::Error(absl::StatusCode::kFailedPrecondition, "NO_REFRESH_TOKEN",
                             "the issuer gives this client no refresh token, so the login would "
                             "end in a moment; most want offline_access in --scope");
    }
    const std::string directory = platform::DefaultJoinedDir();
    KANTOKU_RETURN_IF_ERROR(platform::MakeDirectory(directory).status());
    std::string name = server.server;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '/' || c == ':'; }, '_');
    platform::Access access = server;
    access.login_file = absl::StrCat(directory, "/", name, ".login");
    platform::StoredLogin login(access.login_file, http, clock);
    KANTOKU_RETURN_IF_ERROR(login.Save({.client = client_,
                                        .refresh_token = std::move(granted.refresh_token),
                                        .access_token = std::move(granted.access_token)}));
    const std::string path = absl::StrCat(directory, "/", name, ".json");
    KANTOKU_RETURN_IF_ERROR(platform::WriteAccessFile(path, access));
    return path;
  }

  platform::OAuthClient client_;
};

}  // namespace

std::unique_ptr<Command> MakeLoginCommand() { return std::make_unique<LoginCommand>(); }

}  // namespace kantoku::cli
