#ifndef KANTOKU_TESTS_CONFORMANCE_ABILITIES_H_
#define KANTOKU_TESTS_CONFORMANCE_ABILITIES_H_

#include <string_view>

namespace kantoku::conformance {

// A tag of a case, TEST_CASE("…", "[crash]"), and what it says that the case needs.
struct Tag {
  std::string_view tag;
  std::string_view what;  // After "needs".
};

// What a case may need of whoever sits an exam, beyond the interface that it is about. Builds of
// ours, in our tests, are able to all of it; a program that `kantoku conformance` only reaches is
// not, unless the caller lends it.
inline constexpr Tag kAbilities[] = {
    {"clock", "a clock that agrees with this one"},
    {"crash", "the program to be killed and started again in the midst of it"},
    {"empty", "a service that has seen nobody else"},
    {"inputs", "an Inputs that says what the exam wants"},
    {"keys", "the keys by which services know each other"},
    {"limits", "a service with limits that the exam has set"},
    {"load", "more tasks or bytes at once than are good for a service in use"},
    {"positions", "positions that are written as ours are"},
    {"restart", "the service to be restarted in the midst of it"},
};

// What somebody's own service may leave out of its interface, if whoever examines it says so: cases
// that have such a tag are about that alone.
inline constexpr Tag kParts[] = {
    {"bounds", "bounds on what a call may hold"},
    {"items", "items of generators"},
    {"owners", "results and events that not everybody may see"},
    {"retention", "results that leave when their time is over"},
    {"unknown", "ids without a result to be looked up and answered"},
};

// Tags that say of which backends' tests a case is one (cmake/KantokuTarget.cmake), and nothing of
// what it needs.
inline constexpr std::string_view kBackendTags[] = {"memory", "not-memory", "not-memory-halves",
                                                    "sqlite"};

}  // namespace kantoku::conformance

#endif  // KANTOKU_TESTS_CONFORMANCE_ABILITIES_H_
