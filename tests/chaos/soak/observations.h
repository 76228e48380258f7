#ifndef KANTOKU_TESTS_CHAOS_SOAK_OBSERVATIONS_H_
#define KANTOKU_TESTS_CHAOS_SOAK_OBSERVATIONS_H_

#include <map>
#include <string>
#include <vector>

#include "kantoku/output.h"
#include "services/platform/mutex.h"
#include "tests/chaos/soak/evidence.h"

namespace kantoku::soak {

// What clients asked for, and what they were told.
//
// Thread-safe.
class Observations {
 public:
  void Asked(const Asked& asked);
  // An end. Another one that differs from the first is trouble.
  void Ended(const Output& output);
  void Stopped(const Stop& stop);
  void Read(const std::string& task, std::vector<Read> items);
  void Trouble(const std::string& text);

  size_t asked() const;
  size_t ended() const;
  bool ended(const std::string& task) const;
  // Tasks without an end.
  std::vector<std::string> open() const;

  // Moves what is known into `evidence`.
  void Fill(Evidence& evidence) const;

 private:
  mutable platform::Mutex mu_;
  std::vector<soak::Asked> asked_ ABSL_GUARDED_BY(mu_);
  std::vector<Stop> stops_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Told> told_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::vector<std::vector<soak::Read>>> readers_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> trouble_ ABSL_GUARDED_BY(mu_);
};

// What was told, as the checker wants it.
Told ToTold(const Output& output, absl::Duration at);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_OBSERVATIONS_H_
