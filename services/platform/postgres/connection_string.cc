#include "services/platform/postgres/connection_string.h"

#include <libpq-fe.h>

#include <algorithm>
#include <map>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr size_t kMaxSchemaSize = 32;

constexpr std::string_view kUnknownWord = "invalid connection option";
constexpr std::string_view kSecret = "*";  // How libpq marks what is not to be shown.

using Words = std::map<std::string, std::string>;

// Of what libpq says only that which cannot hold a piece of a secret.
absl::Status Unreadable(const char* message) {
  const std::string_view why = message != nullptr ? message : "";
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_CONNECTION_STRING",
               absl::StrCat("connection: ",
                            why.starts_with(kUnknownWord)
                                ? absl::StripAsciiWhitespace(ToAbsl(why))
                                : "is neither keywords and values nor a URI of PostgreSQL's"));
}

absl::Status Exposed(std::string_view word) {
  return Error(
      absl::StatusCode::kInvalidArgument, "PASSWORD_EXPOSED",
      word == "password"
          ? "connection: has a password, which belongs into a file (password_file) or "
            "the environment (PGPASSWORD)"
          : absl::StrCat("connection: has ", ToAbsl(word), ", and configurations are printed"));
}

absl::StatusOr<Words> Parse(const std::string& connection) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(connection.c_str(), &message), &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> freed(message, &PQfreemem);
  if (parsed == nullptr) return Unreadable(message);
  Words words;
  for (const PQconninfoOption* each = parsed.get(); each->keyword != nullptr; ++each) {
    if (each->val == nullptr) continue;
    if (each->dispchar == kSecret) return Exposed(each->keyword);
    words[each->keyword] = each->val;
  }
  return words;
}

std::string Quoted(const std::string& value) {
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c);
  }
  return quoted + "'";
}

}  // namespace

absl::StatusOr<std::string> CompleteConnectionString(const std::string& connection,
                                                     const ConnectionWords& defaults,
                                                     const ConnectionWords& forced) {
  KANTOKU_ASSIGN_OR_RETURN(Words words, Parse(connection));
  for (const auto& [word, value] : defaults) words.try_emplace(word, value);
  for (const auto& [word, value] : forced) words[word] = value;
  std::string complete;
  for (const auto& [word, value] : words) absl::StrAppend(&complete, word, "=", Quoted(value), " ");
  return complete;
}

absl::Status CheckConnectionString(const std::string& connection) {
  return CompleteConnectionString(connection, {}, {}).status();
}

absl::Status CheckPostgresSchemaName(std::string_view schema) {
  const bool is_sound = !schema.empty() && schema.size() <= kMaxSchemaSize &&
                        !(schema[0] >= '0' && schema[0] <= '9') && !schema.starts_with("pg_") &&
                        std::all_of(schema.begin(), schema.end(), [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                        });
  if (is_sound) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_SCHEMA_NAME",
               absl::StrCat("schema: ", ToAbsl(schema),
                            " is no name of at most 32 of a-z, 0-9 and _ that begins with neither "
                            "a digit nor pg_"));
}

}  // namespace kantoku::platform
