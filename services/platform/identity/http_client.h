#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_HTTP_CLIENT_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_HTTP_CLIENT_H_

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kantoku::platform {

// Reads small documents from web servers. Blocks.
//
// Thread-safe.
class HttpClient {
 public:
  virtual ~HttpClient() = default;

  // The body of the answer with status 200; no redirect is followed. UNAVAILABLE, FETCH_FAILED says
  // why there is none.
  virtual absl::StatusOr<std::string> Get(const std::string& url) = 0;
  // Ends every Get, now and from now on.
  virtual void Stop() = 0;
};

struct HttpOptions {
  std::string ca_file;                        // PEM; empty: those of the system.
  absl::Duration timeout = absl::Seconds(5);  // For the whole of it.
  size_t max_bytes = 65'536;                  // Of a body.
};

// By libcurl: https, and http to this very computer.
std::unique_ptr<HttpClient> MakeHttpClient(const HttpOptions& options);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_HTTP_CLIENT_H_
