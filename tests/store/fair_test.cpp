// Many processes want the one lock of the registry. None of them may wait for many times as long as
// it takes all of them to have one turn each.
#include <doctest/doctest.h>

#include <algorithm>
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
constexpr double most_rounds = 6;

double ms(Clock::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

/// Takes the lock again and again, as commands do that come one after another; tells how long each
/// wait was, in milliseconds.
std::string work(const Room& room, int me) {
  std::ostringstream waits;
  std::mt19937 random(static_cast<unsigned>(me));
  Registry registry = Registry::open(options(room));
  for (const auto end = Clock::now() + length; Clock::now() < end;) {
    const auto start = Clock::now();
    {
      Transaction t = registry.begin();
      waits << ms(Clock::now() - start) << " ";
      std::this_thread::sleep_for(hold);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % longest_pause_ms));
  }
  return waits.str();
}
}  // namespace

TEST_CASE("no one who waits for the registry is passed by all others again and again") {
  Room room(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  { Registry::open(options(room)).begin().commit(); }
  std::vector<Child> children;
  for (int me = 0; me < processes; ++me)
    children.emplace_back([&room, me](const std::function<void()>&) { return work(room, me); });
  std::vector<double> waits;
  for (Child& child : children) {
    std::istringstream told(child.answer());
    for (double wait = 0; told >> wait;) waits.push_back(wait);
  }
  REQUIRE(waits.size() > processes * 10);
  // What it takes until each has had one turn.
  const double round = ms(length) * processes / static_cast<double>(waits.size());
  const double longest = *std::max_element(waits.begin(), waits.end());
  MESSAGE(waits.size() << " turns, a round of all takes " << round << " ms, the longest wait was "
                       << longest << " ms: " << longest / round << " rounds");
  CHECK(longest < most_rounds * round);
}
