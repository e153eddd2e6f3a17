// No SA_RESTART: whatever sleeps or polls wakes up, and looks.
#include "app/interrupt.hpp"

#include <signal.h>

#include "nutshell/error.hpp"

namespace nutshell {
namespace {
volatile sig_atomic_t flag = 0;
void raise_flag(int) { flag = 1; }
}  // namespace

void watch_interrupts() {
  struct sigaction action {};
  action.sa_handler = raise_flag;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

bool interrupted() { return flag != 0; }

void check_interrupt() {
  if (flag) throw Interrupted();
}

}  // namespace nutshell
