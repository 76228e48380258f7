#include <prometheus/registry.h>

#include <deque>
#include <filesystem>
#include <utility>

#include "services/platform/store/decorators/metered_record_store.h"
#include "services/platform/store/memory/memory_record_store.h"
#include "services/platform/store/sqlite/sqlite_record_store.h"
#include "tests/conformance/record_store_exam.h"
#include "tests/support/temp_dir.h"

namespace kantoku::platform {
namespace {

// Puts a program's decorators around a backend, or nothing.
using Decorate =
    std::function<std::unique_ptr<RecordStoreFactory>(std::unique_ptr<RecordStoreFactory>)>;

std::unique_ptr<RecordStoreFactory> Raw(std::unique_ptr<RecordStoreFactory> factory) {
  return factory;
}

std::unique_ptr<RecordStoreFactory> Metered(std::unique_ptr<RecordStoreFactory> factory) {
  static prometheus::Registry registry;
  return MakeMeteredRecordStoreFactory(std::move(factory), "exam", registry, Clock::Real());
}

class MemoryExaminee final : public RecordStoreExaminee {
 public:
  MemoryExaminee(const StoreSchema& schema, const Decorate& decorate)
      : factory_(decorate(MakeMemoryRecordStoreFactory(schema))) {}

  RecordStoreFactory& factory() override { return *factory_; }
  void Crash() override {}

 private:
  const std::unique_ptr<RecordStoreFactory> factory_;
};

class SqliteExaminee final : public RecordStoreExaminee {
 public:
  SqliteExaminee(const StoreSchema& schema, Decorate decorate)
      : schema_(schema), decorate_(std::move(decorate)) {
    Begin();
  }

  RecordStoreFactory& factory() override { return *factories_.back(); }

  // What is in the files while they are open is what a dead process leaves.
  void Crash() override {
    const std::string before = directories_.back().path();
    Begin();
    std::filesystem::copy(before, directories_.back().path());
  }

 private:
  void Begin() {
    // The log is kept short, so that it starts anew several times in the exam.
    const SqliteStoreOptions options{.directory = directories_.emplace_back().path(),
                                     .wal_bytes = size_t{128} << 10};
    factories_.push_back(decorate_(MakeSqliteRecordStoreFactory(schema_, options)));
  }

  const StoreSchema schema_;
  const Decorate decorate_;
  std::deque<test::TempDir> directories_;
  std::deque<std::unique_ptr<RecordStoreFactory>> factories_;
};

template <typename Examinee>
RecordStoreEntry Entry(std::string name, Decorate decorate) {
  return {std::move(name), [decorate](const StoreSchema& schema) {
            return std::make_unique<Examinee>(schema, decorate);
          }};
}

}  // namespace

std::vector<RecordStoreEntry> RecordStoreEntries() {
  return {Entry<MemoryExaminee>("memory", Raw), Entry<MemoryExaminee>("memory, metered", Metered),
          Entry<SqliteExaminee>("sqlite", Raw), Entry<SqliteExaminee>("sqlite, metered", Metered)};
}

}  // namespace kantoku::platform
