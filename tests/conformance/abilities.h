#ifndef KANTOKU_TESTS_CONFORMANCE_ABILITIES_H_
#define KANTOKU_TESTS_CONFORMANCE_ABILITIES_H_

#include <string_view>

namespace kantoku::conformance {

// What a case may need of whoever sits an exam, beyond the interface that it is about. The case
// says so by a tag, TEST_CASE("…", "[crash]"). Builds of ours, in our tests, are able to all of it;
// a program that `kantoku conformance` only reaches is not, unless the caller lends it.
struct Ability {
  std::string_view tag;
  std::string_view what;  // After "needs".
};

inline constexpr Ability kAbilities[] = {
    {"clock", "a clock that agrees with this one"},
    {"crash", "the program to be killed and started again in the midst of it"},
    {"empty", "a service that has seen nobody else"},
    {"inputs", "an Inputs that says what the exam wants"},
    {"keys", "the keys by which services know each other"},
    {"limits", "a service with limits that the exam has set"},
    {"load", "more tasks at once than are good for a service in use"},
    {"restart", "the service to be restarted in the midst of it"},
};

// What somebody's own service may leave out of its interface, if whoever examines it says so: cases
// that have such a tag are about that alone.
inline constexpr Ability kParts[] = {
    {"bounds", "bounds on what a call may hold"},
    {"items", "items of generators"},
    {"owners", "results that not everybody may see"},
    {"retention", "results that leave when their time is over"},
    {"unknown", "ids without a result to be looked up and answered"},
};

// Tags that say of which backends' tests a case is one (cmake/KantokuTarget.cmake), and nothing of
// what it needs.
inline constexpr std::string_view kBackendTags[] = {"memory", "not-memory", "sqlite"};

}  // namespace kantoku::conformance

#endif  // KANTOKU_TESTS_CONFORMANCE_ABILITIES_H_
