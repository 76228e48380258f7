#ifndef KANTOKU_SERVICES_PLATFORM_STORE_STORE_ERRORS_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_STORE_ERRORS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace kantoku::platform {

// Reasons (status.h) that every backend gives.
inline constexpr std::string_view kStoreFenced = "STORE_FENCED";       // ABORTED
inline constexpr std::string_view kStoreFull = "STORE_FULL";           // RESOURCE_EXHAUSTED
inline constexpr std::string_view kStoreBusy = "STORE_BUSY";           // UNAVAILABLE
inline constexpr std::string_view kStoreFailing = "STORE_FAILING";     // UNAVAILABLE
inline constexpr std::string_view kStoreDamaged = "STORE_DAMAGED";     // DATA_LOSS
inline constexpr std::string_view kStoreWentBack = "STORE_WENT_BACK";  // DATA_LOSS
inline constexpr std::string_view kStoreInUse = "STORE_IN_USE";        // FAILED_PRECONDITION
// FAILED_PRECONDITION of a file; UNAVAILABLE of a server, which may change or have a successor.
inline constexpr std::string_view kStoreReadOnly = "STORE_READ_ONLY";
inline constexpr std::string_view kOutOfMemory = "OUT_OF_MEMORY";            // RESOURCE_EXHAUSTED
inline constexpr std::string_view kStoreDenied = "STORE_DENIED";             // FAILED_PRECONDITION
inline constexpr std::string_view kStoreNotMigrated = "STORE_NOT_MIGRATED";  // FAILED_PRECONDITION
inline constexpr std::string_view kStoreForeign = "STORE_FOREIGN";           // FAILED_PRECONDITION
inline constexpr std::string_view kStoreTooNew = "STORE_FORMAT_TOO_NEW";     // FAILED_PRECONDITION
inline constexpr std::string_view kBatchOutOfOrder = "BATCH_OUT_OF_ORDER";   // FAILED_PRECONDITION

// "outputs/3", as messages and metrics name a partition.
std::string PartitionName(std::string_view component, uint32_t partition);

// ABORTED: an owner with a later epoch has opened the partition.
absl::Status FencedError();

// FAILED_PRECONDITION: the batch is older than the last one.
absl::Status BatchOutOfOrderError(uint64_t number, uint64_t last);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_STORE_ERRORS_H_
