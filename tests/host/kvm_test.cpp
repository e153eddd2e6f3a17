// KVM as this host has it, whatever that is; and the sentence for each way in which it can be
// missing.
#include "host/kvm.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "host/note.hpp"
#include "host/process.hpp"
#include "host/scratch.hpp"

namespace fs = std::filesystem;
using namespace nutshell;
using namespace nutshell::host;

namespace {
bool says(const std::string& sentence, const std::string& words) {
  CAPTURE(sentence);
  return sentence.find(words) != std::string::npos;
}
/// Up to the layer that is spoilt by the test.
KvmFact working() {
  return {.node = true,
          .open_errno = 0,
          .api_version = 12,
          .create_vm_errno = 0,
          .supported_nested = true,
          .cpu_flag = true,
          .runs_guest = true,
          .trouble = {}};
}
constexpr CpuFact intel{CpuVendor::intel, true, true}, amd{CpuVendor::amd, true, true};
}  // namespace

TEST_CASE("each layer of KVM has its own sentence") {
  CHECK(kvm_trouble(working(), amd, "kvm").empty());
  KvmFact kvm = working();
  kvm.runs_guest = false;
  CHECK(says(kvm_trouble(kvm, amd, "kvm"), "does not run them"));
  CHECK(says(kvm_trouble(kvm, {CpuVendor::amd, false, false}, "kvm"), "no vmx or svm flag"));
  kvm.create_vm_errno = EBUSY;
  CHECK(says(kvm_trouble(kvm, amd, "kvm"), "another hypervisor"));
  kvm.create_vm_errno = ENOMEM;
  CHECK(says(kvm_trouble(kvm, amd, "kvm"), "makes no VM"));
  kvm.api_version = 11;
  CHECK(says(kvm_trouble(kvm, amd, "kvm"), "version 11"));
  kvm.open_errno = EACCES;
  CHECK(says(kvm_trouble(kvm, amd, "virt"), "usermod -aG virt"));
  kvm.open_errno = EMFILE;
  CHECK(says(kvm_trouble(kvm, amd, "kvm"), "cannot be opened"));
  kvm.open_errno = ENOENT;
  kvm.node = false;
  CHECK(says(kvm_trouble(kvm, intel, "kvm"), "modprobe kvm_intel"));
  CHECK(says(kvm_trouble(kvm, amd, "kvm"), "modprobe kvm_amd"));
  CHECK(says(kvm_trouble(kvm, {CpuVendor::intel, true, false}, "kvm"), "firmware"));
  CHECK(says(kvm_trouble(kvm, {CpuVendor::intel, false, false}, "kvm"), "no virtualization"));
}

TEST_CASE("the trial ends in time, leaves no process, and its outcome is remembered") {
  const scratch::Folder folder;
  const std::string cache = folder / "cache/of/ours";
  const auto start = std::chrono::steady_clock::now();
  const KvmFact first = observe_kvm(cache, Notes::keep);
  CHECK(scratch::seconds_since(start) < 5);
  CHECK(first.usable() == first.trouble.empty());
  CHECK(first.node == fs::exists("/dev/kvm"));
  if (first.usable()) CHECK(first.runs_guest);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  if (first.open_errno != 0 || first.create_vm_errno != 0) return;  // nothing worth a note

  REQUIRE(read_note(cache, "kvm").has_value());
  const auto again = std::chrono::steady_clock::now();
  const KvmFact second = observe_kvm(cache, Notes::keep);
  CHECK(scratch::seconds_since(again) < 0.2);
  CHECK(second.runs_guest == first.runs_guest);
  CHECK(second.trouble == first.trouble);

  // A note of another boot, or a damaged one, is not believed.
  auto note = *read_note(cache, "kvm");
  const bool ran = note[2] == "0";
  note[2] = ran ? "62" : "0";
  write_note(cache, "kvm", note);
  CHECK(observe_kvm(cache, Notes::nothing).runs_guest != first.runs_guest);
  note[0] += "x";
  write_note(cache, "kvm", note);
  CHECK(observe_kvm(cache, Notes::nothing).runs_guest == first.runs_guest);
  CHECK((*read_note(cache, "kvm"))[0] == note[0]);  // a dry run wrote nothing
}

TEST_CASE("a trial that cannot end is killed") {
  const auto start = std::chrono::steady_clock::now();
  const KvmTrial trial = try_kvm(0);  // no guest ends in no time
  CHECK(scratch::seconds_since(start) < 2);
  CHECK(trial.run_errno != 0);
}

TEST_CASE("notes: whole or not at all, and their loss is no error") {
  const scratch::Folder folder;
  CHECK_FALSE(read_note(folder.path(), "x"));
  write_note(folder.path(), "x", {"a", "", "b c"});
  CHECK(*read_note(folder.path(), "x") == std::vector<std::string>{"a", "", "b c"});
  const std::string text = scratch::get(folder / "x");
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    scratch::put(folder / "x", text.substr(0, cut));
    CHECK_FALSE(read_note(folder.path(), "x"));
  }
  CHECK_NOTHROW(write_note("/proc/nutshell", "x", {"a"}));
  CHECK_NOTHROW(write_note("", "x", {"a"}));
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
}
