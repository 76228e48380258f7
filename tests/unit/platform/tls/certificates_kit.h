#ifndef KANTOKU_TESTS_UNIT_PLATFORM_TLS_CERTIFICATES_KIT_H_
#define KANTOKU_TESTS_UNIT_PLATFORM_TLS_CERTIFICATES_KIT_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "services/platform/tls/certificate_authority.h"
#include "services/platform/tls/x509.h"
#include "tests/support/temp_dir.h"

namespace kantoku::test {

inline const absl::Time kNow = absl::FromCivil(absl::CivilDay(2026, 3, 1), absl::UTCTimeZone());
inline constexpr absl::Duration kDay = absl::Hours(24);

std::unique_ptr<platform::CertificateAuthority> MakeAuthority(const TempDir& directory);

platform::KeyAndChain IssueServer(const platform::CertificateAuthority& authority,
                                  absl::Time now = kNow,
                                  const std::vector<std::string>& names = {"localhost"});
platform::KeyAndChain IssueClient(const platform::CertificateAuthority& authority,
                                  absl::Time now = kNow);

std::vector<platform::tls::Owned<X509>> Parse(std::string_view pem);
// The leaf without what follows it.
std::string LeafOf(const std::string& chain_pem);
// What a client (or, of a client's leaf, a server) says that trusts `authority_pem` alone:
// X509_V_OK or another of OpenSSL's.
int Verify(const std::string& chain_pem, const std::string& authority_pem, absl::Time now,
           int purpose = X509_PURPOSE_SSL_SERVER);

std::string Read(const std::string& path);
// Whole, under another inode, as deployments do.
void Replace(const std::string& path, std::string_view content, mode_t mode = 0600);
mode_t ModeOf(const std::string& path);

// The lines that are logged while it lives.
class LogLines {
 public:
  LogLines();
  ~LogLines();
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;

  std::vector<std::string> Take();

 private:
  const TempDir directory_;
  int original_;
  size_t taken_ = 0;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_UNIT_PLATFORM_TLS_CERTIFICATES_KIT_H_
