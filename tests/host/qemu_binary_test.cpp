// The real QEMU of this host, and scripts that pretend to be one.
#include "host/qemu_binary.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include "host/process.hpp"
#include "host/scratch.hpp"

namespace fs = std::filesystem;
using namespace nutshell;
using namespace nutshell::host;

namespace {
/// A QEMU of that version, which counts how often it is run.
std::string fake_qemu(const scratch::Folder& folder, const std::string& version,
                      const std::string& machines =
                          "pc   Standard PC (alias of pc-i440fx-9.9)\n"
                          "q35  Standard PC (alias of pc-q35-9.9)") {
  return scratch::script(folder / "qemu-fake",
                         "echo run >> " + (folder / "runs") +
                             "\ncase $1 in --version) echo 'QEMU emulator version " + version +
                             " (x)';; *) echo '" + machines + "';; esac\n");
}
std::size_t runs(const scratch::Folder& folder) { return scratch::get(folder / "runs").size() / 4; }
}  // namespace

TEST_CASE("the host's own QEMU, learnt once") {
  const scratch::Folder cache;
  const QemuLookup found = observe_qemu("", cache.path(), Notes::keep);
  REQUIRE_MESSAGE(found.qemu, found.trouble);
  CHECK(found.qemu->path == "/usr/bin/qemu-system-x86_64");
  CHECK(found.qemu->major >= 7);
  CHECK(found.qemu->pc_machine.find("pc-i440fx-") == 0);
  CHECK(found.qemu->q35_machine.find("pc-q35-") == 0);
  const auto start = std::chrono::steady_clock::now();
  constexpr int times = 200;
  for (int i = 0; i < times; ++i) CHECK(observe_qemu("", cache.path(), Notes::keep).qemu);
  MESSAGE("one look at a known QEMU: " << scratch::seconds_since(start) / times * 1e6 << " us");
  CHECK(scratch::seconds_since(start) / times < 0.002);
}

TEST_CASE("a binary is asked when it is new or has changed, and only then") {
  const scratch::Folder folder, cache;
  const std::string path = fake_qemu(folder, "8.1.0");
  const QemuLookup first = observe_qemu(path, cache.path(), Notes::keep);
  REQUIRE_MESSAGE(first.qemu, first.trouble);
  CHECK(first.qemu->version == "8.1.0");
  CHECK(first.qemu->minor == 1);
  CHECK(first.qemu->pc_machine == "pc-i440fx-9.9");
  CHECK(runs(folder) == 2);
  CHECK(observe_qemu(path, cache.path(), Notes::keep).qemu->q35_machine == "pc-q35-9.9");
  CHECK(runs(folder) == 2);
  fake_qemu(folder, "10.2.33");
  CHECK(observe_qemu(path, cache.path(), Notes::keep).qemu->major == 10);
  CHECK(runs(folder) == 4);

  const scratch::Folder untouched;
  CHECK(observe_qemu(path, untouched.path(), Notes::nothing).qemu);
  CHECK(fs::is_empty(untouched.path()));
  for (const auto& entry : fs::directory_iterator(cache.path()))
    scratch::put(entry.path(), "not.a\nnote\nx\nend\n");
  CHECK(observe_qemu(path, cache.path(), Notes::keep).qemu->major == 10);
}

TEST_CASE("what is no usable QEMU is said in one sentence") {
  const scratch::Folder folder;
  const auto trouble = [](const std::string& path) {
    const QemuLookup found = observe_qemu(path, "", Notes::nothing);
    CHECK_FALSE(found.qemu);
    CHECK(found.trouble.find('\n') == std::string::npos);
    return found.trouble;
  };
  const auto says = [](const std::string& sentence, const std::string& words) {
    CAPTURE(sentence);
    return sentence.find(words) != std::string::npos;
  };
  CHECK(says(trouble(fake_qemu(folder, "5.2.0")), "QEMU 5.2.0 at " + (folder / "qemu-fake") +
                                                      " is too old: nutshell needs 7.1 or later"));
  CHECK(says(trouble(fake_qemu(folder, "7.0.9")), "too old"));
  CHECK(says(trouble(fake_qemu(folder, "8.0.0", "virt  ARM Virtual Machine")), "x86"));
  CHECK(says(trouble("/bin/true"), "does not say a version"));
  CHECK(says(trouble("/bin/false"), "failed"));
  CHECK(says(trouble(folder / "none"), "is not there"));
  CHECK(says(trouble("no-such-qemu"), "no-such-qemu"));
  // Nothing in PATH and nowhere else: in a child, because the environment is everybody's.
  if (!fs::exists("/usr/libexec/qemu-kvm")) {
    process::Child child([&] {
      const std::string empty = folder / "empty";
      fs::create_directory(empty);
      ::setenv("PATH", empty.c_str(), 1);
      // The fixed folders are still looked through, so the host's own is found.
      ::_exit(observe_qemu("", "", Notes::nothing).qemu ? 42 : 1);
    });
    CHECK(child.wait() == 42);
  }
}

TEST_CASE("version lines and machine lists of several makers") {
  QemuFact qemu;
  CHECK(parse_qemu_version("QEMU emulator version 9.0.0 (qemu-kvm-9.0.0-10.el9_5)\nCopyright\n",
                           qemu));
  CHECK(qemu.version == "9.0.0");
  CHECK(parse_qemu_version("QEMU emulator version 10.1", qemu));
  CHECK(qemu.minor == 1);
  CHECK_FALSE(parse_qemu_version("QEMU emulator version x", qemu));
  CHECK_FALSE(parse_qemu_version("", qemu));
  parse_qemu_machines(
      "Supported machines are:\n"
      "pc                   RHEL 7.6.0 PC (i440FX + PIIX, 1996) (alias of pc-i440fx-rhel7.6.0)\n"
      "pc-i440fx-rhel7.6.0  RHEL 7.6.0 PC (i440FX + PIIX, 1996) (default) (deprecated)\n"
      "q35                  RHEL-9.4.0 PC (Q35 + ICH9, 2009) (alias of pc-q35-rhel9.4.0)\n"
      "none                 empty machine\n",
      qemu);
  CHECK(qemu.pc_machine == "pc-i440fx-rhel7.6.0");
  CHECK(qemu.q35_machine == "pc-q35-rhel9.4.0");
}
