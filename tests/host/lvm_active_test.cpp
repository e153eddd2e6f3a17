// Logical volumes with a real device-mapper, on loop devices: what they hold is read back. The
// nest's scenario lvm_calls runs it.
#include <doctest/doctest.h>
#include <sys/mount.h>

#include "host/fd.hpp"
#include "host/files.hpp"
#include "host/loop_group.hpp"
#include "host/lvm.hpp"
#include "nutshell/error.hpp"

using namespace nutshell;
using namespace nutshell::host;
using loop_group::Group;

namespace {
const std::string tag = "nutshell.volume=11111111-2222-4333-8444-555555555555";
bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
std::string path_of(const VolumeName& name) { return "/dev/" + name.vg + "/" + name.lv; }
void write_all(const VolumeName& name, char byte, std::size_t size, off_t at = 0) {
  const Fd fd(::open(path_of(name).c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(fd.get() >= 0);
  const std::string text(size, byte);
  REQUIRE(::pwrite(fd.get(), text.data(), size, at) == static_cast<ssize_t>(size));
  REQUIRE(::fsync(fd.get()) == 0);
}
std::string read_all(const VolumeName& name, std::size_t size) {
  const Fd fd(::open(path_of(name).c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(size, '\0');
  REQUIRE(::read(fd.get(), text.data(), size) == static_cast<ssize_t>(size));
  return text;
}
bool all_are(const VolumeName& name, char byte, std::size_t size = 16 * mebi) {
  return read_all(name, size) == std::string(size, byte);
}
void command(std::vector<std::string> argv) {
  (void)output_of({.argv = std::move(argv), .input = {}, .environment = {}});
}
/// One group with a machine's disk and a place for the note.
struct Lab {
  explicit Lab(const std::string& settings = "") : group(1, 512ULL << 20, settings) {}
  Group group;
  LvmPlace place{group.folder() / "cache", {}};
  VolumeName disk{group.name(), "disk-1"}, snapshot{group.name(), "snap"};
  void make_thick(Bytes size = 16 * mebi) const { make_lv(place, {disk, size, {}, tag}); }
  void make_pool(const std::string& size = "128M") const {
    loop_group::lvm({"lvcreate", "-qq", "-y", "--devices", group.devices(), "--type", "thin-pool",
                     "-L", size, "-n", "pool", "-an", group.name()});
  }
  void make_thin(Bytes size = 16 * mebi) const { make_lv(place, {disk, size, "pool", tag}); }
  [[nodiscard]] LogicalVolumeFact fact(const VolumeName& name) const {
    const LvmFacts facts = observe_group(place, name.vg);
    const LogicalVolumeFact* found = facts.volume(name.vg, name.lv);
    REQUIRE(found != nullptr);
    return *found;
  }
  [[nodiscard]] bool there(const VolumeName& name) const {
    return observe_group(place, name.vg).volume(name.vg, name.lv) != nullptr;
  }
};
}  // namespace

TEST_CASE("active while wanted, and gone afterwards") {
  const Lab lab;
  lab.make_thick();
  CHECK_FALSE(file_exists(path_of(lab.disk)));
  CHECK_FALSE(active_device(lab.disk));
  activate_lv(lab.place, lab.disk);
  activate_lv(lab.place, lab.disk);
  CHECK(active_device(lab.disk));
  CHECK(lab.fact(lab.disk).active);
  write_all(lab.disk, 'x', 16 * mebi);
  wipe(path_of(lab.disk), mebi, {});
  const std::string text = read_all(lab.disk, 16 * mebi);
  CHECK(text.substr(0, mebi) == std::string(mebi, '\0'));
  CHECK(text.substr(mebi, 14 * mebi) == std::string(14 * mebi, 'x'));
  CHECK(text.substr(15 * mebi) == std::string(mebi, '\0'));
  {
    const Fd open(::open(path_of(lab.disk).c_str(), O_RDWR | O_CLOEXEC));
    CHECK(lab.fact(lab.disk).open);
    CHECK_THROWS_AS(deactivate_lv(lab.place, lab.disk), Conflict);
    CHECK_THROWS_AS(drop_lv(lab.place, lab.disk, tag), Conflict);
    resize_lv(lab.place, lab.disk, 24 * mebi, tag);
    CHECK(lab.fact(lab.disk).size == 24 * mebi);
    CHECK(::lseek(open.get(), 0, SEEK_END) == static_cast<off_t>(24 * mebi));
  }
  deactivate_lv(lab.place, lab.disk);
  deactivate_lv(lab.place, lab.disk);
  CHECK_FALSE(active_device(lab.disk));
  CHECK_FALSE(file_exists(path_of(lab.disk)));
  activate_lv(lab.place, lab.disk);
  drop_lv(lab.place, lab.disk, tag);
  CHECK_FALSE(active_device(lab.disk));
  CHECK_FALSE(lab.there(lab.disk));
}

TEST_CASE("a thin volume larger than its pool is wiped, and takes no more of it") {
  const Lab lab;
  lab.make_pool("64M");
  lab.make_thin(256 * mebi);
  activate_lv(lab.place, lab.disk);
  write_all(lab.disk, 'x', 3 * mebi);
  write_all(lab.disk, 'y', 100, static_cast<off_t>(200 * mebi + 70'000));
  const auto full = [&] {
    const VolumeName pool{lab.group.name(), "pool"};
    command({"dmsetup", "status", mapper_name(pool) + "-tpool"});  // which flushes what it counts
    return lab.fact(pool).data_percent.value();
  };
  const double before = full();
  CHECK(before > 0);
  wipe(path_of(lab.disk), 0, {});
  CHECK(full() <= before);
  CHECK(read_all(lab.disk, 256 * mebi).find_first_not_of('\0') == std::string::npos);
  drop_lv(lab.place, lab.disk, tag);
}

TEST_CASE("a mounted volume is named with its mount") {
  const Lab lab;
  lab.make_thick();
  activate_lv(lab.place, lab.disk);
  command({"mkfs.ext4", "-q", path_of(lab.disk)});
  std::filesystem::create_directory(lab.group.folder() / "mnt");
  const std::string where = lab.group.folder() / "mnt";
  REQUIRE(::mount(path_of(lab.disk).c_str(), where.c_str(), "ext4", 0, nullptr) == 0);
  const std::string dropped = scratch::sentence_of([&] { drop_lv(lab.place, lab.disk, tag); });
  const std::string stopped = scratch::sentence_of([&] { deactivate_lv(lab.place, lab.disk); });
  CHECK_THROWS_AS(wipe(path_of(lab.disk), 0, {}), Conflict);
  REQUIRE(::umount(where.c_str()) == 0);
  CHECK_MESSAGE(has(dropped, "mounted on " + where), dropped);
  CHECK_MESSAGE(has(stopped, "mounted on " + where), stopped);
  drop_lv(lab.place, lab.disk, tag);
}

TEST_CASE("a thick snapshot of an inactive volume, and of one in use: it cannot overflow") {
  for (const bool in_use : {false, true}) {
    const Lab lab;
    lab.make_thick();
    activate_lv(lab.place, lab.disk);
    write_all(lab.disk, 'a', 16 * mebi);
    {
      const Fd open(in_use ? ::open(path_of(lab.disk).c_str(), O_RDWR | O_CLOEXEC) : -1);
      if (!in_use) deactivate_lv(lab.place, lab.disk);
      make_lv_snapshot(lab.place, lab.disk, "snap", tag);
      CHECK(lab.fact(lab.disk).active == in_use);
    }
    activate_lv(lab.place, lab.disk);
    for (const char byte : {'b', 'c'}) write_all(lab.disk, byte, 16 * mebi);
    const LogicalVolumeFact fact = lab.fact(lab.snapshot);
    CHECK(fact.kind == VolumeKind::thick_snapshot);
    CHECK(fact.origin == lab.disk.lv);
    CHECK(fact.has_tag(tag));
    CHECK_FALSE(fact.broken);
    REQUIRE(fact.data_percent);
    CHECK(*fact.data_percent < 100);
    CHECK(all_are(lab.snapshot, 'a'));
    CHECK(all_are(lab.disk, 'c'));
    const std::string refused = scratch::sentence_of([&] { drop_lv(lab.place, lab.disk, tag); });
    CHECK(has(refused, "has the snapshot snap"));
    CHECK(all_are(lab.disk, 'c'));

    deactivate_lv(lab.place, lab.disk);
    CHECK_FALSE(active_device(lab.snapshot));
    for (int i = 0; i < 2; ++i) {
      restore_lv_snapshot(lab.place, lab.snapshot, tag);
      CHECK_FALSE(lab.fact(lab.disk).active);
      activate_lv(lab.place, lab.disk);
      CHECK(all_are(lab.disk, 'a'));
      CHECK(all_are(lab.snapshot, 'a'));
      write_all(lab.disk, 'd', 4 * mebi, 3 * mebi);
      CHECK(all_are(lab.snapshot, 'a'));
      deactivate_lv(lab.place, lab.disk);
    }
    CHECK_THROWS_AS(restore_lv_snapshot(lab.place, lab.snapshot, tag,
                                        [](Bytes, Bytes) { throw Interrupted(); }),
                    Interrupted);
    CHECK_FALSE(active_device(lab.disk));
    restore_lv_snapshot(lab.place, lab.snapshot, tag);
    CHECK_THROWS_AS(restore_lv_snapshot(lab.place, lab.snapshot, "nutshell.machine=other"),
                    Conflict);
    CHECK_THROWS_AS(restore_lv_snapshot(lab.place, lab.disk, tag), Conflict);
    drop_lv(lab.place, lab.snapshot, tag);
    activate_lv(lab.place, lab.disk);
    CHECK(all_are(lab.disk, 'a'));
    drop_lv(lab.place, lab.disk, tag);
    CHECK(observe_group(lab.place, lab.group.name()).volumes.empty());
  }
}

TEST_CASE("a snapshot that has no room says how much it needs") {
  const Lab lab;
  lab.make_thick(256 * mebi);
  const std::string said =
      scratch::sentence_of([&] { make_lv_snapshot(lab.place, lab.disk, "snap", tag); });
  CHECK_MESSAGE(has(said, "bytes"), said);
  CHECK_FALSE(lab.there(lab.snapshot));
}

TEST_CASE("thin volumes, their snapshots, and back") {
  for (const bool in_use : {false, true}) {
    const Lab lab;
    lab.make_pool();
    CHECK_THROWS_AS(make_lv(lab.place, {lab.disk, mebi, "none", tag}), NotFound);
    lab.make_thin(gibi);
    CHECK(lab.fact(lab.disk).kind == VolumeKind::thin);
    CHECK(lab.fact(lab.disk).size == gibi);
    CHECK_FALSE(lab.fact(lab.disk).active);
    CHECK_THROWS_AS(make_lv(lab.place, {{lab.group.name(), "x"}, mebi, lab.disk.lv, tag}),
                    Conflict);
    activate_lv(lab.place, lab.disk);
    write_all(lab.disk, 'a', 8 * mebi);
    {
      const Fd open(in_use ? ::open(path_of(lab.disk).c_str(), O_RDWR | O_CLOEXEC) : -1);
      if (!in_use) deactivate_lv(lab.place, lab.disk);
      make_lv_snapshot(lab.place, lab.disk, "snap", tag);
      CHECK(lab.fact(lab.disk).active == in_use);
    }
    CHECK_FALSE(active_device(lab.snapshot));
    CHECK(lab.fact(lab.snapshot).skips_activation);
    activate_lv(lab.place, lab.disk);
    write_all(lab.disk, 'b', 8 * mebi);
    resize_lv(lab.place, lab.disk, 2 * gibi, tag);
    resize_lv(lab.place, lab.disk, gibi, tag);
    deactivate_lv(lab.place, lab.disk);

    const auto begins_with = [&](const VolumeName& name, char byte) {
      activate_lv(lab.place, name);
      return all_are(name, byte, 8 * mebi);
    };
    const auto restored = [&] {
      CHECK(begins_with(lab.disk, 'a'));
      CHECK(begins_with(lab.snapshot, 'a'));
      CHECK(lab.fact(lab.disk).tags == std::vector<std::string>{tag});
      CHECK(lab.fact(lab.snapshot).tags == std::vector<std::string>{tag});
      CHECK(lab.fact(lab.snapshot).origin == lab.disk.lv);
      write_all(lab.disk, 'c', 8 * mebi);
      CHECK(begins_with(lab.snapshot, 'a'));
      for (const VolumeName& each : {lab.disk, lab.snapshot}) deactivate_lv(lab.place, each);
    };
    restore_lv_snapshot(lab.place, lab.snapshot, tag);
    restored();
    // Killed after the mark, after the merge, and after the new snapshot: each can be repeated.
    const std::string mark = "nutshell.restoring=snap", disk = lab.disk.vg + "/" + lab.disk.lv;
    const auto by_hand = [&](std::vector<std::string> words) {
      words.insert(words.end(), {"-qq", "-y", "--devices", lab.group.devices()});
      loop_group::lvm(words);
    };
    by_hand({"lvchange", "--addtag", mark, disk});
    restore_lv_snapshot(lab.place, lab.snapshot, tag);
    restored();
    by_hand({"lvchange", "--addtag", mark, disk});
    by_hand({"lvconvert", "--merge", lab.snapshot.vg + "/snap"});
    CHECK_FALSE(lab.there(lab.snapshot));
    restore_lv_snapshot(lab.place, lab.snapshot, tag);
    restored();
    restore_lv_snapshot(lab.place, lab.snapshot, tag);
    by_hand({"lvchange", "--addtag", mark, disk});
    restore_lv_snapshot(lab.place, lab.snapshot, tag);
    restored();
    drop_lv(lab.place, lab.disk, tag);  // its snapshot stands alone
    CHECK(begins_with(lab.snapshot, 'a'));
    drop_lv(lab.place, lab.snapshot, tag);
    CHECK(observe_group(lab.place, lab.group.name()).volumes.size() == 1);
  }
}

TEST_CASE("a guest's group, activated by this host, goes before its disk") {
  const Lab lab("devices/scan_lvs=1\n");
  const std::string inner = loop_group::unique_group();
  const auto guests = [&] {
    lab.make_thick(64 * mebi);
    activate_lv(lab.place, lab.disk);
    const std::string path = path_of(lab.disk);
    loop_group::lvm({"vgcreate", "-qq", "-y", "--devices", path, inner, path});
    loop_group::lvm({"lvcreate", "-qq", "-y", "--devices", path, "-L", "16M", "-n", "root", inner});
    loop_group::lvm(
        {"lvcreate", "-qq", "-y", "--devices", path, "-L", "8M", "-s", "-n", "s", inner + "/root"});
    REQUIRE(active_device({inner, "root"}));
  };
  guests();
  // It is not ours to see, whatever the host's lvm.conf says.
  CHECK(observe_lvm(lab.place).group(inner) == nullptr);
  CHECK_THROWS_AS(observe_group(lab.place, inner), NotFound);

  const VolumeName root{inner, "root"};
  command({"mkfs.ext4", "-q", path_of(root)});
  const std::string where = lab.group.folder() / "mnt";
  std::filesystem::create_directory(where);
  REQUIRE(::mount(path_of(root).c_str(), where.c_str(), "ext4", 0, nullptr) == 0);
  const std::string refused = scratch::sentence_of([&] { drop_lv(lab.place, lab.disk, tag); });
  REQUIRE(::umount(where.c_str()) == 0);
  CHECK_MESSAGE(has(refused, "mounted on " + where), refused);
  CHECK_MESSAGE(has(refused, mapper_name(root)), refused);
  CHECK(lab.there(lab.disk));

  deactivate_lv(lab.place, lab.disk);
  CHECK_FALSE(active_device(root));
  activate_lv(lab.place, lab.disk);
  loop_group::lvm({"vgchange", "-qq", "-ay", "--devices", path_of(lab.disk), inner});
  REQUIRE(active_device(root));
  drop_lv(lab.place, lab.disk, tag);
  CHECK_FALSE(active_device(root));
  CHECK_FALSE(lab.there(lab.disk));
}
