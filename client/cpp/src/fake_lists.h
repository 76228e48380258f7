#ifndef KANTOKU_CLIENT_CPP_SRC_FAKE_LISTS_H_
#define KANTOKU_CLIENT_CPP_SRC_FAKE_LISTS_H_

#include <vector>

#include "absl/status/status.h"
#include "kantoku/task_info.h"

// What lists of a fake share.
namespace kantoku::internal {

// A fake does not read selectors.
absl::Status NoFilters();

// As the query says; leaves them alone where it says nothing.
void Sort(const TaskQuery& query, std::vector<TaskInfo>& tasks);

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_FAKE_LISTS_H_
