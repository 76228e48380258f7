#ifndef KANTOKU_SERVICES_PLATFORM_TLS_CLIENT_FILES_H_
#define KANTOKU_SERVICES_PLATFORM_TLS_CLIENT_FILES_H_

#include <compare>
#include <string>

#include "absl/status/statusor.h"

namespace kantoku::platform {

// What a client is told of its TLS; all PEM, empty where there is none.
struct ClientFiles {
  std::string ca_file;      // Where certificates of servers come from, or ...
  std::string authorities;  // ... the certificates themselves.
  // What is shown to a server that asks for it, and its key; both or none.
  std::string certificate_file;
  std::string key_file;

  auto operator<=>(const ClientFiles&) const = default;  // NOLINT(modernize-use-nullptr)
};

// Paths that this process can open, for as long as it lives; empty where there is nothing.
struct LiveFiles {
  std::string authorities;
  std::string identity;  // The key, then its chain.
};

// Checked copies of those files, in memory, for a TLS library that believes what it reads: brought
// up to date within a second of a change. What is no good is a line of the log, and the one before
// stays.
//
// Thread-safe. Files that are no good when it is called are an error, as of CertificateSource and
// CheckAuthorities, whatever they were before. Equal files are watched once; that ends with the
// process, because nobody knows when a TLS library has looked at a path for the last time.
absl::StatusOr<LiveFiles> WatchClientFiles(const ClientFiles& files);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_TLS_CLIENT_FILES_H_
