#include "services/all-in-one/bench/floors.h"

#include <fcntl.h>
#include <grpcpp/generic/generic_stub.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "services/platform/access/target.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/rpc/client_call.h"
#include "services/platform/sqlite/sqlite_database.h"
#include "services/platform/status.h"

namespace kantoku {
namespace {

constexpr int kRounds = 500;

absl::Status WriteGroup(platform::SqliteDatabase& database, platform::SqliteStatement& insert,
                        platform::SqliteStatement& result, platform::SqliteStatement& end,
                        platform::SqliteStatement& erase, uint64_t first, uint64_t count) {
  const std::string payload(150, 'x');
  KANTOKU_RETURN_IF_ERROR(database.Execute("BEGIN"));
  for (uint64_t key = first; key < first + count; ++key) {
    for (platform::SqliteStatement* statement : {&insert, &result}) {
      statement->BindInteger(1, key);
      statement->BindBlob(2, payload);
      KANTOKU_RETURN_IF_ERROR(statement->Run());
    }
  }
  end.BindInteger(1, first);
  end.BindBlob(2, payload);
  KANTOKU_RETURN_IF_ERROR(end.Run());
  erase.BindInteger(1, first);
  erase.BindInteger(2, first + count - 1);
  KANTOKU_RETURN_IF_ERROR(erase.Run());
  return database.Execute("COMMIT");
}

}  // namespace

Latencies Summarize(std::vector<absl::Duration> times) {
  if (times.empty()) return {};
  std::ranges::sort(times);
  return {absl::ToDoubleMicroseconds(times[times.size() / 2]),
          absl::ToDoubleMicroseconds(times[times.size() * 99 / 100])};
}

absl::StatusOr<Latencies> MeasureSync(const std::string& directory) {
  const std::string path = directory + "/sync-floor";
  const int file = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) return absl::ErrnoToStatus(errno, path);
  const std::array<char, 4096> block{};
  std::vector<absl::Duration> times;
  for (int i = 0; i < kRounds; ++i) {
    const absl::Time begin = absl::Now();
    const bool written = pwrite(file, block.data(), block.size(), i % 64 * 4096) == 4096;
    if (!written || fdatasync(file) != 0) {
      close(file);
      return absl::ErrnoToStatus(errno, path);
    }
    times.push_back(absl::Now() - begin);
  }
  close(file);
  return Summarize(std::move(times));
}

absl::StatusOr<double> MeasureSqlite(const std::string& directory) {
  constexpr uint64_t kGroup = 500;
  constexpr uint64_t kGroups = 200;
  const std::string path = directory + "/sqlite-floor";
  close(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC,
             0600));  // An empty file is an empty database.
  KANTOKU_ASSIGN_OR_RETURN(auto database, platform::SqliteDatabase::Open(
                                              path, platform::SqliteDatabase::Mode::kReadWrite));
  for (const char* sql :
       {"PRAGMA page_size=8192", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
        "CREATE TABLE task (key INTEGER PRIMARY KEY, value BLOB NOT NULL)",
        "CREATE TABLE result (key INTEGER PRIMARY KEY, value BLOB NOT NULL)",
        "CREATE TABLE ended (key INTEGER PRIMARY KEY, value BLOB NOT NULL)"}) {
    KANTOKU_RETURN_IF_ERROR(database.Execute(sql));
  }
  KANTOKU_ASSIGN_OR_RETURN(auto insert, database.Prepare("INSERT INTO task VALUES (?, ?)"));
  KANTOKU_ASSIGN_OR_RETURN(auto result, database.Prepare("INSERT INTO result VALUES (?, ?)"));
  KANTOKU_ASSIGN_OR_RETURN(auto end, database.Prepare("INSERT INTO ended VALUES (?, ?)"));
  KANTOKU_ASSIGN_OR_RETURN(auto erase,
                           database.Prepare("DELETE FROM task WHERE key BETWEEN ? AND ?"));
  const absl::Time begin = absl::Now();
  for (uint64_t group = 0; group < kGroups; ++group) {
    KANTOKU_RETURN_IF_ERROR(
        WriteGroup(database, insert, result, end, erase, group * kGroup, kGroup));
  }
  return kGroups * kGroup / absl::ToDoubleSeconds(absl::Now() - begin);
}

absl::StatusOr<Latencies> MeasureRpc(const std::string& address, const std::string& access) {
  KANTOKU_ASSIGN_OR_RETURN(const platform::Target target,
                           platform::FindTarget({.server = address, .access_file = access}, "",
                                                platform::Clock::Real()));
  KANTOKU_ASSIGN_OR_RETURN(const auto channel,
                           platform::MakeChannel(target.server, target.channel));
  grpc::GenericStub stub(channel);
  platform::CallQueue queue;
  queue.Start();
  std::vector<absl::Duration> times;
  for (int i = 0; i < kRounds; ++i) {
    grpc::ClientContext context;
    const grpc::ByteBuffer request(nullptr, 0);
    grpc::ByteBuffer response;
    absl::Status status;
    absl::Notification done;
    const absl::Time begin = absl::Now();
    auto call =
        stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, queue.get());
    call->StartCall();
    platform::ReceiveAnswer(queue, std::move(call), &response, [&](const absl::Status& answer) {
      status = answer;
      done.Notify();
    });
    done.WaitForNotification();
    times.push_back(absl::Now() - begin);
    KANTOKU_RETURN_IF_ERROR(status);
  }
  return Summarize(std::move(times));
}

}  // namespace kantoku
