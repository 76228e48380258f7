#ifndef KANTOKU_TESTS_UNIT_EXECUTOR_RUNTIME_LEDGER_DESK_H_
#define KANTOKU_TESTS_UNIT_EXECUTOR_RUNTIME_LEDGER_DESK_H_

#include <catch2/catch.hpp>
#include <cstdint>
#include <string>

#include "services/executor-runtime/ledger.h"
#include "tests/support/dispatches.h"

namespace kantoku::executor {

using testing::DispatchOf;
using testing::IdOf;

using inputs::v1::PullRequest;

inline const Registration kPooled{.handler = nullptr, .run_inline = false};
inline const Registration kInline{.handler = nullptr, .run_inline = true};
inline constexpr absl::Duration kNow = absl::Seconds(100);

// A ledger and what is around it.
struct Desk {
  Ledger ledger{4};

  void Receive(uint64_t sequence, uint32_t dispatch = 1) {
    auto message = DispatchOf(sequence, dispatch);
    ledger.Receive(message, &kPooled, kNow);
  }
  HeldTaskPtr Running(uint64_t sequence) {
    Receive(sequence);
    return ledger.Begin(kNow);
  }
  HeldTaskPtr Putting(uint64_t sequence) {
    HeldTaskPtr task = Running(sequence);
    REQUIRE(ledger.End(task, kNow, Result{"done", ""}));
    return task;
  }
  HeldTaskPtr Acking(uint64_t sequence) {
    HeldTaskPtr task = Putting(sequence);
    ledger.OnReceipt(task, "receipt " + std::to_string(sequence));
    return task;
  }
  PullRequest Reports() {
    PullRequest request;
    ledger.FillReports(request);
    return request;
  }
  inputs::v1::Hello Hello() {
    inputs::v1::Hello hello;
    ledger.FillHello(hello);
    return hello;
  }
  void Control(uint64_t sequence, inputs::v1::HandlerAction action, uint32_t number = 0,
               absl::Duration now = kNow) {
    inputs::v1::HandlerControl control;
    control.set_task_id(IdOf(sequence));
    control.set_dispatch(1);
    control.set_action(action);
    control.set_number(number);
    ledger.OnControl(control, now);
  }
};

}  // namespace kantoku::executor

#endif  // KANTOKU_TESTS_UNIT_EXECUTOR_RUNTIME_LEDGER_DESK_H_
