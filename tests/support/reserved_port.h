#ifndef KANTOKU_TESTS_SUPPORT_RESERVED_PORT_H_
#define KANTOKU_TESTS_SUPPORT_RESERVED_PORT_H_

#include <cstdint>
#include <string>

namespace kantoku::test {

// A port of this machine that stays ours: nobody is given it while the program that listens on it
// is away, and that program may always have it.
class ReservedPort {
 public:
  ReservedPort();
  ~ReservedPort();
  ReservedPort(const ReservedPort&) = delete;
  ReservedPort& operator=(const ReservedPort&) = delete;
  std::string address() const;

 private:
  int fd_ = -1;
  uint16_t port_ = 0;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_RESERVED_PORT_H_
