#include "tests/chaos/soak/sync_brake.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "tests/chaos/soak/journal.h"

namespace kantoku::soak {
namespace {

sockaddr_un UnixAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  KANTOKU_CHECK(path.size() < sizeof(address.sun_path));
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// A message of one byte that carries a descriptor.
struct Parcel {
  Parcel() {
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
  }
  char byte = 'f';
  iovec part = {&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
  msghdr message = {};
};

absl::Status SendDescriptor(int socket, int descriptor) {
  Parcel parcel;
  cmsghdr* header = CMSG_FIRSTHDR(&parcel.message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof(descriptor));
  if (::sendmsg(socket, &parcel.message, MSG_NOSIGNAL) != 1) {
    return absl::ErrnoToStatus(errno, "send a descriptor");
  }
  return absl::OkStatus();
}

int ReceiveDescriptor(int socket) {
  Parcel parcel;
  if (::recvmsg(socket, &parcel.message, MSG_CMSG_CLOEXEC) != 1) return -1;
  const cmsghdr* header = CMSG_FIRSTHDR(&parcel.message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return -1;
  int descriptor = -1;
  std::memcpy(&descriptor, CMSG_DATA(header), sizeof(descriptor));
  return descriptor;
}

// A filter that asks for each sync; where the answers are to be given, or -1.
int InstallFilter() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  std::array<sock_filter, 5> program = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_fdatasync, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_fsync, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter = {static_cast<uint16_t>(program.size()), program.data()};
  return static_cast<int>(
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter));
}

}  // namespace

// Answers all programs, on one thread.
class SyncBrake::Loop {
 public:
  explicit Loop(SyncBrake& brake) : brake_(brake) {}
  ~Loop() {
    for (const int program : programs_) ::close(program);
  }

  void Run() {
    while (!brake_.stopping_) {
      std::vector<pollfd> fds = {{brake_.wake_fd_, POLLIN, 0}, {brake_.listener_, POLLIN, 0}};
      for (const int program : programs_) fds.push_back({program, POLLIN, 0});
      ::poll(fds.data(), fds.size(), Pause());
      if (fds[1].revents != 0) Accept();
      for (size_t i = 2; i < fds.size(); ++i) {
        if ((fds[i].revents & POLLIN) != 0) {
          Receive(fds[i].fd);
        } else if (fds[i].revents != 0) {
          Forget(fds[i].fd);
        }
      }
      AnswerDue();
    }
  }

 private:
  struct Call {
    int program = -1;
    uint64_t id = 0;
    absl::Duration due;
  };

  int Pause() const {
    absl::Duration next = absl::InfiniteDuration();
    for (const Call& call : calls_) next = std::min(next, call.due);
    if (next == absl::InfiniteDuration()) return -1;
    return static_cast<int>(absl::ToInt64Milliseconds(
        absl::Ceil(std::max(next - Steady(), absl::ZeroDuration()), absl::Milliseconds(1))));
  }

  void Accept() {
    const int socket = ::accept4(brake_.listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    const int program = ReceiveDescriptor(socket);
    if (program >= 0) programs_.push_back(program);
    ::close(socket);
  }

  void Receive(int program) {
    seccomp_notif notice = {};
    if (::ioctl(program, SECCOMP_IOCTL_NOTIF_RECV, &notice) != 0) return;
    const absl::Duration delay = absl::Microseconds(brake_.delay_us_.load());
    if (delay > absl::ZeroDuration()) ++brake_.braked_;
    calls_.push_back({program, notice.id, Steady() + delay});
  }

  void AnswerDue() {
    const absl::Duration now = Steady();
    std::erase_if(calls_, [&](const Call& call) {
      if (call.due > now) return false;
      seccomp_notif_resp answer = {};
      answer.id = call.id;
      answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
      // Nobody asks any more when the thread was killed.
      ::ioctl(call.program, SECCOMP_IOCTL_NOTIF_SEND, &answer);
      return true;
    });
  }

  void Forget(int program) {
    std::erase_if(calls_, [&](const Call& call) { return call.program == program; });
    std::erase(programs_, program);
    ::close(program);
  }

  SyncBrake& brake_;
  std::vector<int> programs_;
  std::vector<Call> calls_;
};

SyncBrake::SyncBrake(const std::string& socket_path) {
  const sockaddr_un address = UnixAddress(socket_path);
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  KANTOKU_CHECK(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
                0);
  KANTOKU_CHECK(::listen(listener_, 16) == 0);
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { Loop(*this).Run(); });
}

SyncBrake::~SyncBrake() {
  stopping_ = true;
  const uint64_t one = 1;
  KANTOKU_CHECK(::write(wake_fd_, &one, sizeof(one)) == sizeof(one));
  thread_.join();
  ::close(listener_);
  ::close(wake_fd_);
}

absl::Status RunBraked(const std::string& socket_path, char** argv) {
  const sockaddr_un address = UnixAddress(socket_path);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("connect to ", socket_path));
  }
  const int calls = InstallFilter();
  if (calls < 0) return absl::ErrnoToStatus(errno, "install a filter of system calls");
  if (absl::Status sent = SendDescriptor(socket, calls); !sent.ok()) return sent;
  ::execvp(argv[0], argv);
  return absl::ErrnoToStatus(errno, absl::StrCat("start ", argv[0]));
}

}  // namespace kantoku::soak
