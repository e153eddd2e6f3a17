// Locks, seen from other processes: that is what they are for.
#include "host/lock.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "host/process.hpp"
#include "host/scratch.hpp"
#include "nutshell/error.hpp"

using namespace nutshell::host;
using namespace std::chrono_literals;
using nutshell::Conflict;
using nutshell::SystemError;

TEST_CASE("an operation lock is exclusive between processes, and freed by their death") {
  const scratch::Folder folder;
  const std::string path = folder / "operation.lock";
  process::Child other([&] {
    const Lock lock = Lock::exclusive(path, 1s, "machine a");
    scratch::put(folder / "taken", "");
    ::pause();
  });
  REQUIRE(scratch::soon([&] { return std::filesystem::exists(folder / "taken"); }));
  CHECK_FALSE(Lock::try_exclusive(path).has_value());
  const auto start = std::chrono::steady_clock::now();
  const std::string sentence =
      scratch::sentence_of([&] { (void)Lock::exclusive(path, 100ms, "machine a"); });
  CHECK(scratch::seconds_since(start) >= 0.1);
  CHECK(scratch::seconds_since(start) < 2);
  CHECK(sentence.find("machine a: ") == 0);
  CHECK(sentence.find("process " + std::to_string(other.pid())) != std::string::npos);
  CHECK_THROWS_AS((void)Lock::exclusive(path, 0ms, "machine a"), Conflict);
  other.kill();
  CHECK(Lock::try_exclusive(path).has_value());
}

TEST_CASE("a lock is waited for") {
  const scratch::Folder folder;
  const std::string path = folder / "lock";
  process::Child other([&] {
    const Lock lock = Lock::exclusive(path, 1s, "x");
    scratch::put(folder / "taken", "");
    std::this_thread::sleep_for(200ms);
  });
  REQUIRE(scratch::soon([&] { return std::filesystem::exists(folder / "taken"); }));
  CHECK_NOTHROW((void)Lock::exclusive(path, 20s, "x"));
  CHECK(other.wait() == 0);
}

TEST_CASE(
    "a lock on a file that was removed meanwhile is not taken for the lock of its successor") {
  const scratch::Folder folder;
  const std::string path = folder / "lock";
  auto first = Lock::try_exclusive(path);
  REQUIRE(first);
  std::filesystem::remove(path);
  auto second = Lock::try_exclusive(path);
  CHECK(second.has_value());
  first.reset();
  CHECK_FALSE(Lock::try_exclusive(path).has_value());
  CHECK_THROWS_AS((void)Lock::try_exclusive(folder / "gone/lock"), SystemError);
}

TEST_CASE("the lock of a folder whose machine was removed says that there is none") {
  const scratch::Folder folder;
  try {
    (void)Lock::exclusive(folder / "gone/lock", 1s, "x");
    FAIL("it was taken");
  } catch (const SystemError& error) {
    CHECK(error.code() == ENOENT);
  }
}

TEST_CASE("liveness: held through fork and exec, by a process that never heard of locks") {
  const scratch::Folder folder;
  const std::string path = folder / "lock";
  CHECK_FALSE(is_held(path));  // no such file
  CHECK_FALSE(std::filesystem::exists(path));
  Fd lock = open_locked(path);
  CHECK(is_held(path));
  CHECK_THROWS_AS((void)open_locked(path), Conflict);
  CHECK((::fcntl(lock.get(), F_GETFD) & FD_CLOEXEC) != 0);
  process::Child sleeper([&] {
    ::fcntl(lock.get(), F_SETFD, 0);
    ::execlp("sleep", "sleep", "1000", nullptr);
  });
  REQUIRE(scratch::soon([&] {
    return scratch::get("/proc/" + std::to_string(sleeper.pid()) + "/comm") == "sleep\n";
  }));
  lock.reset();
  CHECK(is_held(path));
  sleeper.kill();
  CHECK_FALSE(is_held(path));
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("asking takes nothing: eight askers never see one another") {
  const scratch::Folder folder;
  const std::string path = folder / "lock";
  open_locked(path).reset();
  std::atomic<int> lies = 0;
  std::vector<std::thread> askers;
  for (int i = 0; i < 8; ++i) {
    askers.emplace_back([&] {
      for (int n = 0; n < 2000; ++n) lies += is_held(path);
    });
  }
  for (std::thread& each : askers) each.join();
  CHECK(lies == 0);
}
