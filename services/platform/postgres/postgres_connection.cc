#include "services/platform/postgres/postgres_connection.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <optional>
#include <pqxx/binarystring>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/notification>
#include <pqxx/result>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/postgres/connection_string.h"
#include "services/platform/postgres/postgres_status.h"
#include "services/platform/status.h"
#include "services/platform/store/store_errors.h"
#include "services/platform/whole_file.h"

namespace kantoku::platform {
namespace {

constexpr int kOldestServer = 130000;

// Whoever set a stronger synchronous_commit keeps it.
constexpr char kSession[] =
    "SET search_path = pg_catalog; SET client_min_messages = warning;"
    "SET standard_conforming_strings = on; SET bytea_output = hex; SET intervalstyle = postgres;"
    "SET default_transaction_isolation = 'read committed';"
    "SET idle_in_transaction_session_timeout = '10min';"
    "SELECT pg_catalog.set_config('synchronous_commit', 'on', false)"
    " WHERE pg_catalog.current_setting('synchronous_commit') <> 'remote_apply';";

int64_t WholeSeconds(absl::Duration duration) {
  return absl::ToInt64Seconds(absl::Ceil(duration, absl::Seconds(1)));
}

// 0 where there is none, as PostgreSQL has it.
int64_t Milliseconds(absl::Duration timeout) {
  return timeout == absl::InfiniteDuration() ? 0 : absl::ToInt64Milliseconds(timeout);
}

int HexDigit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

}  // namespace

size_t PostgresRows::size() const { return result_->size(); }

bool PostgresRows::IsNull(size_t row, int column) const {
  return (*result_)[static_cast<pqxx::result::size_type>(row)][column].is_null();
}

std::string_view PostgresRows::Text(size_t row, int column) const {
  const auto field = (*result_)[static_cast<pqxx::result::size_type>(row)][column];
  return {field.c_str(), field.size()};
}

int64_t PostgresRows::Integer(size_t row, int column) const {
  return std::strtoll(Text(row, column).data(), nullptr, 10);
}

void PostgresRows::Bytes(size_t row, int column, std::string& out) const {
  const std::string_view text = Text(row, column);
  KANTOKU_CHECK(text.starts_with("\\x"));
  out.resize(text.size() / 2 - 1);
  const char* in = text.data() + 2;
  for (char& c : out) {
    c = static_cast<char>(HexDigit(in[0]) << 4 | HexDigit(in[1]));
    in += 2;
  }
}

size_t PostgresRows::ByteCount(size_t row, int column) const {
  return Text(row, column).size() / 2 - 1;
}

namespace {

// What was said on a channel, until it is taken.
class Notices final : public pqxx::notification_receiver {
 public:
  using notification_receiver::notification_receiver;
  void operator()(const std::string& /*payload*/, int /*backend*/) override { any_ = true; }
  bool Take() { return std::exchange(any_, false); }

 private:
  bool any_ = true;  // Before the session.
};

}  // namespace

struct PostgresConnection::Session {
  explicit Session(const std::string& options) : connection(options), quiet(connection) {}

  pqxx::connection connection;
  pqxx::quiet_errorhandler quiet;  // Notices are not for standard error.
  std::optional<Notices> notices;
};

PostgresConnection::PostgresConnection(PostgresOptions options) : options_(std::move(options)) {}
PostgresConnection::PostgresConnection(PostgresConnection&&) noexcept = default;
PostgresConnection& PostgresConnection::operator=(PostgresConnection&&) noexcept = default;
PostgresConnection::~PostgresConnection() { Close(); }

void PostgresConnection::Prepare(std::string name, std::string sql) {
  KANTOKU_CHECK(session_ == nullptr);
  prepared_.emplace_back(std::move(name), std::move(sql));
}

void PostgresConnection::Listen(std::string channel) {
  KANTOKU_CHECK(session_ == nullptr && channel_.empty());
  channel_ = std::move(channel);
}

absl::Status PostgresConnection::Connect() {
  if (session_ != nullptr) return absl::OkStatus();
  absl::Status opened = Open();
  if (!opened.ok()) Close();
  return opened;
}

bool PostgresConnection::connected() const { return session_ != nullptr; }

void PostgresConnection::Close() {
  session_.reset();
  in_snapshot_ = false;
}

absl::StatusOr<std::string> PostgresConnection::CompleteOptions() const {
  const std::string idle = absl::StrCat(WholeSeconds(options_.network_timeout / 2));
  ConnectionWords defaults = {
      {"connect_timeout", absl::StrCat(WholeSeconds(options_.connect_timeout))},
      {"keepalives_idle", idle},
      {"keepalives_interval", absl::StrCat(WholeSeconds(options_.network_timeout / 6))},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", absl::StrCat(Milliseconds(options_.network_timeout))},
      {"target_session_attrs", "read-write"}};
  ConnectionWords forced = {{"application_name", options_.application_name}};
  if (!options_.password_file.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(const std::string password,
                             ReadWholeFile(options_.password_file, kForOwnerAlone));
    forced.emplace_back("password", absl::StripTrailingAsciiWhitespace(password));
  }
  return CompleteConnectionString(options_.connection, defaults, forced);
}

absl::Status PostgresConnection::Open() {
  KANTOKU_ASSIGN_OR_RETURN(const std::string complete, CompleteOptions());
  try {
    session_ = std::make_unique<Session>(complete);
    pqxx::connection& connection = session_->connection;
    if (connection.server_version() < kOldestServer) {
      return Error(absl::StatusCode::kFailedPrecondition, "SERVER_TOO_OLD",
                   absl::StrCat("postgres: the server has version ",
                                connection.server_version() / 10000, ", and needs 13 or newer"));
    }
    pqxx::nontransaction(connection)
        .exec(absl::StrCat(kSession, options_.session,
                           "SET statement_timeout = ", Milliseconds(options_.statement_timeout)));
    for (const auto& [name, sql] : prepared_) connection.prepare(name, sql);
    if (!channel_.empty()) session_->notices.emplace(connection, channel_);
    return absl::OkStatus();
  } catch (...) {
    return PostgresStatusOfException();
  }
}

template <typename Statement>
absl::StatusOr<PostgresRows> PostgresConnection::Attempt(Statement statement) {
  KANTOKU_RETURN_IF_ERROR(Connect());
  try {
    pqxx::nontransaction transaction(session_->connection);
    PostgresRows rows(std::make_shared<const pqxx::result>(statement(transaction)));
    return rows;
  } catch (...) {
    absl::Status status = PostgresStatusOfException();
    Close();
    return status;
  }
}

absl::StatusOr<PostgresRows> PostgresConnection::Execute(const std::string& sql) {
  return Attempt([&](pqxx::nontransaction& transaction) { return transaction.exec(sql); });
}

absl::StatusOr<PostgresRows> PostgresConnection::Run(const std::string& name,
                                                     const PostgresParameters& parameters) {
  std::vector<pqxx::binarystring> binary;
  binary.reserve(parameters.encoded().size());
  for (const std::string& each : parameters.encoded()) binary.emplace_back(each);
  const auto run = [&](pqxx::nontransaction& transaction) {
    return transaction.exec_prepared(
        name, pqxx::prepare::make_dynamic_params(binary.begin(), binary.end()));
  };
  const bool may_be_gone = session_ != nullptr && !in_snapshot_;
  auto rows = Attempt(run);
  const bool is_gone = ReasonOf(rows.status()) == kStoreFailing;
  return may_be_gone && is_gone ? Attempt(run) : rows;
}

absl::Status PostgresConnection::BeginSnapshot() {
  KANTOKU_RETURN_IF_ERROR(Execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").status());
  in_snapshot_ = true;
  return absl::OkStatus();
}

absl::Status PostgresConnection::EndSnapshot() {
  KANTOKU_CHECK(in_snapshot_);
  in_snapshot_ = false;
  return Execute("COMMIT").status();
}

absl::Status PostgresConnection::AwaitNotice(absl::Duration within, int interrupt) {
  KANTOKU_CHECK(!channel_.empty());
  KANTOKU_RETURN_IF_ERROR(Connect());
  try {
    session_->connection.get_notifs();
    if (session_->notices->Take()) return absl::OkStatus();
    std::array<pollfd, 2> files = {pollfd{session_->connection.sock(), POLLIN, 0},
                                   pollfd{interrupt, POLLIN, 0}};
    const auto timeout = static_cast<int>(absl::ToInt64Milliseconds(within));
    const int ready = ::poll(files.data(), files.size(), timeout);
    if (ready < 0 && errno != EINTR) return absl::InternalError("poll failed");
    session_->connection.get_notifs();
    session_->notices->Take();
    return absl::OkStatus();
  } catch (...) {
    absl::Status status = PostgresStatusOfException();
    Close();
    return status;
  }
}

std::string PostgresLiteral(std::string_view text) {
  std::string literal = "'";
  for (const char c : text) {
    if (c == '\'') literal.push_back('\'');
    literal.push_back(c);
  }
  return literal + "'";
}

}  // namespace kantoku::platform
