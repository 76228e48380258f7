// Defaults of the sanitizers for every program of a sanitizer build; an environment variable such
// as ASAN_OPTIONS still overrides them.

// NOLINTBEGIN(bugprone-reserved-identifier): the sanitizers' runtimes look for these names.
extern "C" {

const char* __asan_default_options() {
  return "strict_string_checks=1:detect_stack_use_after_return=1:check_initialization_order=1:"
         "abort_on_error=0";
}

const char* __ubsan_default_options() { return "print_stacktrace=1:halt_on_error=1"; }

// libpqxx 6 forgets the answer of a statement in which the connection broke: 2 kB each time.
const char* __lsan_default_suppressions() { return "leak:libpqxx-6\n"; }

// Debian's gRPC, Protobuf and Abseil are not instrumented: what they intercept tells nothing about
// our code.
const char* __tsan_default_options() {
  return "halt_on_error=1:second_deadlock_stack=1:ignore_noninstrumented_modules=1";
}

// What cmake/tsan_ignore.txt cannot name: templates of the standard library that gRPC's headers use
// for its own objects. None of these frames ever calls code of ours.
const char* __tsan_default_suppressions() {
  return "race:grpc::internal::CallOp\n"
         "race:grpc::internal::InterceptorBatchMethodsImpl\n"
         "race_top:std::function<void (bool)>::\n"
         "race_top:_M_empty\n"
         "race_top:std::_Any_data\n"
         "race:InternalBind\n"
         "race:SetupReactor(\n"
         "race:~CallbackWithSuccessTag(\n"
         "race:~ServerCallback\n";
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier)
