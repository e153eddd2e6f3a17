// Ctrl-C and SIGTERM as a flag that is looked at between steps, so that they take the same way back
// as any failure.
#pragma once

namespace nutshell {

/// Installs the handlers (SIGINT, SIGTERM; SIGPIPE is ignored).
void watch_interrupts();
[[nodiscard]] bool interrupted();
/// Throws Interrupted if the flag is set.
void check_interrupt();

}  // namespace nutshell
