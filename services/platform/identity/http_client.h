#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_HTTP_CLIENT_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_HTTP_CLIENT_H_

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kantoku::platform {

// A form for a web server (application/x-www-form-urlencoded), with who sends it.
struct HttpPost {
  std::string url;
  std::vector<std::pair<std::string, std::string>> form;  // Names and values as they are.
  // Basic authentication, as it is to be shown; no user: none.
  std::string user;
  std::string password;
};

struct HttpAnswer {
  int status = 0;
  std::string body;
};

// Exchanges small documents with web servers. Blocks.
//
// Thread-safe. An address whose scheme is not taken is INVALID_ARGUMENT, INVALID_URL; UNAVAILABLE,
// FETCH_FAILED says why there is no answer, by the address and nothing else of what was sent.
class HttpClient {
 public:
  virtual ~HttpClient() = default;

  // The body of the answer with status 200; no redirect is followed.
  virtual absl::StatusOr<std::string> Get(const std::string& url) = 0;
  // The answer with status 200, or with one of the 400s, in which OAuth says why not (RFC 6749,
  // section 5.2); no redirect is followed. The server may have taken what was sent though there is
  // no answer.
  virtual absl::StatusOr<HttpAnswer> Post(const HttpPost& post) = 0;
  // Ends every request, now and from now on.
  virtual void Stop() = 0;
};

struct HttpOptions {
  std::string ca_file;                        // PEM; empty: those of the system.
  absl::Duration timeout = absl::Seconds(5);  // For the whole of it.
  size_t max_bytes = 65'536;                  // Of a body.
};

// Everything but letters, digits, '-', '.', '_' and '~' as %XX, which every server reads.
std::string FormEncode(std::string_view text);

// By libcurl: https, and http to this very computer.
std::unique_ptr<HttpClient> MakeHttpClient(const HttpOptions& options);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_HTTP_CLIENT_H_
