// Zeroing, read back byte by byte; and disks that a group could be enlarged with.
#include <doctest/doctest.h>
#include <sys/mount.h>

#include "host/fd.hpp"
#include "host/loop_group.hpp"
#include "host/lvm.hpp"
#include "nutshell/error.hpp"

using namespace nutshell;
using namespace nutshell::host;

namespace {
std::string content(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(1 + i % 251);
  return text;
}
std::string wiped(std::string text, std::size_t first, std::size_t last) {
  std::fill_n(text.begin(), std::min(first, text.size()), '\0');
  std::fill_n(text.rbegin(), std::min(last, text.size()), '\0');
  return text;
}
void put_on(const std::string& device, const std::string& text) {
  const Fd fd(::open(device.c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  REQUIRE(::fsync(fd.get()) == 0);
}
}  // namespace

TEST_CASE("a file: the beginning and the end, or all") {
  const scratch::Folder folder;
  const std::string path = folder / "disk", before = content(40 * mebi + 512);
  scratch::put(path, before);
  Bytes last_done = 0, last_total = 0;
  int times = 0;
  wipe(path, mebi, [&](Bytes done, Bytes total) { last_done = done, last_total = total, ++times; });
  CHECK(scratch::get(path) == wiped(before, mebi, mebi));
  CHECK(last_done == 2 * mebi);
  CHECK(last_total == 2 * mebi);
  times = 0;
  wipe(path, 0, [&](Bytes done, Bytes total) { last_done = done, last_total = total, ++times; });
  CHECK(scratch::get(path) == std::string(before.size(), '\0'));
  CHECK(last_done == before.size());
  CHECK(last_total == before.size());
  CHECK(times == 3);
}

TEST_CASE("small ones, and more than there is") {
  const scratch::Folder folder;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{4097}, std::size_t{mebi + 5}}) {
    for (const Bytes bytes : {Bytes{0}, Bytes{1}, mebi, 2 * mebi, ~Bytes{0}}) {
      scratch::put(folder / "x", content(size));
      wipe(folder / "x", bytes, {});
      const std::size_t first =
          bytes == 0 ? size : static_cast<std::size_t>(std::min<Bytes>(bytes, size));
      CHECK(scratch::get(folder / "x") ==
            wiped(content(size), first, std::min<std::size_t>(mebi, size - first)));
    }
  }
}

TEST_CASE("a device, and where the file system cannot zero a range") {
  const scratch::Folder folder;
  {
    const std::string before = content(24 * mebi);
    scratch::put(folder / "backing", before);
    const loop_group::Loop loop(folder / "backing", 0);
    CHECK_THROWS_AS(wipe(loop.path(), 0, [](Bytes, Bytes) { throw Interrupted(); }), Interrupted);
    CHECK(scratch::get(loop.path()) == wiped(before, 16 * mebi, 0));
    put_on(loop.path(), before);
    wipe(loop.path(), mebi, {});
    CHECK(scratch::get(loop.path()) == wiped(before, mebi, mebi));
    wipe(loop.path(), 0, {});
    CHECK(scratch::get(loop.path()) == std::string(before.size(), '\0'));
  }
  const std::string path =
      "/dev/shm/nutshell-wipe-" + std::to_string(::getpid());  // tmpfs has no ZERO_RANGE
  scratch::put(path, content(3 * mebi + 100));
  wipe(path, 0, {});
  CHECK(scratch::get(path) == std::string(3 * mebi + 100, '\0'));
  ::unlink(path.c_str());
}

TEST_CASE("what is not there, not a disk, or in use") {
  const scratch::Folder folder;
  CHECK_THROWS_AS(wipe(folder / "none", 0, {}), SystemError);
  CHECK_THROWS_AS(wipe(folder.path(), 0, {}), Conflict);
  CHECK_THROWS_AS(wipe("/dev/null", 0, {}), Conflict);
  const loop_group::Loop loop(folder / "backing", 16 << 20);
  const Fd mine(
      ::open(loop.path().c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));  // as a mount claims it
  REQUIRE(mine.get() >= 0);
  CHECK_THROWS_AS(wipe(loop.path(), 0, {}), Conflict);
}

TEST_CASE("somebody's file is not zeroed through a link, nor by its other name") {
  const scratch::Folder folder;
  const std::string before(mebi, 'x');
  scratch::put(folder / "precious", before);
  std::filesystem::create_symlink(folder / "precious", folder / "link");
  const auto refused = [&](const std::string& path, const std::string& word) {
    const std::string said = scratch::sentence_of([&] { wipe(path, 0, {}); });
    CHECK_MESSAGE(said.find(word) != std::string::npos, said);
    CHECK_THROWS_AS(wipe(path, 0, {}), Conflict);
    CHECK(scratch::get(folder / "precious") == before);
  };
  refused(folder / "link", "is a link");
  std::filesystem::create_hard_link(folder / "precious", folder / "second");
  refused(folder / "second", "is one of 2 names");
  refused(folder / "precious", "is one of 2 names");
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  refused(folder / "fifo", "neither");
  refused("/dev/null", "no block device");
  // By way of /dev, a link to a file, and a way out of it.
  const std::string link = "/dev/nutshell-wipe-" + std::to_string(::getpid());
  std::filesystem::create_symlink(folder / "precious", link);
  refused(link, "no block device");
  ::unlink(link.c_str());
  refused("/dev/.." + (folder / "link"), "is a link");
}

TEST_CASE("the holes of a file stay holes") {
  const scratch::Folder folder;
  scratch::put(folder / "disk", std::string(mebi, 'x'));
  std::filesystem::resize_file(folder / "disk", gibi);
  const auto room = [&] {
    struct stat facts {};
    REQUIRE(::stat((folder / "disk").c_str(), &facts) == 0);
    return static_cast<Bytes>(facts.st_blocks) * 512;
  };
  const Bytes before = room();
  REQUIRE(before < 8 * mebi);
  Bytes last = 0;
  wipe(folder / "disk", 0, [&](Bytes done, Bytes) { last = done; });
  CHECK(last == gibi);
  CHECK(room() <= before);
  CHECK(scratch::get(folder / "disk").find_first_not_of('\0') == std::string::npos);
}

TEST_CASE("a disk to enlarge a group with is large enough, and empty") {
  const scratch::Folder folder;
  const Bytes size = 3 * tebi;
  const loop_group::Loop loop(folder / "backing", size);
  const std::string found = spare_device(size);
  CHECK(found.starts_with("/dev/loop"));  // ours, or that of the same test beside us
  CHECK(spare_device(200 * tebi).empty());
  SUBCASE("a signature at the beginning") { put_on(loop.path(), std::string(1024, 'x')); }
  SUBCASE("one at the end") {
    const Fd fd(::open(loop.path().c_str(), O_WRONLY | O_CLOEXEC));
    REQUIRE(::pwrite(fd.get(), "x", 1, static_cast<off_t>(size - 5000)) == 1);
  }
  SUBCASE("a program that writes there") {
    const Fd fd(::open(loop.path().c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
    CHECK(spare_device(size) != loop.path());
    return;
  }
  CHECK(spare_device(size) != loop.path());
}
