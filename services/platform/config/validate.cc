#include "services/platform/config/validate.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "services/platform/config/address.h"
#include "services/platform/config/fields.h"
#include "services/platform/config/quantities.h"
#include "services/platform/identity/algorithm.h"
#include "services/platform/postgres/connection_string.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"
#include "services/platform/url.h"

namespace kantoku::platform {
namespace {

namespace configpb = ::kantoku::config::v1;

constexpr uint64_t kMaxItemBytes = uint64_t{31} << 20;
constexpr uint64_t kMinKeptBytes = uint64_t{1} << 20;
constexpr uint64_t kMaxCredit = 100'000;
constexpr size_t kMaxNamespaceSize = 255;
constexpr int kMaxTypeLimits = 10'000;
constexpr int kMaxDatabaseRoles = 1'000;
constexpr size_t kMaxTypeSize = 255;
// Sums of times stay far from the ends of every time type.
constexpr absl::Duration kMaxDuration = absl::Hours(24 * 3650);
// PostgreSQL counts milliseconds in 31 bits; and nobody waits for longer.
constexpr absl::Duration kMaxPostgresTimeout = absl::Hours(1);
// Each has two connections, and threads of its own.
constexpr uint32_t kMaxPartitions = 64;

absl::Status CheckNumber(std::string_view field, uint64_t value, uint64_t min, uint64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return InvalidConfig(absl::StrCat(ToAbsl(field), ": ", value, " is not from ", min, " to ", max));
}

absl::Status CheckDuration(std::string_view field, const google::protobuf::Duration& value,
                           absl::Duration min, absl::Duration max = kMaxDuration) {
  const absl::Duration duration = FromProto(value);
  if (duration >= min && duration <= max) return absl::OkStatus();
  return InvalidConfig(absl::StrCat(ToAbsl(field), ": ", FormatConfigDuration(duration),
                                    " is not from ", FormatConfigDuration(min), " to ",
                                    FormatConfigDuration(max)));
}

absl::Status CheckUrlField(const std::string& field, const std::string& url) {
  if (CheckUrl(url).ok()) return absl::OkStatus();
  return InvalidConfig(absl::StrCat(field, ": ", Clipped(url),
                                    " is no https URL, nor an http URL of this computer"));
}

absl::Status CheckTypeLimits(const configpb::NamespaceConfig& config) {
  if (config.types_size() > kMaxTypeLimits) {
    return InvalidConfig(absl::StrCat("inputs.namespaces.types: ", config.types_size(),
                                      " exceed the limit of ", kMaxTypeLimits));
  }
  absl::flat_hash_set<std::string_view> seen;
  for (const configpb::TypeLimitConfig& each : config.types()) {
    const std::string& type = each.type();
    if (type.empty() || type.size() > kMaxTypeSize) {
      return InvalidConfig(absl::StrCat("inputs.namespaces.types: a type has ", type.size(),
                                        " bytes, which is not from 1 to ", kMaxTypeSize));
    }
    if (!seen.insert(type).second) {
      return InvalidConfig(
          absl::StrCat("inputs.namespaces.types: ", Clipped(type), " is there twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNamespaces(const configpb::InputsConfig& config) {
  absl::flat_hash_set<std::string_view> seen;
  for (const configpb::NamespaceConfig& each : config.namespaces()) {
    const std::string& name = each.name();
    if (name.empty() || name.size() > kMaxNamespaceSize) {
      return InvalidConfig(absl::StrCat("inputs.namespaces: a name has ", name.size(),
                                        " bytes, which is not from 1 to ", kMaxNamespaceSize));
    }
    if (name == "*") {  // Of events about the installation, and of tokens for all namespaces.
      return InvalidConfig("inputs.namespaces: * is no name, it stands for all");
    }
    if (!seen.insert(name).second) {
      return InvalidConfig(absl::StrCat("inputs.namespaces: ", Clipped(name), " is there twice"));
    }
    KANTOKU_RETURN_IF_ERROR(CheckTypeLimits(each));
  }
  return absl::OkStatus();
}

// Words that allow to spawn, and nothing else: the role does nothing else.
bool IsSpawnScope(const std::string& scope) {
  const std::vector<std::string> words = absl::StrSplit(scope, ' ', absl::SkipEmpty());
  return !words.empty() && std::ranges::all_of(words, [](const std::string& word) {
    return word == "inputs:spawn" || absl::StartsWith(word, "inputs:spawn:");
  });
}

absl::Status CheckDatabaseRoles(const configpb::InputsConfig& config) {
  const std::string path = "inputs.database_roles";
  KANTOKU_RETURN_IF_ERROR(CheckNumber(path, config.database_roles_size(), 0, kMaxDatabaseRoles));
  if (config.database_roles_size() > 0 && !config.store().has_postgres()) {
    return InvalidConfig(path + ": goes with inputs.store.postgres");
  }
  absl::flat_hash_set<std::string_view> seen;
  for (const configpb::DatabaseRoleConfig& each : config.database_roles()) {
    const std::string& name = each.name();
    KANTOKU_RETURN_IF_ERROR(CheckNumber(path + ".name", name.size(), 1, 63));
    KANTOKU_RETURN_IF_ERROR(CheckNumber(path + ".owner", each.owner().size(), 1, 255));
    if (!seen.insert(name).second) {
      return InvalidConfig(absl::StrCat(path, ": ", Clipped(name), " is there twice"));
    }
    if (!IsSpawnScope(each.scope())) {
      return InvalidConfig(absl::StrCat(path, ".scope: ", Clipped(each.scope()),
                                        " is not inputs:spawn or inputs:spawn:TYPE"));
    }
    if (std::ranges::none_of(config.namespaces(), [&](const configpb::NamespaceConfig& known) {
          return known.name() == each.namespace_();
        })) {
      return InvalidConfig(absl::StrCat(path, ".namespace: ", Clipped(each.namespace_()),
                                        " is none of inputs.namespaces"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTls(const configpb::TlsConfig& config) {
  if (config.certificate_file().empty() != config.key_file().empty()) {
    return InvalidConfig(
        "server.tls: certificate_file and key_file stand together, and one of them is missing");
  }
  if (config.client_certificate_file().empty() != config.client_key_file().empty()) {
    return InvalidConfig(
        "server.tls: client_certificate_file and client_key_file stand together, and one of them "
        "is missing");
  }
  const bool is_off = config.off() || config.insecure_plaintext_beyond_loopback();
  const bool says_how = !config.certificate_file().empty() || !config.client_ca_file().empty();
  if (is_off && says_how) {
    return InvalidConfig("server.tls: names files and is switched off");
  }
  return absl::OkStatus();
}

// A host, by name or by address, and a port.
absl::Status CheckAdvertise(const std::string& text) {
  if (text.empty()) return absl::OkStatus();
  const size_t colon = text.rfind(':');
  uint32_t port = 0;
  if (colon != std::string::npos && colon > 0 && absl::SimpleAtoi(text.substr(colon + 1), &port) &&
      port <= UINT16_MAX) {
    return absl::OkStatus();
  }
  return InvalidConfig(
      absl::StrCat("server.advertise: ", Clipped(text), " is not a host and a port"));
}

absl::Status CheckServer(const configpb::ServerConfig& config) {
  KANTOKU_RETURN_IF_ERROR(ParseListenAddress("server.listen", config.listen()).status());
  KANTOKU_RETURN_IF_ERROR(CheckTls(config.tls()));
  KANTOKU_RETURN_IF_ERROR(CheckAdvertise(config.advertise()));
  if (config.metrics_listen() != kNoMetrics) {
    KANTOKU_ASSIGN_OR_RETURN(const ListenAddress metrics,
                             ParseListenAddress("server.metrics_listen", config.metrics_listen()));
    if (!metrics.is_loopback()) {
      return InvalidConfig(absl::StrCat("server.metrics_listen: ", Clipped(config.metrics_listen()),
                                        " is not a loopback address, and nobody is asked there who "
                                        "he is"));
    }
  }
  KANTOKU_RETURN_IF_ERROR(
      CheckDuration("server.drain_timeout", config.drain_timeout(), absl::ZeroDuration()));
  return CheckDuration("server.mac_key_lifetime", config.mac_key_lifetime(), absl::Hours(1));
}

absl::Status CheckInputs(const configpb::InputsConfig& config) {
  const auto least = absl::Milliseconds(1);
  KANTOKU_RETURN_IF_ERROR(CheckNamespaces(config));
  KANTOKU_RETURN_IF_ERROR(CheckDatabaseRoles(config));
  KANTOKU_RETURN_IF_ERROR(
      CheckNumber("inputs.max_payload_bytes", config.max_payload_bytes(), 1, kMaxItemBytes));
  KANTOKU_RETURN_IF_ERROR(
      CheckNumber("inputs.max_session_credit", config.max_session_credit(), 1, kMaxCredit));
  KANTOKU_RETURN_IF_ERROR(CheckDuration("inputs.ping_interval", config.ping_interval(), least));
  KANTOKU_RETURN_IF_ERROR(CheckDuration("inputs.grace", config.grace(), least));
  KANTOKU_RETURN_IF_ERROR(CheckDuration("inputs.start_timeout", config.start_timeout(), least));
  KANTOKU_RETURN_IF_ERROR(CheckDuration("inputs.cancel_timeout", config.cancel_timeout(), least));
  KANTOKU_RETURN_IF_ERROR(CheckDuration("inputs.history", config.history(), absl::ZeroDuration()));
  return CheckDuration("inputs.dead_retention", config.dead_retention(), absl::ZeroDuration());
}

absl::Status CheckOutputs(const configpb::OutputsConfig& config) {
  KANTOKU_RETURN_IF_ERROR(
      CheckNumber("outputs.max_bytes", config.max_bytes(), kMinKeptBytes, UINT64_MAX / 2));
  return CheckNumber("outputs.max_result_bytes", config.max_result_bytes(), 1, kMaxItemBytes);
}

absl::Status CheckEvents(const configpb::EventsConfig& config) {
  return CheckDuration("events.retention", config.retention(), absl::Milliseconds(1));
}

absl::Status CheckIssuer(const configpb::IssuerConfig& config) {
  const std::string field = "auth.issuers";
  KANTOKU_RETURN_IF_ERROR(CheckUrlField(field + ".issuer", config.issuer()));
  if (!config.jwks_uri().empty()) {
    KANTOKU_RETURN_IF_ERROR(CheckUrlField(field + ".jwks_uri", config.jwks_uri()));
  }
  if (config.audiences().empty()) {
    return InvalidConfig(absl::StrCat(field, ".audiences: ", Clipped(config.issuer()),
                                      " has none; without one tokens for anybody were taken"));
  }
  for (const std::string& name : config.algorithms()) {
    if (!AlgorithmOf(name).has_value()) {
      return InvalidConfig(absl::StrCat(field, ".algorithms: ", Clipped(name),
                                        " is not RS256, PS256, ES256 or EdDSA"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckAuth(const configpb::AuthConfig& config) {
  KANTOKU_RETURN_IF_ERROR(
      CheckDuration("auth.leeway", config.leeway(), absl::ZeroDuration(), absl::Minutes(5)));
  KANTOKU_RETURN_IF_ERROR(
      CheckDuration("auth.max_token_lifetime", config.max_token_lifetime(), absl::Seconds(1)));
  for (int i = 0; i < config.issuers_size(); ++i) {
    const configpb::IssuerConfig& one = config.issuers(i);
    KANTOKU_RETURN_IF_ERROR(CheckIssuer(one));
    for (int j = 0; j < i; ++j) {
      const configpb::IssuerConfig& other = config.issuers(j);
      if (one.issuer() == other.issuer()) {
        return InvalidConfig(
            absl::StrCat("auth.issuers: ", Clipped(one.issuer()), " is there twice"));
      }
      const bool none = one.prefix().empty() != other.prefix().empty();
      if (!none && (absl::StartsWith(one.prefix(), other.prefix()) ||
                    absl::StartsWith(other.prefix(), one.prefix()))) {
        return InvalidConfig(absl::StrCat("auth.issuers.prefix: those of ", Clipped(other.issuer()),
                                          " and ", Clipped(one.issuer()), " cannot be told apart"));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPostgres(const std::string& path, const configpb::PostgresStoreConfig& config) {
  for (const absl::Status& status :
       {CheckConnectionString(config.connection()), CheckPostgresSchemaName(config.schema())}) {
    if (!status.ok()) return InvalidConfig(absl::StrCat(path, ".", status.message()));
  }
  KANTOKU_RETURN_IF_ERROR(CheckDuration(path + ".connect_timeout", config.connect_timeout(),
                                        absl::Seconds(1), kMaxPostgresTimeout));
  const uint32_t partitions = config.partitions();
  if (partitions > kMaxPartitions || (partitions != 0 && !std::has_single_bit(partitions))) {
    return InvalidConfig(
        absl::StrCat(path, ".partitions: ", partitions, " is not 1, 2, 4, 8, 16, 32 or 64"));
  }
  return CheckDuration(path + ".statement_timeout", config.statement_timeout(), absl::Seconds(1),
                       kMaxPostgresTimeout);
}

// A socket of this computer, or a port that others cannot reach.
bool IsOwn(const std::string& address) {
  const auto parsed = ParseListenAddress("", address);
  return address.starts_with("unix:") || (parsed.ok() && parsed->is_loopback());
}

absl::Status CheckRemote(const std::string& path, const configpb::RemoteStoreConfig& remote) {
  if (remote.address().empty()) {
    return InvalidConfig(absl::StrCat(path, ".address: there is none"));
  }
  if (remote.plaintext() && !IsOwn(remote.address())) {
    return InvalidConfig(
        absl::StrCat(path, ".plaintext: ", Clipped(remote.address()), " is not of this computer"));
  }
  return CheckDuration(path + ".timeout", remote.timeout(), absl::Seconds(1), absl::Minutes(5));
}

absl::Status CheckStore(const std::string& field, const configpb::StoreConfig& store) {
  if (store.has_postgres()) return CheckPostgres(field + ".postgres", store.postgres());
  if (store.has_remote()) return CheckRemote(field + ".remote", store.remote());
  return absl::OkStatus();
}

// Inputs that forgot its tasks would number new ones like old ones whose results Outputs still has.
absl::Status CheckStores(const configpb::Config& config) {
  KANTOKU_RETURN_IF_ERROR(CheckStore("inputs.store", config.inputs().store()));
  KANTOKU_RETURN_IF_ERROR(CheckStore("outputs.store", config.outputs().store()));
  KANTOKU_RETURN_IF_ERROR(CheckStore("events.store", config.events().store()));
  if (!config.inputs().store().has_memory()) return absl::OkStatus();
  if (!config.inputs().outputs_address().empty()) {
    return InvalidConfig(
        "inputs.store: memory is refused beside an outputs of another program "
        "(inputs.outputs_address), which would outlive it");
  }
  if (!config.outputs().store().has_memory()) {
    return InvalidConfig(
        "inputs.store: memory is refused beside a durable outputs.store; make both memory");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Validate(const configpb::Config& config) {
  KANTOKU_RETURN_IF_ERROR(CheckServer(config.server()));
  KANTOKU_RETURN_IF_ERROR(CheckInputs(config.inputs()));
  KANTOKU_RETURN_IF_ERROR(CheckOutputs(config.outputs()));
  KANTOKU_RETURN_IF_ERROR(CheckEvents(config.events()));
  KANTOKU_RETURN_IF_ERROR(CheckAuth(config.auth()));
  return CheckStores(config);
}

}  // namespace kantoku::platform
