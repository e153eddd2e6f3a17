// An lvm that is absent, hangs, floods, prints nonsense, or fails when half of the work is done:
// each call ends in time, with one sentence, and nothing is left behind.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>

#include "host/loop_group.hpp"
#include "host/lvm.hpp"
#include "host/process.hpp"
#include "nutshell/error.hpp"

using namespace nutshell;
using namespace nutshell::host;

namespace {
const std::string tag = "nutshell.volume=11111111-2222-4333-8444-555555555555";
bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// An lvm of ours, first in PATH, as long as this lives. $real is the true one.
class Fake {
 public:
  explicit Fake(const std::string& body) : path_(std::getenv("PATH")) {
    std::filesystem::create_directory(folder_ / "bin");
    scratch::script(folder_ / "bin/lvm", "real=" + find_program("lvm").value() + "\n" + body);
    ::setenv("PATH", ((folder_ / "bin") + ":" + path_).c_str(), 1);
  }
  Fake(const Fake&) = delete;
  Fake& operator=(const Fake&) = delete;
  ~Fake() { ::setenv("PATH", path_.c_str(), 1); }
  std::string operator/(const std::string& name) const { return folder_ / name; }

 private:
  scratch::Folder folder_;
  std::string path_;
};
}  // namespace

TEST_CASE("an lvm that fails, floods or prints nonsense") {
  const struct {
    const char *body, *words;
  } all[] = {
      {"echo '  WARNING: something' >&2; echo '  Broken today.' >&2; exit 5", "Broken today"},
      {"exit 5", "lvm said nothing"},
      {"head -c 104857600 /dev/zero >&2; sleep 100", "printed more than"},
      {"head -c 104857600 /dev/zero; sleep 100", "printed more than"},
      {"kill -SEGV $$", "killed by signal"},
      {"echo '{\"report\": [ {\"pv\"'", "no report"},
      {"printf '\\033[2J'", "no report"},
      {"true", "no report"},
  };
  for (const auto& each : all) {
    const Fake fake(each.body);
    const auto start = std::chrono::steady_clock::now();
    const std::string sentence = scratch::sentence_of([] { observe_group({}, "vg01"); });
    CHECK_MESSAGE(has(sentence, each.words), sentence);
    CHECK(has(scratch::sentence_of([] { observe_lvm({}); }), each.words));
    CHECK(sentence.find('\n') == std::string::npos);
    CHECK(sentence.find('\x1b') == std::string::npos);
    CHECK(sentence.size() < 1200);
    CHECK(scratch::seconds_since(start) < 20);
  }
}

TEST_CASE("an ordinary user is told to be root") {
  process::Child child([] {
    if (::setuid(65534) != 0) ::_exit(9);
    const std::string sentence = scratch::sentence_of([] { observe_lvm({}); });
    ::_exit(has(sentence, "sudo") ? 0 : 1);
  });
  CHECK(child.wait() == 0);
}

TEST_CASE("an absent lvm names its package") {
  CHECK(package_of("lvm") == "lvm2");
  CHECK(package_of("/usr/sbin/dmsetup") == "dmsetup");
  CHECK(has(missing_program("lvm"), "apt install lvm2"));
}

TEST_CASE("an lvcreate that fails when the volume is made: it is taken away again") {
  const loop_group::Group group;
  const LvmPlace place{group.folder() / "cache", {}};
  const NewVolume wanted{{group.name(), "half"}, mebi, {}, tag};
  for (const char* end : {"echo '  Failed to wipe.' >&2; exit 5", "kill -KILL $$"}) {
    const Fake fake(std::string("if [ $1 = lvcreate ]; then $real \"$@\"; ") + end +
                    "; fi; exec $real \"$@\"");
    CHECK_THROWS_AS(make_lv(place, wanted), Failed);
    CHECK(observe_group(place, group.name()).volumes.empty());
  }
  {
    const Fake fake(
        "if [ $1 = lvcreate ]; then $real \"$@\"; exit 5; fi; [ $1 != lvremove ] || exit 5; exec "
        "$real \"$@\"");
    CHECK_FALSE(scratch::sentence_of([&] { make_lv(place, wanted); }).empty());
    CHECK(observe_group(place, group.name()).volumes.size() ==
          1);  // it could not: but it is marked
  }
  drop_lv(place, wanted.name, tag);
  make_lv(place, wanted);
  CHECK(observe_group(place, group.name()).volumes.size() == 1);
}

TEST_CASE("once its devices are noted, a group costs one call") {
  const loop_group::Group group;
  const LvmPlace place{group.folder() / "cache", {}};
  const Fake fake("echo \"$@\" >> " + (group.folder() / "calls") + "; exec $real \"$@\"");
  const auto calls = [&] {
    const std::string text = scratch::get(group.folder() / "calls");
    return std::count(text.begin(), text.end(), '\n');
  };
  observe_group(place, group.name());
  CHECK(calls() == 2);
  observe_group(place, group.name());
  CHECK(calls() == 3);
  CHECK_FALSE(scratch::sentence_of([&] { activate_lv(place, {group.name(), "none"}); }).empty());
  CHECK(calls() == 4);
  const std::string text = scratch::get(group.folder() / "calls");
  std::size_t limited = 0;
  for (std::size_t at = 0; (at = text.find("--devices " + group.disk(), at)) != std::string::npos;
       ++at)
    ++limited;
  CHECK(limited == 3);
  CHECK(has(text, "devices/scan_lvs=0"));
}

TEST_CASE("Ctrl-C ends a call that hangs") {
  struct sigaction action {
  }, before{};
  action.sa_handler = [](int) {};
  ::sigaction(SIGINT, &action, &before);
  {
    const Fake fake("kill -INT $PPID; exec sleep 1000");
    const auto start = std::chrono::steady_clock::now();
    CHECK_THROWS_AS(observe_group({}, "vg01"), Interrupted);
    CHECK_THROWS_AS(observe_lvm({}), Interrupted);
    CHECK(scratch::seconds_since(start) < 5);
  }
  {
    const loop_group::Group group;
    const LvmPlace place{group.folder() / "cache", {}};
    // The volume is made when the signal comes, and gone when the call is over.
    const Fake slow(
        "if [ $1 = lvcreate ]; then $real \"$@\"; kill -INT $PPID; exec sleep 1000; fi; exec $real "
        "\"$@\"");
    CHECK_THROWS_AS(make_lv(place, {{group.name(), "half"}, mebi, {}, tag}), Interrupted);
    CHECK(observe_group(place, group.name()).volumes.empty());
  }
  ::sigaction(SIGINT, &before, nullptr);
}

TEST_CASE("a call that hangs is ended, and says what may be the matter" * doctest::timeout(150)) {
  const Fake fake("trap '' TERM; while :; do sleep 1; done");
  const auto start = std::chrono::steady_clock::now();
  const std::string sentence = scratch::sentence_of([] { observe_group({}, "vg01"); });
  CHECK(has(sentence, "did not end within 60 s"));
  CHECK(has(sentence, "lock"));
  CHECK(scratch::seconds_since(start) < 90);
}
