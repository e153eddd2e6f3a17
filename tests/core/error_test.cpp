// Errors: the sentence, the exit code, and nothing in it that a terminal would obey.
#include "nutshell/error.hpp"

#include <doctest/doctest.h>

#include <cerrno>

#include "core/problems.hpp"

using namespace nutshell;

TEST_CASE("one problem is one line, several are a line each") {
  CHECK(std::string(ConfigError("--disk", "no size").what()) == "--disk: no size");
  const ConfigError both(Problems{{"a.toml:1", "first"}, {"a.toml:7", "second"}});
  CHECK(std::string(both.what()) == "a.toml:1: first\na.toml:7: second");
  CHECK(both.problems().size() == 2);
  CHECK(both.exit() == Exit::bad_spec);
  CHECK(std::string(ConfigError("", "no place").what()) == "no place");
}

TEST_CASE("what came from outside is made printable") {
  CHECK(std::string(ConfigError("a\nb", "\x1b[2J").what()) == "a\\x0ab: \\x1b[2J");
  CHECK(contains(SystemError(ENOENT, "disk /x\x1b: cannot open").what(), "/x\\x1b"));
}

TEST_CASE("a system error appends what the number means") {
  const SystemError error(ENOENT, "disk /x: cannot open");
  CHECK(std::string(error.what()) == "disk /x: cannot open: No such file or directory");
  CHECK(error.code() == ENOENT);
  CHECK(error.exit() == Exit::failed);
}

TEST_CASE("a failed program shows its line as a shell reads it, its end and its stderr") {
  const CommandFailed error({"qemu-img", "create", "a b.img"}, "exit 1",
                            "qemu-img: no space\r\n\nbye\x1b\n");
  CHECK(std::string(error.what()) ==
        "qemu-img create 'a b.img' failed (exit 1): qemu-img: no space; bye\\x1b");
  CHECK(error.argv().size() == 3);
  CHECK(contains(CommandFailed({"x"}, "signal 9", "").what(), "said nothing"));
  const CommandFailed flood({std::string(100000, 'x')}, "exit 1", "y");
  CHECK(std::string(flood.what()).size() < 500);
}

TEST_CASE("each error has the exit code of the manual") {
  CHECK(UsageError("x").exit() == Exit::usage);
  CHECK(Exhausted("x").exit() == Exit::conflict);
  CHECK(Conflict("x").exit() == Exit::conflict);
  CHECK(NotFound("x").exit() == Exit::not_found);
  CHECK(WaitNotMet("x").exit() == Exit::wait_not_met);
  CHECK(Interrupted().exit() == Exit::interrupted);
  CHECK(Failed("x").exit() == Exit::failed);
}
