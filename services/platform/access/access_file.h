#ifndef KANTOKU_SERVICES_PLATFORM_ACCESS_ACCESS_FILE_H_
#define KANTOKU_SERVICES_PLATFORM_ACCESS_ACCESS_FILE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kantoku::platform {

// Stands for the authorities that the computer trusts anyway.
inline constexpr char kSystemAuthorities[] = "system";

// How a server is reached, why it is trusted, and who one is there. Kept in a JSON file of mode
// 0600 with these names as members; empty ones are left out.
//
// `kantoku up` keeps one in its data directory, with which whoever may read that is its
// administrator; `--join` makes one on the computers of others.
struct Access {
  std::string server;  // host:port.
  // Where its certificate comes from: PEM, or kSystemAuthorities. Empty: there is no TLS.
  std::string authorities;
  std::string server_name;  // That the certificate is for; empty: the host of the server.
  // One of these says who one is. An access token, which whoever wrote the file replaces in time;
  std::string token;
  // a grant of the server's own issuer (kantoku/auth/v1/grants.proto);
  std::string grant;
  std::string secret;
  std::string holder_secret;
  // a user's login at an issuer elsewhere, in a file that `kantoku login` makes;
  std::string login_file;
  // or a client of such an issuer (OAuth's client credentials), and what its tokens are to be for.
  std::string issuer;
  std::string client_id;
  std::string client_secret;
  std::string scope;
  std::string audience;
  std::string resource;
};

// That of a server, in its data directory.
std::string AccessFileIn(std::string_view data_dir);

// NOT_FOUND, NO_ACCESS_FILE; FAILED_PRECONDITION when others than its owner may read it;
// INVALID_ARGUMENT, INVALID_ACCESS_FILE says what is wrong with it, and nothing of what is in it.
absl::StatusOr<Access> ReadAccessFile(const std::string& path);

// Replaces the file, or makes it: readers see all of it or what was there before.
absl::Status WriteAccessFile(const std::string& path, const Access& access);
// Makes it. ALREADY_EXISTS when there is one, which stays.
absl::Status CreateAccessFile(const std::string& path, const Access& access);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_ACCESS_ACCESS_FILE_H_
