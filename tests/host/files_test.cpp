// Files, folders and volumes on a real file system.
#include "host/files.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "host/process.hpp"
#include "host/scratch.hpp"
#include "host/unique_name.hpp"
#include "nutshell/error.hpp"

namespace fs = std::filesystem;
using namespace nutshell;
using namespace nutshell::host;

namespace {
unsigned rights(const std::string& path) {
  struct stat facts {};
  ::stat(path.c_str(), &facts);
  return facts.st_mode & 07777;
}
std::size_t entries(const scratch::Folder& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder.path()), {}));
}
}  // namespace

TEST_CASE("a raw volume is sparse, private, and never made over anything") {
  const scratch::Folder folder;
  const std::string path = folder / "disk0.raw";
  CHECK_FALSE(make_volume(path, 3 * gibi, DiskFormat::raw, {}));
  struct stat facts {};
  REQUIRE(::stat(path.c_str(), &facts) == 0);
  CHECK(facts.st_size == static_cast<off_t>(3 * gibi));
  CHECK(facts.st_blocks == 0);
  CHECK(rights(path) == 0600);
  CHECK_THROWS_AS(make_volume(path, mebi, DiskFormat::raw, {}), Conflict);
  CHECK(fs::file_size(path) == 3 * gibi);
  drop_volume(path);
  CHECK_FALSE(fs::exists(path));
  CHECK_NOTHROW(drop_volume(path));
  fs::create_symlink("/dev/null", path);
  CHECK_THROWS_AS(make_volume(path, mebi, DiskFormat::raw, {}), Conflict);
  CHECK_THROWS_AS(drop_volume(path), Conflict);
}

TEST_CASE("a qcow2 volume, with a backing file, appears whole or not at all") {
  const scratch::Folder folder;
  const std::string base = folder / "base, \"1\".qcow2", top = folder / "top.qcow2";
  CHECK_FALSE(make_volume(base, gibi, DiskFormat::qcow2, {}));
  CHECK_FALSE(make_volume(top, 2 * gibi, DiskFormat::qcow2, {{base, DiskFormat::qcow2}}));
  CHECK(rights(top) == 0600);
  const ImageFacts image = look_at_image(top, DiskFormat::qcow2);
  CHECK(image.size == 2 * gibi);
  CHECK(image.qcow2);
  CHECK(image.backing == std::vector<BackingLayer>{{base, DiskFormat::qcow2}});
  CHECK_THROWS_AS(make_volume(top, gibi, DiskFormat::qcow2, {}), Conflict);
  CHECK_THROWS_AS(make_volume(folder / "bad.qcow2", gibi, DiskFormat::qcow2,
                              {{folder / "missing", DiskFormat::raw}}),
                  CommandFailed);
  CHECK(entries(folder) == 2);
}

TEST_CASE("a volume that can never fit is refused, one that does not fit now is warned of") {
  const scratch::Folder folder;
  struct statvfs space {};
  REQUIRE(::statvfs(folder.path().c_str(), &space) == 0);
  const Bytes whole = Bytes{space.f_blocks} * space.f_frsize;
  for (const DiskFormat format : {DiskFormat::raw, DiskFormat::qcow2}) {
    const std::string sentence =
        scratch::sentence_of([&] { make_volume(folder / "x", whole + mebi, format, {}); });
    CHECK(sentence.find("can ever hold") != std::string::npos);
  }
  CHECK_THROWS_AS((void)check_volume(folder / "not/yet/there/x", 1000000 * tebi), ConfigError);
  const auto warning = make_volume(folder / "y", whole - mebi, DiskFormat::raw, {});
  REQUIRE(warning);
  CHECK(warning->find("free now") != std::string::npos);
  CHECK_FALSE(check_volume(folder / "not/yet/there/x", mebi));
  CHECK_FALSE(fs::exists(folder / "x"));
}

TEST_CASE("a limit on file sizes is said, not died of") {
  const scratch::Folder folder;
  process::Child limited([&] {
    const rlimit limit{mebi, mebi};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      make_volume(folder / "x", 2 * mebi, DiskFormat::raw, {});
    } catch (const ConfigError&) {
      ::_exit(fs::exists(folder / "x") ? 1 : 42);
    }
  });
  CHECK(limited.wait() == 42);
}

TEST_CASE("folders are made exclusively, and removed only with what is known to be ours") {
  const scratch::Folder folder;
  const std::string path = folder / "m";
  make_directory(path);
  CHECK(rights(path) == 0700);
  CHECK_THROWS_AS(make_directory(path), Conflict);
  for (const char* name : {"lock", "spec.json", "1.log", "12.serial", ".nutshell-0123456789abcdef"})
    scratch::put(path + "/" + name, "x");
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s/qmp", path.c_str());
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);

  scratch::put(path + "/disk0.raw", "somebody's data");
  const std::string sentence = scratch::sentence_of([&] { drop_directory(path); });
  CHECK(sentence.find("disk0.raw") != std::string::npos);
  CHECK(fs::exists(path + "/spec.json"));  // nothing was removed
  fs::remove(path + "/disk0.raw");

  fs::remove(path + "/lock");
  fs::create_symlink("/etc/passwd", path + "/lock");
  CHECK_THROWS_AS(drop_directory(path), Conflict);
  fs::remove(path + "/lock");
  fs::create_directory(path + "/vnc");
  CHECK_THROWS_AS(drop_directory(path), Conflict);
  fs::remove(path + "/vnc");

  fs::create_symlink(path, folder / "link");
  CHECK_THROWS_AS(drop_directory(folder / "link"), Conflict);
  drop_directory(path);
  CHECK_FALSE(fs::exists(path));
  CHECK_NOTHROW(drop_directory(path));
  ::close(listener);
}

TEST_CASE("folders with their parents") {
  const scratch::Folder folder;
  make_directories(folder / "a/b/c");
  CHECK(rights(folder / "a") == 0700);
  CHECK(rights(folder / "a/b/c") == 0700);
  CHECK_NOTHROW(make_directories(folder / "a/b/c"));
  scratch::put(folder / "f", "");
  CHECK_THROWS_AS(make_directories(folder / "f/x"), Error);
  CHECK_THROWS_AS(make_directories(folder / "f"), Conflict);
  CHECK_THROWS_AS(make_directories("/proc/nutshell/x"), SystemError);
}

TEST_CASE("small files are replaced at once, copies are exclusive") {
  const scratch::Folder folder;
  const std::string path = folder / "spec.json";
  write_file(path, "one");
  write_file(path, std::string(100'000, 'x') + '\0');
  CHECK(read_file(path)->size() == 100'001);
  CHECK(rights(path) == 0600);
  write_file(path, "open", 0644);
  CHECK(rights(path) == 0644);
  CHECK(entries(folder) == 1);
  CHECK_FALSE(read_file(folder / "none"));
  CHECK_THROWS_AS(read_file(path, 3), Failed);
  CHECK_THROWS_AS(write_file(folder / "none/x", "x"), SystemError);

  copy_file(path, folder / "copy");
  CHECK(scratch::get(folder / "copy") == "open");
  CHECK(rights(folder / "copy") == 0600);
  CHECK_THROWS_AS(copy_file(path, folder / "copy"), Conflict);
  CHECK_THROWS_AS(copy_file(folder / "none", folder / "copy2"), SystemError);
  CHECK_THROWS_AS(copy_file(folder.path(), folder / "copy2"), Failed);
  CHECK_FALSE(fs::exists(folder / "copy2"));
  drop_file(folder / "copy");
  CHECK_NOTHROW(drop_file(folder / "copy"));
  CHECK_NOTHROW(drop_file(folder / "none/x"));
  CHECK_THROWS_AS(drop_file(folder.path()), Conflict);
}

TEST_CASE("half written files are swept, but not under whoever writes them") {
  const scratch::Folder folder;
  const Temporary mine = make_temporary(folder / "x", 0640);
  CHECK(rights(mine.path) == 0640);
  CHECK(is_unique_name(fs::path(mine.path).filename().string()));
  { const Temporary dead = make_temporary(folder / "x", 0600); }  // as a command that was killed
  scratch::put(folder / ".nutshell-short", "");
  fs::create_symlink("/etc/passwd", folder / ".nutshell-0123456789abcdef");
  CHECK(entries(folder) == 4);
  drop_temporaries(folder.path());
  CHECK(entries(folder) == 3);
  CHECK(fs::exists(mine.path));
  CHECK_NOTHROW(drop_temporaries(folder / "none"));
  CHECK_THROWS_AS(make_temporary(folder / "none/x", 0600), SystemError);

  std::atomic<bool> done = false;
  std::thread sweeper([&] {
    while (!done) drop_temporaries(folder.path());
  });
  for (int i = 0; i < 2000; ++i) write_file(folder / "written", std::to_string(i));
  done = true;
  sweeper.join();
  CHECK(scratch::get(folder / "written") == "1999");
}

TEST_CASE("a full disk leaves no half file") {
  if (!fs::exists("/dev/full")) return;
  CHECK_THROWS_AS(copy_file("/dev/full", "/tmp/never"), Failed);
  CHECK_FALSE(fs::exists("/tmp/never"));
}
