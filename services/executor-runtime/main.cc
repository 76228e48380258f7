#include "services/executor-runtime/program.h"

int main(int argc, char** argv) {
  return kantoku::executor::RunExecutorProgram("kantoku-executor", {argv + 1, argv + argc});
}
