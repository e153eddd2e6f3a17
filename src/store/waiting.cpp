// SQLite has no queue of those who wait for its lock: whoever looks at the right moment has it. So
// the longer one has waited, the more often one looks, and a newcomer lets the others go first;
// with steps that only grow, whoever came late would be served before whoever came early.
#include "store/waiting.hpp"

#include <algorithm>
#include <thread>

namespace nutshell::store {

namespace {
using std::chrono::microseconds;
using Clock = std::chrono::steady_clock;
constexpr microseconds longest{12'000}, shortest{500};
}  // namespace

microseconds pause_after(microseconds waited, unsigned random) {
  // The first look comes soon, as most locks are short.
  if (waited < microseconds(1'000)) return microseconds(1'000 + random % 2'000);
  // After 50 ms every 12, after a second about every one.
  const microseconds step(600'000'000 / waited.count());
  const microseconds pause = std::clamp(step, shortest, longest);
  // Uneven, so that many waiters do not come back all at once.
  return pause / 2 + microseconds(random % static_cast<unsigned>(pause.count()));
}

bool Connection::Waiting::once_more(int count) {
  const auto now = Clock::now();
  if (count == 0) {
    since = now;
    noticed = false;
  }
  const auto waited = std::chrono::duration_cast<microseconds>(now - since);
  if (waited >= std::chrono::milliseconds(wait.limit_ms)) return false;
  if (!noticed && waited >= std::chrono::milliseconds(wait.notice_ms) && wait.notice) {
    noticed = true;
    wait.notice("waiting for another command that is writing the registry");
  }
  const auto random = static_cast<unsigned>(now.time_since_epoch().count() / 1000);
  std::this_thread::sleep_for(pause_after(waited, random));
  return true;
}

}  // namespace nutshell::store
