#ifndef KANTOKU_SERVICES_PLATFORM_RPC_STREAM_TOKEN_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_STREAM_TOKEN_H_

#include <memory>
#include <string>
#include <utility>

#include "services/platform/rpc/token_source.h"

namespace kantoku::platform {

// Which access tokens a client's stream has shown, and which one it is to show next when the server
// wants a newer one (auth/v1/stream.proto).
//
// Thread-compatible. Blocks no longer than the source does.
class StreamToken {
 public:
  // Of the stream's channel; null: that has none.
  explicit StreamToken(std::shared_ptr<TokenSource> tokens) : tokens_(std::move(tokens)) {}

  // The stream is about to open, and shows what there is with the call.
  void Opens();

  // The server wants a newer one: what to show, once. Empty while there is none, which the source
  // is told; the server asks again.
  std::string Newer();

 private:
  const std::shared_ptr<TokenSource> tokens_;
  std::string shown_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_STREAM_TOKEN_H_
