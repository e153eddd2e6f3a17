// What we do to logical volumes, each by one lvm command on the devices of one group. Before a
// change the group is read: what cannot work is refused in our words, and what is not ours is not
// touched. A command that fails or is killed half-way may have made its volume all the same, so it
// is looked for, by name and tag, and taken away again.
#include "host/lvm.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <thread>

#include "host/files.hpp"
#include "host/lvm_devices.hpp"
#include "host/lvm_holders.hpp"
#include "host/lvm_report.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

std::string word(const VolumeName& name) { return name.vg + "/" + name.lv; }

/// Its devices may take a moment to appear where udev makes the nodes.
constexpr std::chrono::milliseconds for_a_node{3000};
/// Of a thick snapshot. Larger ones copy more for each first write, smaller ones need more of the
/// kernel's memory: a whole 100G volume rewritten makes 1.6 million entries with this.
constexpr Bytes chunk = 64 * kibi;

Bytes in_extents(const VolumeGroupFact& group, Bytes size) {
  return (size + group.extent - 1) / group.extent;
}

/// The group, when it can be changed.
const VolumeGroupFact& changeable(const LvmFacts& facts, const std::string& vg) {
  const VolumeGroupFact* group = facts.group(vg);
  if (!group) throw NotFound(fmt::format("there is no volume group {}", printable(vg)));
  if (group->exported)
    throw Conflict(
        fmt::format("the volume group {} is exported; take it back with: vgimport {}", vg, vg));
  if (group->partial) {
    std::vector<std::string> lost;
    for (const PhysicalVolumeFact& each : group->physical_volumes)
      if (each.missing) lost.push_back(each.uuid);
    throw Conflict(fmt::format(
        "the volume group {} misses the physical volume {}; attach its disk, or see vgreduce(8)",
        vg, fmt::join(lost, ", ")));
  }
  return *group;
}

void refuse_beyond_free(const VolumeGroupFact& group, const std::string& what, Bytes extents) {
  const Bytes wanted = extents * group.extent;
  if (wanted <= group.free) return;
  const std::string spare = spare_device(wanted - group.free);
  throw Exhausted(fmt::format(
      "{} needs {} ({} bytes), and the volume group {} has {} free ({} bytes); remove something, "
      "or "
      "enlarge the group with: vgextend {} {}",
      what, format_size_roughly(wanted), wanted, group.name, format_size_roughly(group.free),
      group.free, group.name, spare.empty() ? "/dev/DISK" : spare));
}

void refuse_name(const LvmFacts& facts, const VolumeName& name) {
  if (const std::string fault = volume_name_fault(name); !fault.empty())
    throw ConfigError(fmt::format("volume {}", word(name)), fault);
  if (facts.volume(name.vg, name.lv))
    throw Conflict(
        fmt::format("volume {}: there is a logical volume of that name already", word(name)));
}

const LogicalVolumeFact& needed(const LvmFacts& facts, const VolumeName& name) {
  const LogicalVolumeFact* volume = facts.volume(name.vg, name.lv);
  if (!volume) throw NotFound(fmt::format("there is no logical volume {}", word(name)));
  return *volume;
}

void refuse_stranger(const LogicalVolumeFact& volume, const std::string& tag) {
  if (volume.has_tag(tag)) return;
  throw Conflict(fmt::format(
      "volume {}/{} does not carry the mark {}, so it is not changed; `lvs -o+lv_tags {}/{}` shows "
      "its marks",
      volume.vg, volume.name, tag, volume.vg, volume.name));
}

/// Throws, unless lvm succeeded.
void expect_done(const LvmAnswer& answer, const VolumeName& name, const std::string& what) {
  if (answer.status == 0) return;
  const std::string said = words_of_lvm(answer.errors);
  if (said.find("already exists in volume group") != std::string::npos)
    throw Conflict(
        fmt::format("volume {}: there is a logical volume of that name already", word(name)));
  for (const std::string_view busy : {" in use", "is used by", "contains a filesystem in use"})
    if (said.find(busy) != std::string::npos)
      throw Conflict(fmt::format("volume {} is in use; end that first: {}", word(name), said));
  throw Failed(fmt::format("volume {}: lvm cannot {} it: {}", word(name), what, said));
}

void change(const LvmPlace& place, const VolumeName& name, const std::string& what,
            std::vector<std::string> command) {
  expect_done(call_on_group(place, name.vg, {std::move(command), {}}), name, what);
}

/// Makes one, or leaves none.
void make(const LvmPlace& place, const VolumeName& name, const std::string& tag,
          std::vector<std::string> command) {
  try {
    change(place, name, "make", std::move(command));
  } catch (const Conflict&) {
    throw;  // somebody else was quicker: that one is not ours
  } catch (...) {
    try {
      const LvmFacts facts = observe_group(place, name.vg);
      const LogicalVolumeFact* half = facts.volume(name.vg, name.lv);
      if (half && half->has_tag(tag)) change(place, name, "remove", {"lvremove", "-y", word(name)});
    } catch (const Error&) {
      // What made it fail is what the user has to know.
    }
    throw;
  }
}

/// Makes `node` appear.
void activate(const LvmPlace& place, const VolumeName& name, const std::string& node) {
  const LvmAnswer answer =
      call_on_group(place, name.vg, {{"lvchange", "-ay", "-K", "-y", word(name)}, {}});
  if (!has_device_mapper()) {
    throw Failed(fmt::format(
        "volume {} cannot be activated: this kernel has no device-mapper; load it with `modprobe "
        "dm_mod`, or make a file (--disk SIZE,file=on)",
        word(name)));
  }
  expect_done(answer, name, "activate");
  const auto end = std::chrono::steady_clock::now() + for_a_node;
  while (!file_exists(node)) {
    if (std::chrono::steady_clock::now() > end)
      throw Failed(
          fmt::format("volume {} was activated, and {} did not appear; `vgmknodes {}` makes it",
                      word(name), node, name.vg));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace

LvmFacts observe_lvm(const LvmPlace& place) {
  const LvmAnswer answer = call_lvm({full_report(), {}, all_but_guests(place), true});
  // With one group broken lvm says so by 5, and reports the others.
  if (answer.status != 0 && answer.output.find("\"vg_name\"") == std::string::npos)
    throw Failed(fmt::format("lvm cannot report this host's volume groups: {}",
                             words_of_lvm(answer.errors)));
  return parse_lvm_report(answer.output);
}

LvmFacts observe_group(const LvmPlace& place, const std::string& vg) {
  std::vector<std::string> command = full_report();
  command.push_back(vg);
  const LvmAnswer answer = call_on_group(place, vg, {std::move(command), {}, {}, true});
  if (answer.status != 0 && answer.output.find("\"vg_name\"") == std::string::npos)
    throw Failed(
        fmt::format("volume group {}: lvm cannot report it: {}", vg, words_of_lvm(answer.errors)));
  LvmFacts facts = parse_lvm_report(answer.output);
  if (!facts.group(vg)) throw NotFound(fmt::format("there is no volume group {}", printable(vg)));
  return facts;
}

void make_lv(const LvmPlace& place, const NewVolume& volume) {
  const VolumeName& name = volume.name;
  const LvmFacts facts = observe_group(place, name.vg);
  refuse_name(facts, name);
  const VolumeGroupFact& group = changeable(facts, name.vg);
  const Bytes extents = in_extents(group, volume.size);
  std::vector<std::string> command{"lvcreate", "-y",       "-an", "-ky",
                                   "--addtag", volume.tag, "-n",  name.lv};
  if (volume.pool.empty()) {
    refuse_beyond_free(group, "volume " + word(name), extents);
    // Its first megabyte is wiped by us, once it is active: lvm would have to activate it now.
    command.insert(command.end(),
                   {"--type", "linear", "-Zn", "-Wn", "-l", std::to_string(extents), name.vg});
  } else {
    const LogicalVolumeFact& pool = needed(facts, {name.vg, volume.pool});
    if (pool.kind != VolumeKind::thin_pool)
      throw Conflict(fmt::format("{}/{} is no thin pool", name.vg, volume.pool));
    command.insert(command.end(), {"-V", fmt::format("{}b", extents * group.extent), "--thinpool",
                                   volume.pool, name.vg});
  }
  make(place, name, volume.tag, std::move(command));
}

void make_lv_snapshot(const LvmPlace& place, const VolumeName& origin, const std::string& name,
                      const std::string& tag) {
  const VolumeName snapshot{origin.vg, name};
  const LvmFacts facts = observe_group(place, origin.vg);
  refuse_name(facts, snapshot);
  const VolumeGroupFact& group = changeable(facts, origin.vg);
  const LogicalVolumeFact& of = needed(facts, origin);
  std::vector<std::string> command{"lvcreate", "-y", "-s", "-ky", "--addtag", tag, "-n", name};
  if (of.kind == VolumeKind::thick) {
    // Room for every chunk of the origin, 16 bytes for each in the table of exceptions, which is
    // kept in chunks itself, and the header: then it cannot overflow (kernel:
    // dm-snap-persistent.c).
    const Bytes chunks = (of.size + chunk - 1) / chunk;
    const Bytes table = (chunks * 16 + chunk - 1) / chunk + 1;
    const Bytes extents = in_extents(group, (chunks + table + 1) * chunk);
    refuse_beyond_free(group, fmt::format("the snapshot {} of {}", name, word(origin)), extents);
    command.insert(command.end(), {"--ignoremonitoring", "-c", fmt::format("{}b", chunk), "-l",
                                   std::to_string(extents)});
  } else if (of.kind != VolumeKind::thin) {
    throw Conflict(
        fmt::format("volume {}: snapshots are made of thick and thin volumes only", word(origin)));
  }
  command.push_back(word(origin));
  make(place, snapshot, tag, std::move(command));
}

void drop_lv(const LvmPlace& place, const VolumeName& name, const std::string& tag) {
  const LvmFacts facts = observe_group(place, name.vg);
  const LogicalVolumeFact* volume = facts.volume(name.vg, name.lv);
  if (!volume) return;
  refuse_stranger(*volume, tag);
  // lvm removes thick snapshots together with their origin, and asks nobody when told -y.
  for (const LogicalVolumeFact& each : facts.volumes)
    if (each.kind == VolumeKind::thick_snapshot && each.origin == name.lv)
      throw Conflict(
          fmt::format("volume {} has the snapshot {}; remove that first", word(name), each.name));
  drop_holders(name);
  refuse_when_used(name);
  change(place, name, "remove", {"lvremove", "-y", word(name)});
}

void activate_lv(const LvmPlace& place, const VolumeName& name) {
  const std::string node = fmt::format("/dev/{}", word(name));
  const bool before = active_device(name).has_value();
  if (before && file_exists(node)) return;
  try {
    activate(place, name, node);
  } catch (...) {
    try {
      if (!before) deactivate_lv(place, name);  // ended half-way, lvm may have activated it
    } catch (const Error&) {
      // What made it fail is what the user has to know.
    }
    throw;
  }
}

void deactivate_lv(const LvmPlace& place, const VolumeName& name) {
  if (!active_device(name)) return;
  drop_holders(name);
  refuse_when_used(name);
  change(place, name, "deactivate", {"lvchange", "-an", "-y", word(name)});
}

void resize_lv(const LvmPlace& place, const VolumeName& name, Bytes size, const std::string& tag) {
  const LvmFacts facts = observe_group(place, name.vg);
  const VolumeGroupFact& group = changeable(facts, name.vg);
  const LogicalVolumeFact& volume = needed(facts, name);
  refuse_stranger(volume, tag);
  const Bytes extents = in_extents(group, size), now = in_extents(group, volume.size);
  if (extents == now) return;
  if (extents > now && volume.kind != VolumeKind::thin)
    refuse_beyond_free(group, "enlarging volume " + word(name), extents - now);
  change(place, name, extents > now ? "enlarge" : "shrink",
         {extents > now ? "lvextend" : "lvreduce", "-y", "-f", "-l", std::to_string(extents),
          word(name)});
}

}  // namespace nutshell::host
