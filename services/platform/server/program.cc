#include "services/platform/server/program.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "services/platform/access/access_file.h"
#include "services/platform/auth/key_keeper.h"
#include "services/platform/blocks/blocks_service.h"
#include "services/platform/config/defaults.h"
#include "services/platform/config/fields.h"
#include "services/platform/config/quantities.h"
#include "services/platform/config/validate.h"
#include "services/platform/log/log.h"
#include "services/platform/process.h"
#include "services/platform/proto_time.h"
#include "services/platform/random.h"
#include "services/platform/rpc/service.h"
#include "services/platform/server/authentication.h"
#include "services/platform/server/data_dir.h"
#include "services/platform/server/metrics_server.h"
#include "services/platform/server/program_environment.h"
#include "services/platform/server/server.h"
#include "services/platform/server/server_tls.h"
#include "services/platform/server/stop_signal.h"
#include "services/platform/status.h"
#include "services/platform/whole_file.h"

namespace kantoku::platform {
namespace {

namespace configpb = ::kantoku::config::v1;

constexpr int kExitOk = 0;
constexpr int kExitCannotStart = 1;
constexpr int kExitWrongConfig = 2;

constexpr absl::Duration kHealthInterval = absl::Milliseconds(250);
// How long a stop waits for Events to take the rest of the audit trail.
constexpr absl::Duration kAuditLimit = absl::Seconds(1);

LogOptions ToLogOptions(const configpb::LogConfig& config) {
  LogOptions options;
  switch (config.level()) {
    case configpb::LOG_LEVEL_DEBUG:
      options.level = LogLevel::kDebug;
      break;
    case configpb::LOG_LEVEL_WARN:
      options.level = LogLevel::kWarn;
      break;
    case configpb::LOG_LEVEL_ERROR:
      options.level = LogLevel::kError;
      break;
    default:
      break;
  }
  if (config.format() == configpb::LOG_FORMAT_TEXT) options.format = LogFormat::kText;
  if (config.format() == configpb::LOG_FORMAT_JSON) options.format = LogFormat::kJson;
  return options;
}

// The program that makes the keys also rotates them.
absl::StatusOr<std::unique_ptr<MacKeyKeeper>> OpenKeys(const configpb::ServerConfig& config,
                                                       bool own) {
  MacKeyKeeper::Options options;
  options.path = config.mac_key_file();
  options.create = own;
  if (own) options.lifetime = FromProto(config.mac_key_lifetime());
  auto keys = MacKeyKeeper::Open(options);
  if (absl::IsNotFound(keys.status())) {
    return Error(absl::StatusCode::kFailedPrecondition, "NO_MAC_KEYS",
                 absl::StrCat("server.mac_key_file: ", options.path,
                              " does not exist; `kantoku up` makes one, which the services of an "
                              "installation share"));
  }
  if (!keys.ok()) return Annotate(keys.status(), "server.mac_key_file");
  return keys;
}

// How often the access file is written; the token in it is good for three times as long.
constexpr absl::Duration kAccessInterval = absl::Hours(8);
constexpr absl::Duration kAccessPause = absl::Minutes(1);  // After a failure.

// Where a program of this computer reaches a server that listens there.
ListenAddress FromHere(ListenAddress address) {
  if (address.host == "0.0.0.0") address.host = "127.0.0.1";
  if (address.host == "::") address.host = "::1";
  return address;
}

// With the port that the server got where none is named.
std::string Advertised(const std::string& text, uint16_t port) {
  if (!absl::EndsWith(text, ":0")) return text;
  return absl::StrCat(text.substr(0, text.size() - 1), port);
}

// What other computers can reach is protected, and knows who calls.
absl::Status CheckExposure(const ProgramOptions& options, const configpb::Config& config) {
  KANTOKU_ASSIGN_OR_RETURN(const ListenAddress address,
                           ParseListenAddress("server.listen", config.server().listen()));
  if (address.is_loopback()) return absl::OkStatus();
  const std::string where =
      absl::StrCat("server.listen: other computers can reach ", address.ToString(), ", and ");
  const configpb::TlsConfig& tls = config.server().tls();
  if (!UsesTls(tls, options.own_authority) && !tls.insecure_plaintext_beyond_loopback()) {
    return InvalidConfig(where + "there is no TLS; name server.tls.certificate_file and key_file");
  }
  const bool knows_callers = options.authenticator != nullptr || options.open_issuer != nullptr ||
                             !config.auth().issuers().empty();
  if (knows_callers) return absl::OkStatus();
  return InvalidConfig(where + "callers do not prove who they are; name auth.issuers");
}

class RunningProgram final : public Program {
 public:
  explicit RunningProgram(const ProgramOptions& options)
      : config_(options.config), writes_access_(options.own_authority) {
    FillDefaults(config_);
  }
  ~RunningProgram() override { Stop(); }

  absl::Status Open(const ProgramOptions& options, std::vector<ModuleMaker>& makers) {
    KANTOKU_RETURN_IF_ERROR(Validate(config_));
    KANTOKU_RETURN_IF_ERROR(CheckExposure(options, config_));
    KANTOKU_RETURN_IF_ERROR(OpenEnvironment(options));
    for (ModuleMaker& make : makers) {
      KANTOKU_ASSIGN_OR_RETURN(std::unique_ptr<Module> module, make(*environment_));
      modules_.push_back(std::move(module));
    }
    // Not before the stores are open: another program may have this data directory, and its
    // certificates would be replaced.
    KANTOKU_ASSIGN_OR_RETURN(
        tls_, ServerTls::Open(config_.server(), options.own_authority, Clock::Real().Read().wall));
    KANTOKU_RETURN_IF_ERROR(Listen());
    for (const auto& module : modules_) {
      const absl::Status started = module->Start();
      if (!started.ok()) return Annotate(started, module->name());
    }
    // Whoever waits for these files calls at once.
    KANTOKU_RETURN_IF_ERROR(WriteAccess(Clock::Real().Read()));
    if (!options.port_file.empty()) {
      KANTOKU_RETURN_IF_ERROR(
          ReplaceWholeFile(options.port_file, absl::StrCat(server_->address().port, "\n")));
    }
    RefreshHealth();
    return absl::OkStatus();
  }

  std::string address() const override { return server_->address().ToString(); }
  std::string metrics_address() const override {
    return metrics_ != nullptr ? metrics_->address().ToString() : "";
  }
  Environment& environment() override { return *environment_; }

  void Refresh() override {
    RefreshHealth();
    environment_->gate().LookAfterStreams();
    environment_->audit().Refresh();
    const Now now = Clock::Real().Read();
    keys_->Refresh(now);
    if (tls_ != nullptr) tls_->Refresh(now.wall);
    // The token ends by wall time, which may be set.
    const bool is_set = now.wall < access_written_ || now.wall > access_written_ + kAccessInterval;
    if (!writes_access_ ||
        (now.steady < next_access_ && !(is_set && now.steady >= access_pause_))) {
      return;
    }
    if (const absl::Status written = WriteAccess(now); !written.ok()) {
      Log(LogLevel::kError, "server: the access file cannot be written", {{"why", written}});
    }
  }

  void Stop() override {
    if (std::exchange(stopped_, true)) return;
    const absl::Duration limit = FromProto(config_.server().drain_timeout());
    const absl::Duration deadline = Clock::Real().Read().steady + limit;
    healthy_ = false;
    if (server_ != nullptr) Drain(limit);
    if (environment_ != nullptr) environment_->audit().Stop(std::min(limit, kAuditLimit));
    ShutDownServer(std::max(absl::ZeroDuration(), deadline - Clock::Real().Read().steady));
    server_.reset();
    metrics_.reset();
    modules_.clear();
  }

 private:
  absl::Status OpenEnvironment(const ProgramOptions& options) {
    const std::string& data_dir = config_.server().data_dir();
    KANTOKU_ASSIGN_OR_RETURN(const bool made, PrepareDataDir(data_dir));
    if (made) Log(LogLevel::kInfo, "server: made the data directory", {{"path", data_dir}});
    KANTOKU_ASSIGN_OR_RETURN(keys_, OpenKeys(config_.server(), options.create_mac_keys));
    const bool uses_tls = UsesTls(config_.server().tls(), options.own_authority);
    KANTOKU_ASSIGN_OR_RETURN(OutwardTls outward, TlsToOthers(config_.server().tls(), uses_tls));
    KANTOKU_ASSIGN_OR_RETURN(auto authenticator, OpenAuthenticator(options));
    environment_ = std::make_unique<ProgramEnvironment>(
        options.name, keys_->keys(), std::move(authenticator), data_dir, std::move(outward));
    environment_->SetAdvertised(config_.server().advertise());
    KANTOKU_ASSIGN_OR_RETURN(
        blocks_, BlocksService::Open(absl::StrCat(data_dir, "/blocks"), environment_->blocks(),
                                     environment_->calls()));
    return absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<Authenticator>> OpenAuthenticator(const ProgramOptions& options) {
    if (options.authenticator != nullptr) return options.authenticator;
    if (options.open_issuer == nullptr) return MakeAuthenticator(config_.auth(), Clock::Real());
    KANTOKU_ASSIGN_OR_RETURN(issuer_, options.open_issuer(config_, Clock::Real()));
    return issuer_;
  }

  // How whoever may read the data directory reaches this server, and is its administrator.
  absl::Status WriteAccess(const Now& now) {
    if (!writes_access_) return absl::OkStatus();
    const std::string path = AccessFileIn(config_.server().data_dir());
    Access access;
    access.server = FromHere(server_->address()).ToString();
    if (tls_ != nullptr) {
      access.authorities = tls_->authorities();
      access.server_name = tls_->server_name();
    }
    if (issuer_ != nullptr) access.token = issuer_->AdministratorToken(now.wall);
    absl::Status written = WriteAccessFile(path, access);
    next_access_ = now.steady + (written.ok() ? kAccessInterval : kAccessPause);
    access_pause_ = now.steady + kAccessPause;
    access_written_ = now.wall;
    return written;
  }

  absl::Status Listen() {
    KANTOKU_ASSIGN_OR_RETURN(const ListenAddress address,
                             ParseListenAddress("server.listen", config_.server().listen()));
    std::vector<grpc::Service*> services = {blocks_.get()};
    for (const auto& module : modules_) {
      for (grpc::Service* const service : module->services()) services.push_back(service);
    }
    Server::Options listening = {.address = address};
    if (tls_ != nullptr) {
      // Its own calls go past TLS, on a socket of this computer that nobody knows before.
      listening.credentials = tls_->MakeCredentials();
      listening.inner_address =
          absl::StrCat("unix-abstract:kantoku-", absl::Hex(SystemRandom(), absl::kZeroPad16));
    }
    KANTOKU_ASSIGN_OR_RETURN(server_, Server::Listen(listening, services, environment_->gate()));
    environment_->SetOwnAddress(tls_ != nullptr ? listening.inner_address
                                                : server_->address().ToString());
    environment_->SetAdvertised(Advertised(config_.server().advertise(), server_->address().port));
    ConnectAudit(services);
    KANTOKU_RETURN_IF_ERROR(ListenForMetrics());
    Log(LogLevel::kInfo, absl::StrCat("listening on ", server_->address().ToString()),
        {{"data_dir", config_.server().data_dir()}, {"metrics", metrics_address()}});
    return absl::OkStatus();
  }

  // To the Events that Inputs speaks to, or this server's own. Where there is none, the trail is in
  // the log alone.
  void ConnectAudit(const std::vector<grpc::Service*>& services) {
    const bool is_here = std::any_of(services.begin(), services.end(), [](grpc::Service* service) {
      return IsEventsService(dynamic_cast<Service&>(*service).full_name());
    });
    const configpb::InputsConfig& inputs = config_.inputs();
    const std::string& elsewhere = inputs.events_address();
    if (!inputs.events() || (elsewhere.empty() && !is_here)) return;
    environment_->audit().Connect(environment_->Connect(elsewhere));
  }

  absl::Status ListenForMetrics() {
    const std::string& text = config_.server().metrics_listen();
    if (text == kNoMetrics) return absl::OkStatus();
    KANTOKU_ASSIGN_OR_RETURN(const ListenAddress address,
                             ParseListenAddress("server.metrics_listen", text));
    std::vector<HttpRoute> routes;
    for (const auto& module : modules_) {
      for (HttpRoute& route : module->http_routes()) routes.push_back(std::move(route));
    }
    KANTOKU_ASSIGN_OR_RETURN(metrics_, MetricsServer::Start(
                                           address, environment_->metrics(),
                                           [this] { return healthy_.load(); }, std::move(routes)));
    return absl::OkStatus();
  }

  void RefreshHealth() {
    bool all = true;
    for (const auto& module : modules_) {
      const bool healthy = module->healthy();
      all = all && healthy;
      server_->SetServing(std::string(module->name()), healthy);
    }
    server_->SetServing("", all);
    healthy_ = all;
  }

  // Streams end first: the executors behind them still hand in what they finished, by calls.
  void Drain(absl::Duration limit) {
    server_->StopServing();
    for (auto module = modules_.rbegin(); module != modules_.rend(); ++module) {
      (*module)->Drain(limit);
    }
    if (!environment_->calls().AwaitNoStreams(limit)) {
      Log(LogLevel::kWarn, "server: streams did not end in time and are cancelled",
          {{"streams", environment_->calls().open_streams()}});
    }
  }

  // A call that waits for a module which cannot answer (its disk is full) ends when the module is
  // stopped; until then the shutdown would wait for it.
  void ShutDownServer(absl::Duration limit) {
    absl::Notification done;
    std::thread shutdown;
    if (server_ != nullptr) {
      shutdown = std::thread([this, limit, &done] {
        server_->Shutdown(limit);
        done.Notify();
      });
      done.WaitForNotificationWithTimeout(limit + kHealthInterval);
    }
    for (auto module = modules_.rbegin(); module != modules_.rend(); ++module) (*module)->Stop();
    if (shutdown.joinable()) shutdown.join();
  }

  configpb::Config config_;
  const bool writes_access_;
  std::shared_ptr<OwnIssuer> issuer_;  // Null: none.
  std::unique_ptr<ServerTls> tls_;     // Null: none.
  absl::Duration next_access_;         // Steady time,
  absl::Duration access_pause_;        // and not before that.
  absl::Time access_written_;
  // In this order: the used before their users.
  std::unique_ptr<MacKeyKeeper> keys_;
  std::unique_ptr<ProgramEnvironment> environment_;
  std::unique_ptr<BlocksService> blocks_;
  std::vector<std::unique_ptr<Module>> modules_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<MetricsServer> metrics_;
  std::atomic<bool> healthy_ = false;
  bool stopped_ = false;
};

int Fail(const std::string& name, const absl::Status& status) {
  std::fprintf(stderr, "%s: %s\n", name.c_str(), std::string(status.message()).c_str());
  return ReasonOf(status) == "INVALID_CONFIG" ? kExitWrongConfig : kExitCannotStart;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Program>> Program::Start(const ProgramOptions& options,
                                                        std::vector<ModuleMaker> makers) {
  auto program = std::make_unique<RunningProgram>(options);
  KANTOKU_RETURN_IF_ERROR(program->Open(options, makers));
  return program;
}

int Program::Run(const ProgramOptions& options, std::vector<ModuleMaker> makers) {
  RaiseDescriptorLimit();  // Each client and each executor takes one.
  StopSignal signal;
  SetUpLog(ToLogOptions(options.config.log()));
  const auto program = Start(options, std::move(makers));
  if (!program.ok()) return Fail(options.name, program.status());
  auto received = signal.Wait(kHealthInterval);
  while (!received.has_value()) {
    (*program)->Refresh();
    received = signal.Wait(kHealthInterval);
  }
  Log(LogLevel::kInfo, "server: stopping", {{"signal", *received}});
  signal.Release();
  (*program)->Stop();
  Log(LogLevel::kInfo, "server: stopped");
  return kExitOk;
}

}  // namespace kantoku::platform
