#include "tests/unit/platform/tls/certificates_kit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace kantoku::test {

using platform::CertificateAuthority;
using platform::KeyAndChain;
using platform::tls::Owned;

std::unique_ptr<CertificateAuthority> MakeAuthority(const TempDir& directory) {
  auto authority = CertificateAuthority::LoadOrCreate(directory.path(), kNow);
  INFO(authority.status());
  REQUIRE(authority.ok());
  return *std::move(authority);
}

KeyAndChain IssueServer(const CertificateAuthority& authority, absl::Time now,
                        const std::vector<std::string>& names) {
  auto pair = authority.Issue({.names = names, .lifetime = 30 * kDay}, now);
  INFO(pair.status());
  REQUIRE(pair.ok());
  return *std::move(pair);
}

KeyAndChain IssueClient(const CertificateAuthority& authority, absl::Time now) {
  auto pair = authority.Issue(
      {.kind = CertificateAuthority::Kind::kClient, .names = {"laptop-1"}, .lifetime = 30 * kDay},
      now);
  REQUIRE(pair.ok());
  return *std::move(pair);
}

std::vector<Owned<X509>> Parse(std::string_view pem) {
  auto certificates = platform::tls::ParseCertificates(pem);
  REQUIRE(certificates.ok());
  return *std::move(certificates);
}

std::string LeafOf(const std::string& chain_pem) {
  return platform::tls::PemOf(*Parse(chain_pem).front());
}

int Verify(const std::string& chain_pem, const std::string& authority_pem, absl::Time now,
           int purpose) {
  const auto chain = Parse(chain_pem);
  const auto authority = Parse(authority_pem);
  X509_STORE* const trusted = ::X509_STORE_new();
  ::X509_STORE_add_cert(trusted, authority.front().get());
  STACK_OF(X509)* const shown = sk_X509_new_null();
  for (const auto& certificate : chain) sk_X509_push(shown, certificate.get());
  X509_STORE_CTX* const context = ::X509_STORE_CTX_new();
  ::X509_STORE_CTX_init(context, trusted, chain.front().get(), shown);
  ::X509_STORE_CTX_set_purpose(context, purpose);
  ::X509_STORE_CTX_set_time(context, 0, absl::ToTimeT(now));
  ::X509_verify_cert(context);
  const int error = ::X509_STORE_CTX_get_error(context);
  ::X509_STORE_CTX_free(context);
  sk_X509_free(shown);
  ::X509_STORE_free(trusted);
  return error;
}

std::string Read(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

void Replace(const std::string& path, std::string_view content, mode_t mode) {
  const std::string next = path + ".next";
  std::ofstream(next) << content;
  REQUIRE(::chmod(next.c_str(), mode) == 0);
  std::filesystem::rename(next, path);
}

mode_t ModeOf(const std::string& path) {
  struct stat info;
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 0777;
}

LogLines::LogLines() : original_(::dup(STDERR_FILENO)) {
  const int file = ::open(directory_.File("log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  REQUIRE(file >= 0);
  ::dup2(file, STDERR_FILENO);
  ::close(file);
}

LogLines::~LogLines() {
  ::dup2(original_, STDERR_FILENO);
  ::close(original_);
}

std::vector<std::string> LogLines::Take() {
  std::istringstream all(Read(directory_.File("log")));
  std::vector<std::string> lines;
  for (std::string line; std::getline(all, line);) lines.push_back(line);
  const auto first = lines.begin() + static_cast<ptrdiff_t>(std::exchange(taken_, lines.size()));
  return {first, lines.end()};
}

}  // namespace kantoku::test
