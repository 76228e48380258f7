#include "services/executor-runtime/program.h"
#include "services/platform/process.h"

int main(int argc, char** argv) {
  kantoku::platform::SetUpProcess();
  return kantoku::executor::RunExecutorProgram("kantoku-executor", {argv + 1, argv + argc});
}
