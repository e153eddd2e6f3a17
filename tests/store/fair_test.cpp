// Many processes want the one lock of the registry. While one of them waits, the others may not
// have many turns each. Turns are counted, not time: a machine that stands still makes nobody
// unfair.
#include <doctest/doctest.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <sstream>
#include <thread>

#include "child.hpp"
#include "room.hpp"

using namespace store_test;
using Clock = std::chrono::steady_clock;

namespace {
constexpr int processes = 24;
constexpr std::chrono::milliseconds length(4'000), hold(4);
constexpr int longest_pause_ms = 20;
constexpr int most_rounds = 6;

/// The number of turns that all of them had so far, which all of them see.
class Turns {
 public:
  Turns()
      : count_(static_cast<std::atomic<int>*>(::mmap(nullptr, sizeof(std::atomic<int>),
                                                     PROT_READ | PROT_WRITE,
                                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    REQUIRE(count_ != MAP_FAILED);
  }
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;
  ~Turns() { ::munmap(count_, sizeof *count_); }
  std::atomic<int>& count() const { return *count_; }

 private:
  std::atomic<int>* count_;
};

/// Takes the lock again and again, as commands do that come one after another; tells how many turns
/// the others had during each wait.
std::string work(const Room& room, const Turns& turns, int me) {
  std::ostringstream passed;
  std::mt19937 random(static_cast<unsigned>(me));
  Registry registry = Registry::open(options(room));
  for (const auto end = Clock::now() + length; Clock::now() < end;) {
    const int before = turns.count();
    {
      Transaction t = registry.begin();
      passed << turns.count()++ - before << " ";
      std::this_thread::sleep_for(hold);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % longest_pause_ms));
  }
  return passed.str();
}
}  // namespace

TEST_CASE("no one who waits for the registry is passed by all others again and again") {
  Room room(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  { Registry::open(options(room)).begin().commit(); }
  const Turns turns;
  std::vector<Child> children;
  for (int me = 0; me < processes; ++me)
    children.emplace_back([&, me](const std::function<void()>&) { return work(room, turns, me); });
  std::vector<int> passed;
  for (Child& child : children) {
    std::istringstream told(child.answer());
    for (int turns_of_others = 0; told >> turns_of_others;) passed.push_back(turns_of_others);
  }
  REQUIRE(passed.size() == static_cast<std::size_t>(turns.count()));
  REQUIRE(passed.size() > processes * 5);
  const int most = *std::max_element(passed.begin(), passed.end());
  MESSAGE(passed.size() << " turns of " << processes << ", at most " << most
                        << " of others during one wait");
  CHECK(most < most_rounds * processes);
}
