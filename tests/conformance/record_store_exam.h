#ifndef KANTOKU_TESTS_CONFORMANCE_RECORD_STORE_EXAM_H_
#define KANTOKU_TESTS_CONFORMANCE_RECORD_STORE_EXAM_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "services/platform/store/record_store.h"

namespace kantoku::platform {

// A backend, with its decorators, as the exam of record_store.h sees it.
class RecordStoreExaminee {
 public:
  virtual ~RecordStoreExaminee() = default;

  // Of an installation that is empty at first. Lives as long as the examinee.
  virtual RecordStoreFactory& factory() = 0;

  // As if the process died here: from now on `factory` opens what the disk would hold, and stores
  // that are open have to do with it no more. A backend without traits().durable may leave
  // everything as it is.
  virtual void Crash() = 0;
};

// One backend with the decorators that a program puts around it.
struct RecordStoreEntry {
  std::string name;  // As ctest's names have it.
  std::function<std::unique_ptr<RecordStoreExaminee>(const StoreSchema&)> make;
};

// Those of all that this run is about (tests/support/backend.h); a new backend adds its lines in
// record_store_entries.cc.
std::vector<RecordStoreEntry> RecordStoreEntries();

// What the cases keep.
StoreSchema ExamSchema();

}  // namespace kantoku::platform

#endif  // KANTOKU_TESTS_CONFORMANCE_RECORD_STORE_EXAM_H_
