// Back to a snapshot. A thin one is merged by lvm, which exchanges the two; the mark on the origin
// says that this is under way, so that whoever repeats it after a kill makes the snapshot anew. The
// origin's other snapshots are forgotten by lvm then, and are from there on put back as a thick one
// is. A
// thick one is copied, piece by piece where the two differ: the snapshot already holds every piece
// in which they do, so nothing that is written changes it, and there is no moment without it.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "host/fd.hpp"
#include "host/lvm.hpp"
#include "host/lvm_devices.hpp"
#include "host/lvm_holders.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr std::size_t piece = 4 * mebi;

std::string word(const VolumeName& name) { return name.vg + "/" + name.lv; }

void change(const LvmPlace& place, const VolumeName& name, const std::string& what,
            std::vector<std::string> command) {
  const LvmAnswer answer = call_on_group(place, name.vg, {std::move(command), {}});
  if (answer.status != 0)
    throw Failed(fmt::format("volume {}: lvm cannot {} it: {}", word(name), what,
                             words_of_lvm(answer.errors)));
}

struct Free {
  void operator()(char* memory) const { std::free(memory); }
};
using Piece = std::unique_ptr<char, Free>;

Piece make_piece() {
  Piece memory(static_cast<char*>(std::aligned_alloc(4096, piece)));
  if (!memory) throw SystemError(ENOMEM, "cannot copy a snapshot back");
  return memory;
}

Fd open_direct(const std::string& path, int how) {
  Fd device(::open(path.c_str(), how | O_DIRECT | O_CLOEXEC));
  if (!device) throw SystemError(errno, fmt::format("{}: cannot open", path));
  return device;
}

void whole(ssize_t moved, std::size_t wanted, const std::string& path, const char* doing) {
  if (moved == static_cast<ssize_t>(wanted)) return;
  throw SystemError(moved < 0 ? errno : EIO, fmt::format("{}: cannot {}", path, doing));
}

void copy_back(const std::string& snapshot, const std::string& origin, const Progress& progress) {
  const Fd from = open_direct(snapshot, O_RDONLY), to = open_direct(origin, O_RDWR | O_EXCL);
  std::uint64_t size = 0, room = 0;
  if (::ioctl(from.get(), BLKGETSIZE64, &size) != 0 || ::ioctl(to.get(), BLKGETSIZE64, &room) != 0)
    throw SystemError(errno, fmt::format("{}: cannot read its size", snapshot));
  if (room < size)
    throw Conflict(
        fmt::format("{} is smaller than its snapshot {}; enlarge it first", origin, snapshot));
  const Piece old = make_piece(), now = make_piece();
  for (std::uint64_t at = 0; at < size;) {
    const std::size_t part = std::min<std::uint64_t>(piece, size - at);
    const off_t where = static_cast<off_t>(at);
    whole(::pread(from.get(), old.get(), part, where), part, snapshot, "read");
    whole(::pread(to.get(), now.get(), part, where), part, origin, "read");
    if (std::memcmp(old.get(), now.get(), part) != 0)
      whole(::pwrite(to.get(), old.get(), part, where), part, origin, "write");
    at += part;
    if (progress) progress(at, size);
  }
  // A thin origin may have grown since: what it has beyond its snapshot was not there then.
  const std::uint64_t beyond[2] = {size, room - size};
  if (room > size && ::ioctl(to.get(), BLKDISCARD, &beyond) != 0 &&
      ::ioctl(to.get(), BLKZEROOUT, &beyond) != 0)
    throw SystemError(errno, fmt::format("{}: cannot empty its end", origin));
  if (::fsync(to.get()) != 0) throw SystemError(errno, fmt::format("{}: cannot write", origin));
}

/// Inactive again, whatever happens.
class Activated {
 public:
  Activated(const LvmPlace& place, VolumeName name) : place_(place), name_(std::move(name)) {
    activate_lv(place_, name_);
  }
  Activated(const Activated&) = delete;
  Activated& operator=(const Activated&) = delete;
  ~Activated() {
    try {
      deactivate_lv(place_, name_);
    } catch (const std::exception&) {
      // An error is on its way already, or the next command that looks takes it back.
    }
  }

 private:
  const LvmPlace& place_;
  VolumeName name_;
};

void restore_thick(const LvmPlace& place, const VolumeName& snapshot, const VolumeName& origin,
                   const Progress& progress) {
  const Activated above(place, origin);  // with its snapshots
  std::optional<Activated> beside;  // a thick snapshot is active with its origin, a thin one is not
  if (!active_device(snapshot)) beside.emplace(place, snapshot);
  copy_back("/dev/" + word(snapshot), "/dev/" + word(origin), progress);
}

/// The origin's mark while its snapshot is being merged into it.
std::string merging_tag(const std::string& snapshot) { return "nutshell.restoring=" + snapshot; }

void restore_thin(const LvmPlace& place, const VolumeName& snapshot, const VolumeName& origin,
                  bool merged, const std::string& tag) {
  const std::string mark = merging_tag(snapshot.lv);
  if (!merged) {
    change(place, origin, "mark", {"lvchange", "--addtag", mark, word(origin)});
    change(place, snapshot, "merge", {"lvconvert", "-y", "--merge", word(snapshot)});
  }
  make_lv_snapshot(place, origin, snapshot.lv, tag);
  change(place, origin, "unmark", {"lvchange", "--deltag", mark, word(origin)});
}

}  // namespace

void restore_lv_snapshot(const LvmPlace& place, const VolumeName& snapshot, const std::string& tag,
                         const Progress& progress) {
  const LvmFacts facts = observe_group(place, snapshot.vg);
  const LogicalVolumeFact* of = facts.volume(snapshot.vg, snapshot.lv);
  if (!of) {
    const std::string mark = merging_tag(snapshot.lv);
    for (const LogicalVolumeFact& each : facts.volumes)
      if (each.has_tag(mark)) return restore_thin(place, snapshot, {each.vg, each.name}, true, tag);
    throw NotFound(fmt::format("there is no snapshot {}", word(snapshot)));
  }
  if (!of->has_tag(tag))
    throw Conflict(fmt::format("snapshot {} does not carry the mark {}, so nothing is changed",
                               word(snapshot), tag));
  if (of->broken)
    throw Failed(
        fmt::format("snapshot {} has overflowed and lost its content; remove it", word(snapshot)));
  const VolumeName origin{snapshot.vg, of->origin};
  if (of->origin.empty() || !facts.volume(origin.vg, origin.lv))
    throw Conflict(
        fmt::format("volume {} is no snapshot, or what it was made of is gone", word(snapshot)));
  for (const VolumeName& each : {snapshot, origin}) {
    drop_holders(each);
    refuse_when_used(each);
  }
  if (of->kind == VolumeKind::thick_snapshot || of->origin_by_name) {
    restore_thick(place, snapshot, origin, progress);
    return;
  }
  for (const VolumeName& each : {snapshot, origin}) deactivate_lv(place, each);
  restore_thin(place, snapshot, origin, false, tag);
}

}  // namespace nutshell::host
