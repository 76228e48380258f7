#include "tests/simulation/world/reader.h"

#include <iterator>

#include "tests/simulation/world/names.h"

namespace kantoku::simulation {

void Reader::Read() {
  const ModelTask* const task =
      scene_.random.Chance(50) ? model_.AnyHeld(scene_.random) : model_.AnyLiving(scene_.random);
  if (task == nullptr || task->items.empty() || task->outputs_end.has_value()) return;
  scene_.coverage.Count(Deed::kItemsRead);
  if (scene_.random.Chance(30)) return ReadFrom(*task, {});
  const auto stream = std::next(
      task->items.begin(), static_cast<std::ptrdiff_t>(scene_.random.Pick(task->items.size())));
  ReadFrom(*task, {stream->first, 1 + scene_.random.Pick(stream->second + 1)});
}

void Reader::ReadFrom(const ModelTask& task, outputs::ItemPosition from) {
  constexpr size_t kPageBytes = 200;
  const auto begin = from.dispatch == 0 ? task.items.begin() : task.items.find(from.dispatch);
  auto stream = begin;
  uint64_t next = from.dispatch == 0 ? 1 : from.sequence;
  for (;;) {
    const auto reading =
        outputs_.ReadItems(task.id, from, kPageBytes, [&](const outputs::Item& item) {
          if (stream != task.items.end() && next > stream->second) {
            ++stream;
            next = 1;
          }
          scene_.Expect(
              stream != task.items.end() && item.data == ItemText(task.id, stream->first, next),
              "a reader gets all items, in their order and each once");
          ++next;
        });
    scene_.Expect(reading.ok(), "items can be read");
    if (!reading.ok() || reading->reach != outputs::ItemBook::Reach::kItems) break;
    if (scene_.verdict.broken()) return;
    scene_.Expect(reading->restarted == (from.dispatch != 0 && reading->dispatch != from.dispatch),
                  "a reader is told that another dispatch has begun anew");
    from = reading->next;
  }
  const bool last = stream == task.items.end() || std::next(stream) == task.items.end();
  scene_.Expect(last && (stream == task.items.end() || next == stream->second + 1),
                "a reader gets all items that there are");
}

}  // namespace kantoku::simulation
