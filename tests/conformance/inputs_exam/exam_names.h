#ifndef KANTOKU_TESTS_CONFORMANCE_INPUTS_EXAM_EXAM_NAMES_H_
#define KANTOKU_TESTS_CONFORMANCE_INPUTS_EXAM_EXAM_NAMES_H_

#include <cstdint>
#include <string>
#include <string_view>

// How the cases of the exam call things, so that one does not meet what another has left behind. In
// our tests each case has a service of its own, and names are as they are written. Of a service in
// use a case has but a namespace, in which others were before.
//
// Confined to the main thread.
namespace kantoku::inputs {

// From here on, cases are in that namespace, and names are marked. 15 characters for the mark.
void UseNames(std::string name_space, std::string mark);

// A type, request id, reference or whatever else, which nobody has used before.
std::string Fresh(std::string_view name);
// The n-th session of the case.
std::string SessionId(uint8_t n);
// Empty: that which is meant where none is named.
const std::string& Namespace();

}  // namespace kantoku::inputs

#endif  // KANTOKU_TESTS_CONFORMANCE_INPUTS_EXAM_EXAM_NAMES_H_
