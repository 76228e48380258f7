#include "services/executor-runtime/executor.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "services/executor-runtime/core.h"
#include "services/executor-runtime/journal.h"
#include "services/executor-runtime/text.h"
#include "services/platform/access/target.h"
#include "services/platform/log/log.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

absl::Status OutOfRange(std::string_view option, int64_t value, std::string_view range) {
  return platform::Error(absl::StatusCode::kInvalidArgument, "BAD_OPTION",
                         absl::StrCat(platform::ToAbsl(option), " is ", value, "; it can be ",
                                      platform::ToAbsl(range)));
}

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "";
}

uint64_t SystemRandom() {
  thread_local std::random_device device;
  return uint64_t{device()} << 32 | device();
}

void ToProgramLog(LogLevel level, std::string_view line) {
  platform::Log(level, absl::StrCat("executor: ", platform::ToAbsl(line)));
}

platform::SessionId NewSession(const std::function<uint64_t()>& random) {
  std::array<uint8_t, platform::Uuid::kSize> bytes;
  for (size_t i = 0; i < bytes.size(); i += 8) {
    const uint64_t bits = random();
    for (size_t j = 0; j < 8; ++j) bytes[i + j] = static_cast<uint8_t>(bits >> (8 * j));
  }
  bytes[6] = 0x40 | (bytes[6] & 0x0F);
  bytes[8] = 0x80 | (bytes[8] & 0x3F);
  return platform::SessionId(platform::Uuid(bytes));
}

absl::Status Complete(ExecutorOptions& options) {
  if (options.concurrency == 0) {
    options.concurrency = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  }
  if (options.concurrency < 1 || options.concurrency > 10'000) {
    return OutOfRange("concurrency", options.concurrency, "1 to 10,000");
  }
  if (options.max_held > 100'000) return OutOfRange("max_held", options.max_held, "1 to 100,000");
  if (options.put_timeout <= absl::ZeroDuration() || options.put_timeout > absl::Hours(24)) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "BAD_OPTION",
                           "put_timeout is not above 0 and at most a day");
  }
  if (options.name.empty()) options.name = HostName();
  options.name = CutUtf8(options.name, 255);
  if (!options.random) options.random = SystemRandom;
  if (!options.log) options.log = ToProgramLog;
  if (options.clock == nullptr) options.clock = &platform::Clock::Real();
  if (options.session.empty()) options.session = NewSession(options.random);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Executor>> Executor::Make(ExecutorOptions options) {
  KANTOKU_RETURN_IF_ERROR(Complete(options));
  std::unique_ptr<Journal> journal;
  if (!options.journal_path.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(journal, Journal::Open(options.journal_path));
  }
  KANTOKU_ASSIGN_OR_RETURN(const platform::Target target,
                           platform::FindTarget({.server = options.inputs_address,
                                                 .access_file = options.access_file,
                                                 .token = options.token,
                                                 .token_file = options.token_file,
                                                 .ca_file = options.ca_file,
                                                 .certificate_file = options.certificate_file,
                                                 .key_file = options.key_file,
                                                 .insecure_plaintext_beyond_loopback =
                                                     options.insecure_plaintext_beyond_loopback,
                                                 .token_may_come_later = true},
                                                kDefaultAddress, *options.clock));
  options.inputs_address = target.server;
  KANTOKU_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> inputs,
                           platform::MakeChannel(options.inputs_address, target.channel));
  std::shared_ptr<grpc::Channel> outputs = inputs;
  if (!options.outputs_address.empty() && options.outputs_address != options.inputs_address) {
    KANTOKU_ASSIGN_OR_RETURN(outputs,
                             platform::MakeChannel(options.outputs_address, target.channel));
  }
  return std::make_unique<Core>(std::move(options), std::move(journal), inputs, outputs,
                                target.channel.tokens);
}

}  // namespace kantoku::executor
