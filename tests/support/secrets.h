#ifndef KANTOKU_TESTS_SUPPORT_SECRETS_H_
#define KANTOKU_TESTS_SUPPORT_SECRETS_H_

#include <string>
#include <string_view>

namespace kantoku::test {

// What in a text looks like a secret of ours, as "an access token in line 7": an access token
// (`eyJ….….`), a join string, a task's token, a private key or a line of a MAC key file. Empty
// where there is none. Finds what has the form, whoever made it.
//
// Thread-safe.
std::string SecretIn(std::string_view text, bool may_have_join_strings = false);

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_SECRETS_H_
