#include "services/platform/identity/http_client.h"

#include <curl/curl.h>

#include <csignal>
#include <ctime>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/platform/check.h"
#include "services/platform/status.h"
#include "services/platform/url.h"

namespace kantoku::platform {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(2);
constexpr int kOk = 200;

absl::Status FetchFailed(const std::string& url, absl::string_view why) {
  return Error(absl::StatusCode::kUnavailable, "FETCH_FAILED",
               absl::StrCat("cannot fetch ", url, ": ", why));
}

absl::Status BadStatus(const std::string& url, int status) {
  return FetchFailed(url, absl::StrCat("the answer has status ", status));
}

std::string FormOf(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string form;
  for (const auto& [name, value] : fields) {
    if (!form.empty()) form += '&';
    form += FormEncode(name) + '=' + FormEncode(value);
  }
  return form;
}

// While it lives, a server that has closed raises no SIGPIPE in this thread: OpenSSL writes to
// sockets as to files, and the program is not this library's.
class NoBrokenPipes {
 public:
  NoBrokenPipes() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoBrokenPipes() {
    constexpr timespec kNow = {};
    if (!was_pending_) ::sigtimedwait(&pipe_, nullptr, &kNow);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoBrokenPipes(const NoBrokenPipes&) = delete;
  NoBrokenPipes& operator=(const NoBrokenPipes&) = delete;

 private:
  sigset_t pipe_;
  sigset_t before_;
  bool was_pending_;
};

// Sets up libcurl for the process, once and for good.
void SetUpCurl() {
  static const CURLcode kSetUp = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  KANTOKU_CHECK(kSetUp == CURLE_OK);
}

class CurlHttpClient final : public HttpClient {
 public:
  explicit CurlHttpClient(HttpOptions options) : options_(std::move(options)) { SetUpCurl(); }

  absl::StatusOr<std::string> Get(const std::string& url) override {
    KANTOKU_ASSIGN_OR_RETURN(HttpAnswer answer, Ask(url, nullptr));
    if (answer.status != kOk) return BadStatus(url, answer.status);
    return std::move(answer.body);
  }

  absl::StatusOr<HttpAnswer> Post(const HttpPost& post) override {
    KANTOKU_ASSIGN_OR_RETURN(HttpAnswer answer, Ask(post.url, &post));
    if (answer.status != kOk && answer.status / 100 != 4) return BadStatus(post.url, answer.status);
    return answer;
  }

  void Stop() override { stopped_ = true; }

 private:
  struct Free {
    void operator()(CURL* curl) const { ::curl_easy_cleanup(curl); }
  };
  struct Transfer {
    const CurlHttpClient& client;
    std::string form;
    std::string body;
  };

  // GET, or POST where there is something to send.
  absl::StatusOr<HttpAnswer> Ask(const std::string& url, const HttpPost* post) const {
    KANTOKU_RETURN_IF_ERROR(CheckUrl(url));
    const std::unique_ptr<CURL, Free> curl(::curl_easy_init());
    KANTOKU_CHECK(curl != nullptr);
    Transfer transfer{.client = *this, .form = {}, .body = {}};
    SetUp(curl.get(), url, transfer);
    if (post != nullptr) SetUpPost(curl.get(), *post, transfer);
    const NoBrokenPipes guard;
    const CURLcode code = ::curl_easy_perform(curl.get());
    if (stopped_) return FetchFailed(url, "the program stops");
    if (transfer.body.size() > options_.max_bytes || code == CURLE_FILESIZE_EXCEEDED) {
      return FetchFailed(url, absl::StrCat("it is larger than ", options_.max_bytes, " bytes"));
    }
    if (code != CURLE_OK) return FetchFailed(url, ::curl_easy_strerror(code));
    long status = 0;
    ::curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
    return HttpAnswer{static_cast<int>(status), std::move(transfer.body)};
  }

  // Whatever it does not take ends the transfer.
  static size_t OnBody(char* data, size_t size, size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    transfer.body.append(data, size * count);
    return transfer.body.size() <= transfer.client.options_.max_bytes ? size * count : 0;
  }
  static int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Transfer*>(user)->client.stopped_ ? 1 : 0;
  }

  template <typename Value>
  static void Set(CURL* curl, CURLoption option, Value value) {
    KANTOKU_CHECK(::curl_easy_setopt(curl, option, value) == CURLE_OK);
  }

  static void SetUpPost(CURL* curl, const HttpPost& post, Transfer& transfer) {
    transfer.form = FormOf(post.form);
    Set(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer.form.size()));
    Set(curl, CURLOPT_POSTFIELDS, transfer.form.c_str());
    if (post.user.empty()) return;
    Set(curl, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    Set(curl, CURLOPT_USERNAME, post.user.c_str());
    Set(curl, CURLOPT_PASSWORD, post.password.c_str());
  }

  void SetUp(CURL* curl, const std::string& url, Transfer& transfer) const {
    const bool own = absl::StartsWith(url, "http:");
    const auto set = [curl](CURLoption option, auto value) { Set(curl, option, value); };
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, own ? "http" : "https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(kConnectTimeout)));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(options_.timeout)));
    set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(options_.max_bytes));
    set(CURLOPT_WRITEFUNCTION, &OnBody);
    set(CURLOPT_WRITEDATA, &transfer);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &OnProgress);
    set(CURLOPT_XFERINFODATA, &transfer);
    if (!options_.ca_file.empty()) set(CURLOPT_CAINFO, options_.ca_file.c_str());
  }

  const HttpOptions options_;
  std::atomic<bool> stopped_ = false;
};

}  // namespace

std::string FormEncode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      encoded += c;
    } else {
      absl::StrAppendFormat(&encoded, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

std::unique_ptr<HttpClient> MakeHttpClient(const HttpOptions& options) {
  return std::make_unique<CurlHttpClient>(options);
}

}  // namespace kantoku::platform
