#ifndef KANTOKU_TESTS_SUPPORT_ISSUER_SERVER_H_
#define KANTOKU_TESTS_SUPPORT_ISSUER_SERVER_H_

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace kantoku::test {

// An issuer's web server on a free port: its discovery document and its keys.
//
// Thread-safe.
class IssuerServer {
 public:
  IssuerServer();
  ~IssuerServer();

  // "http://127.0.0.1:4711", as in `iss`.
  const std::string& url() const { return url_; }
  // What it publishes from now on.
  void SetKeys(const std::vector<nlohmann::json>& jwks);
  // Answers with status 500 from now on, or no more.
  void SetBroken(bool broken);
  // How often its keys were asked for.
  int requests() const;

 private:
  class Site;

  const std::unique_ptr<Site> site_;
  const std::string url_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_ISSUER_SERVER_H_
