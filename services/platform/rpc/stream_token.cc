#include "services/platform/rpc/stream_token.h"

namespace kantoku::platform {

// The channel reads the source by itself, a moment later: if that is another token by then, it is
// shown once more when one is wanted, which changes nothing.
void StreamToken::Opens() {
  if (tokens_ != nullptr) shown_ = tokens_->Token();
}

std::string StreamToken::Newer() {
  if (tokens_ == nullptr) return {};
  // A file is read again by Renew.
  if (!tokens_->Renew(shown_)) return {};
  std::string token = tokens_->Token();
  if (token == shown_) return {};
  shown_ = token;
  return token;
}

}  // namespace kantoku::platform
