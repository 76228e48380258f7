#include "services/platform/message_pool.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

namespace kantoku::platform {
namespace {

// As much of a message as the pool knows.
struct Text {
  std::string text;
  void Clear() { text.clear(); }
};

TEST_CASE("A message is empty when it is reused, and has kept its memory") {
  ReusedMessage<Text> message;
  message->text.assign(1'000, 'x');
  const char* const memory = message->text.data();
  message.Clear(1'000);
  CHECK(message->text.empty());
  CHECK(message->text.data() == memory);
}

TEST_CASE("What a message keeps is bounded: after one large content, or many, it begins anew") {
  using Message = ReusedMessage<Text>;
  Message message;
  message->text.assign(1'000, 'x');
  message.Clear(Message::kMaxContent + 1);
  CHECK(message->text.capacity() < 1'000);

  for (size_t contents = 0; contents <= Message::kMaxContents; contents += Message::kMaxContent) {
    message->text.assign(1'000, 'x');
    message.Clear(Message::kMaxContent);
  }
  CHECK(message->text.capacity() < 1'000);
}

TEST_CASE("A pool gives out what came back, and keeps no more than it may") {
  constexpr size_t kMost = MessagePool<Text>::kMaxFree;
  MessagePool<Text> pool;
  std::vector<ReusedMessage<Text>> taken;
  for (size_t i = 0; i < 2 * kMost; ++i) taken.push_back(pool.Take());
  for (auto& message : taken) {
    message->text.assign(1'000, 'x');
    pool.GiveBack(std::move(message), 1'000);
  }
  size_t reused = 0;
  for (size_t i = 0; i < 2 * kMost; ++i) {
    auto message = pool.Take();
    CHECK(message->text.empty());
    if (message->text.capacity() >= 1'000) ++reused;
  }
  CHECK(reused == kMost);
}

}  // namespace
}  // namespace kantoku::platform
