// What a command costs the disk: one sync for its commit, none for its journal. The program's own
// fdatasync stands before libc's, so that those of SQLite are counted.
#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "room.hpp"

namespace {
int syncs = 0;
}
extern "C" int fdatasync(int fd) {
  ++syncs;
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}
extern "C" int fsync(int fd) {
  ++syncs;
  return static_cast<int>(syscall(SYS_fsync, fd));
}

using namespace store_test;

TEST_CASE("a command syncs once, at its commit; its journal rows and a look never do") {
  Room room;
  Plan plan{"launch", uuid(1), OnFailure::undo, {HoldMachine{uuid(1), "ciab"}}};
  {
    Registry registry = Registry::open(options(room));
    Transaction t = registry.begin();
    t.add_machine(row(1, "ciab"));
    t.commit();
  }
  CHECK(syncs > 0);  // they are seen at all
  for (int i = 0; i < 3; ++i) {
    syncs = 0;
    Registry registry = Registry::open(options(room));
    Transaction t = registry.begin();
    t.allocator().take(uuid(1), {any("mac", i), any("tap", i, Lifetime::run)}, {});
    auto id = t.journal(plan, 1, 1, "");
    CHECK(syncs == 0);
    t.commit();
    CHECK(syncs == 1);
    registry.begun(id, 0);
    registry.done(id, 0);
    registry.finished(id);
    registry.set_process(uuid(1), 1, 1);
    { Registry looking = Registry::open(options(room, Registry::Mode::look)); }
    CHECK(syncs == 1);
  }
}
