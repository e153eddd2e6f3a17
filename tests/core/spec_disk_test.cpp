// --disk: every key, every way to get it wrong, and the comma rule.
#include <doctest/doctest.h>

#include "core/problems.hpp"
#include "nutshell/spec.hpp"

using namespace nutshell;

namespace {
DiskSpec good(const std::string& text) {
  Problems problems;
  DiskSpec disk = parse_disk(text, "--disk", problems);
  CHECK_MESSAGE(problems.empty(), text << " -> " << text_of(problems));
  return disk;
}
std::string refused(const std::string& text) {
  Problems problems;
  parse_disk(text, "--disk", problems);
  for (const Problem& problem : problems) CHECK(problem.where == "--disk");
  return text_of(problems);
}
bool only(const std::string& said, const std::string& part) {
  return contains(said, part) && !contains(said, "\n");
}
}  // namespace

TEST_CASE("a size makes a volume, a path uses what is there") {
  CHECK(good("100G").size == 100 * gibi);
  CHECK(good("100G").ours());
  CHECK(good("size=1G").size == gibi);
  CHECK(good("bus=ide,size=1G").bus == DiskBus::ide);
  const DiskSpec disk = good("path=/dev/vg01/ciab");
  CHECK_FALSE(disk.ours());
  CHECK(disk.path == "/dev/vg01/ciab");
  CHECK(disk.format == DiskFormat::raw);
  CHECK_FALSE(disk.format_named);
  CHECK(good("path=images/a.img").path == "images/a.img");
}

TEST_CASE("all keys") {
  const DiskSpec disk =
      good("2G,bus=scsi,format=qcow2,cache=none,aio=native,discard=off,read_only=on");
  CHECK(disk.bus == DiskBus::scsi);
  CHECK(disk.format == DiskFormat::qcow2);
  CHECK(disk.format_named);
  CHECK(disk.cache == CacheMode::none);
  CHECK(disk.aio == AioMode::native);
  CHECK_FALSE(disk.discard);
  CHECK(disk.read_only);
  CHECK(good("1G,ro").read_only);
  CHECK(good("1G,read_only").read_only);
  CHECK_FALSE(good("1G,ro=off").read_only);
  CHECK(good("1G").discard);
}

TEST_CASE("a backing file implies qcow2 and its format is named") {
  const DiskSpec disk = good("10G,backing=/img/base.raw,backing_format=raw");
  CHECK(disk.format == DiskFormat::qcow2);
  REQUIRE(disk.backing.size() == 1);
  CHECK(disk.backing[0] == BackingLayer{"/img/base.raw", DiskFormat::raw});
  CHECK(good("10G,format=qcow2,backing=b,backing_format=qcow2").backing[0].format ==
        DiskFormat::qcow2);
  CHECK(only(refused("10G,backing=/b"), "never guessed"));
  CHECK(only(refused("10G,backing_format=raw"), "needs backing=FILE"));
  CHECK(only(refused("10G,format=raw,backing=/b,backing_format=raw"), "no backing file"));
  CHECK(only(refused("10G,backing=/b,backing_format=vmdk"), "use raw or qcow2"));
}

TEST_CASE("two commas are one, so a path may hold any printable byte") {
  CHECK(good("path=/a,,b").path == "/a,b");
  CHECK(good("path=/a,,,bus=ide").path == "/a,");
  CHECK(good("path=/a,,,bus=ide").bus == DiskBus::ide);
  CHECK(good("path=/a,,,,b").path == "/a,,b");
  CHECK(good("path=/it's \"here\" = x").path == "/it's \"here\" = x");
  CHECK(good("path=/caf\xc3\xa9").path == "/caf\xc3\xa9");
}

TEST_CASE("paths that cannot be handed on are refused with the reason") {
  CHECK(only(refused("path=/a\nb"), "newline"));
  CHECK(only(refused(std::string("path=/a\0b", 9)), "NUL"));
  CHECK(only(refused("path=/a\x1b[2J"), "control character"));
  CHECK(only(refused("path=/a\xff"), "UTF-8"));
  CHECK(only(refused("1G,backing=/a\nb,backing_format=raw"), "newline"));
  CHECK(contains(refused("path="), "path needs a value"));
}

TEST_CASE("size or path, one of the two") {
  CHECK(only(refused("1G,path=/a"), "one of the two"));
  CHECK(only(refused("bus=ide"), "needs a size"));
  CHECK(only(refused("1G,size=2G"), "given twice"));
  CHECK(only(refused(""), "empty"));
  CHECK(only(refused("/dev/vg01/ciab"), "path=/dev/vg01/ciab"));
  CHECK(only(refused("0"), "size of 0"));
  CHECK(only(refused("-1G"), "negative"));
  CHECK(only(refused("1.5G,bus=ide"), "1536M"));
  CHECK(only(refused("99999999T"), "too large"));
}

TEST_CASE("unknown keys and values say what was meant or what there is") {
  CHECK(only(refused("1G,chache=none"), "unknown key \"chache\"; did you mean cache?"));
  CHECK(only(refused("1G,bsu=ide"), "did you mean bus?"));
  CHECK(only(refused("1G,readonly"), "did you mean read_only?"));
  CHECK(only(refused("1G,xyzzy=1"), "unknown key \"xyzzy\""));
  CHECK(only(refused("1G,bus=usb"), "use virtio, ide, scsi or sata"));
  CHECK(only(refused("1G,cache=fast"), "use none, writeback"));
  CHECK(only(refused("1G,aio=posix"), "use threads, native or io_uring"));
  CHECK(only(refused("1G,format=vmdk"), "use raw or qcow2"));
  CHECK(only(refused("1G,ro=maybe"), "use on or off"));
  CHECK(only(refused("1G,discard=unmap"), "use on or off"));
  CHECK(only(refused("1G,bus"), "bus needs a value"));
  CHECK(only(refused("1G,bus=ide,bus=scsi"), "bus is given twice"));
  CHECK(only(refused("1G,ro,read_only"), "the same"));
  CHECK(only(refused("1G,"), "nothing between"));
  CHECK(only(refused("1G,=x"), "unknown key \"\""));
  CHECK(contains(refused("1G,\x1b[2J=1"), "\\x1b"));
}

TEST_CASE("a volume group, a thin pool, or a file nevertheless") {
  const DiskSpec thick = good("100G,vg=vg01");
  CHECK(thick.on_lvm());
  CHECK(thick.ours());
  CHECK(thick.vg == "vg01");
  CHECK(thick.thin.empty());
  CHECK(good("100G,vg=vg01,thin=pool0").thin == "pool0");
  CHECK(good("100G,thin=pool0").thin == "pool0");  // of the group that the config names
  CHECK(good("1G,vg=vg01,format=raw").format == DiskFormat::raw);
  CHECK(good("1G,file").file);
  CHECK(good("1G,file=on").file);
  CHECK_FALSE(good("1G,file=off").file);
  CHECK(only(refused("1G,vg=vg01,format=qcow2"), "always raw"));
  CHECK(only(refused("1G,vg=vg01,backing=/b,backing_format=raw"), "no backing file"));
  CHECK(only(refused("1G,vg=vg01,file=on"), "give one of them"));
  CHECK(only(refused("1G,thin=p,file=on"), "give one of them"));
  CHECK(only(refused("path=/dev/vg01/a,vg=vg01"), "path= uses one that exists"));
  CHECK(only(refused("path=/dev/vg01/a,file=on"), "path= uses one that exists"));
  CHECK(only(refused("1G,vg="), "vg needs a value"));
  CHECK(only(refused("1G,vg=a,vg=b"), "given twice"));
}

TEST_CASE("all mistakes at once") {
  Problems problems;
  parse_disk("1.5G,bus=usb,cache=fast,colour=red", "--disk", problems);
  CHECK(problems.size() == 4);
}
