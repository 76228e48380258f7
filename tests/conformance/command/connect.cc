#include "tests/conformance/command/connect.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/access/target.h"
#include "services/platform/clock.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/status.h"
#include "services/platform/tls/client_files.h"
#include "tests/conformance/abilities.h"
#include "tests/conformance/command/run_exam.h"

namespace kantoku::conformance {
namespace {

// A store asks nobody for a token, and no access file is for it.
absl::StatusOr<platform::Target> FindStore(const Options& options) {
  for (const std::string* given :
       {&options.name_space, &options.access_file, &options.token_file}) {
    if (given->empty()) continue;
    return platform::Error(absl::StatusCode::kInvalidArgument, "OF_A_SERVICE",
                           "a store has no namespaces, and asks nobody who he is: there is nothing "
                           "to do with --namespace, --access and --token-file");
  }
  const platform::ClientFiles files = {.ca_file = options.ca_file,
                                       .certificate_file = options.certificate_file,
                                       .key_file = options.key_file};
  platform::Target target = {.server = options.target};
  if (files != platform::ClientFiles()) {
    KANTOKU_ASSIGN_OR_RETURN(platform::LiveFiles live, platform::WatchClientFiles(files));
    target.channel.tls = {.authorities_file = live.authorities, .identity_file = live.identity};
  } else if (!platform::IsOwnAddress(options.target)) {
    target.channel.tls = platform::ChannelTls();
  }
  return target;
}

absl::StatusOr<platform::Target> FindService(const Options& options, const std::string& server) {
  if (!options.crash_command.empty()) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "OF_A_STORE",
                           "--crash: only a store is crashed");
  }
  if (options.name_space.empty()) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "NO_NAMESPACE",
                           "--namespace: name one that the exam may be in");
  }
  return platform::FindTarget({.server = server,
                               .access_file = options.access_file,
                               .token_file = options.token_file,
                               .ca_file = options.ca_file,
                               .certificate_file = options.certificate_file,
                               .key_file = options.key_file},
                              server, platform::Clock::Real());
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Open(platform::Target found, CallLog& calls) {
  found.channel.interceptor = calls.Interceptor();
  return platform::MakeChannel(found.server, found.channel);
}

absl::Status CheckLoans(const Options& options) {
  const bool of_outputs = options.exam == "outputs";
  const bool of_either = of_outputs || options.exam == "events";
  if ((!of_outputs && !(options.inputs.empty() && options.as_inputs.empty())) ||
      (!of_either && !(options.mac_key_file.empty() && options.without.empty()))) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "OF_ANOTHER_EXAM",
                           "--inputs and --as-inputs are for the exam of Outputs, --mac-key-file "
                           "and --without for those of Outputs and Events");
  }
  if (of_outputs && options.mac_key_file.empty() != options.as_inputs.empty()) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "HALF_AN_INPUTS",
                           "--mac-key-file and --as-inputs go together: whoever has the keys is "
                           "the Inputs of that Outputs");
  }
  return absl::OkStatus();
}

// Whoever leaves out a part of which there is no case would not be examined as he believes.
absl::Status CheckParts(const Exam& exam, const Options& options) {
  const std::set<std::string> tags = TagsOf(exam.sources);
  for (const std::string& part : options.without) {
    if (tags.contains(part)) continue;
    return platform::Error(absl::StatusCode::kInvalidArgument, "NO_SUCH_PART",
                           absl::StrCat("--without ", part, ": the exam of ", options.exam,
                                        " has no case that is about that alone"));
  }
  return absl::OkStatus();
}

// What whoever holds the exam has beside the target.
absl::Status Lend(const Options& options, CallLog& calls, Target& target) {
  if (!options.mac_key_file.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(target.keys, platform::MacKeys::Load(options.mac_key_file));
  }
  target.as_inputs = options.as_inputs;
  target.asks_inputs = !options.without.contains("unknown");
  target.inputs = target.channel;
  if (options.inputs.empty()) return absl::OkStatus();
  KANTOKU_ASSIGN_OR_RETURN(platform::Target inputs, FindService(options, options.inputs));
  KANTOKU_ASSIGN_OR_RETURN(target.inputs, Open(std::move(inputs), calls));
  return absl::OkStatus();
}

// It comes to us: nothing says where it is, or who one is to it.
absl::Status CheckExecutor(const Options& options) {
  for (const std::string* given :
       {&options.name_space, &options.access_file, &options.token_file, &options.ca_file,
        &options.certificate_file, &options.key_file, &options.crash_command}) {
    if (given->empty()) continue;
    return platform::Error(absl::StatusCode::kInvalidArgument, "OF_ANOTHER_EXAM",
                           "an executor connects to the exam: there is nothing to say but where "
                           "that listens, --target, and where reports go");
  }
  return absl::OkStatus();
}

}  // namespace

std::set<std::string> Parts() {
  std::set<std::string> parts;
  for (const Tag& part : kParts) parts.emplace(part.tag);
  return parts;
}

absl::StatusOr<Target> Connect(const Exam& exam, const Options& options, CallLog& calls) {
  KANTOKU_RETURN_IF_ERROR(CheckLoans(options));
  KANTOKU_RETURN_IF_ERROR(CheckParts(exam, options));
  Target target = {.address = options.target,
                   .calls = &calls,
                   .name_space = options.name_space,
                   .crash_command = options.crash_command};
  if (exam.sitter == Sitter::kExecutor) {
    KANTOKU_RETURN_IF_ERROR(CheckExecutor(options));
    return target;
  }
  KANTOKU_ASSIGN_OR_RETURN(platform::Target found, exam.sitter == Sitter::kService
                                                       ? FindService(options, options.target)
                                                       : FindStore(options));
  KANTOKU_ASSIGN_OR_RETURN(target.channel, Open(std::move(found), calls));
  KANTOKU_RETURN_IF_ERROR(Lend(options, calls, target));
  return target;
}

std::set<std::string> AbleTo(const Exam& exam, const Target& target, const Options& options) {
  std::set<std::string> able = Parts();
  for (const std::string& part : options.without) able.erase(part);
  if (exam.abilities) able.merge(exam.abilities(target));
  return able;
}

}  // namespace kantoku::conformance
