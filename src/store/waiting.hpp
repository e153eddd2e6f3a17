// How a connection waits for a lock that another one has.
#pragma once
#include <chrono>

#include "store/sqlite.hpp"

namespace nutshell::store {

struct Connection::Waiting {
  Wait wait;
  std::chrono::steady_clock::time_point since;
  bool noticed = false;

  /// Sleeps a little; false when the limit is reached. `count` is 0 at the start of each wait.
  bool once_more(int count);
  /// once_more() as SQLite calls it.
  static int on_busy(void* waiting, int count) {
    return static_cast<Waiting*>(waiting)->once_more(count) ? 1 : 0;
  }
};

/// How long to sleep before the next look at a lock, by how long it has been waited for.
std::chrono::microseconds pause_after(std::chrono::microseconds waited, unsigned random);

}  // namespace nutshell::store
