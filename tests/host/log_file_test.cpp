// A log that grew beyond its limit keeps its end, its writer and its bytes' places.
#include "host/log_file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "host/fd.hpp"
#include "scratch.hpp"

using namespace nutshell;

TEST_CASE("a log of 14 MiB is cut to its last 10, while somebody writes it") {
  const scratch::Folder folder;
  const std::string path = folder / "1.serial";
  const host::Fd writer(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const std::string line = std::string(1023, 'x') + "\n";
  for (int i = 0; i < 14 * 1024; ++i)
    REQUIRE(write(writer.get(), line.data(), line.size()) == 1024);
  host::trim_log(path);
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK(status.st_size == 14 * 1024 * 1024);
  CHECK(static_cast<Bytes>(status.st_blocks) * 512 <= host::longest_log + mebi);
  REQUIRE(write(writer.get(), "end\n", 4) == 4);
  const host::Fd reader(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const long start = host::start_of_log(reader.get());
  CHECK(start >= 3 * 1024 * 1024);
  CHECK(start <= 4 * 1024 * 1024);
  CHECK(scratch::get(path).ends_with("x\nend\n"));
}

TEST_CASE("a short log, and none, are left alone") {
  const scratch::Folder folder;
  scratch::put(folder / "a", "text");
  host::trim_log(folder / "a");
  host::trim_log(folder / "missing");
  CHECK(scratch::get(folder / "a") == "text");
  const host::Fd reader(open((folder / "a").c_str(), O_RDONLY | O_CLOEXEC));
  CHECK(host::start_of_log(reader.get()) == 0);
}
