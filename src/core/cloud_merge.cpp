// An edited file applied to a machine that there is: what the file says otherwise than before, and
// nothing else, so that what was done by hand stays.
#include <algorithm>

#include "core/cloud_lists.hpp"
#include "nutshell/cloud.hpp"

namespace nutshell {
namespace {

class Merger {
 public:
  Merger(const MachineSpec& present, const CloudMachine& before, const CloudMachine& after)
      : present_(present), before_(before), after_(after), result_(present) {}

  MachineSpec run() {
    take("cpus", &MachineSpec::cpus);
    take_open("memory", &MachineSpec::memory);
    take_open("cpu", &MachineSpec::cpu);
    take("nested", &MachineSpec::nested);
    take("accel", &MachineSpec::accel);
    take("cdrom", &MachineSpec::cdrom);
    take("boot", &MachineSpec::boot);
    take("kernel", &MachineSpec::kernel);
    take("initrd", &MachineSpec::initrd);
    take("append", &MachineSpec::append);
    take("vnc", &MachineSpec::vnc);
    take_open("qemu", &MachineSpec::qemu);
    take("args", &MachineSpec::qemu_args);
    take_items("groups", &MachineSpec::groups);
    take_items("publish", &MachineSpec::publish);
    take_tags();
    disks();
    nics();
    return std::move(result_);
  }

 private:
  const MachineSpec& present_;
  const CloudMachine &before_, &after_;
  MachineSpec result_;

  /// Without an origin in the new file, the field is left to the host's default again.
  void take_origin(const std::string& field) {
    const auto origin = after_.wish.origins.find(field);
    if (origin == after_.wish.origins.end())
      result_.origins.erase(field);
    else
      result_.origins[field] = origin->second;
  }

  /// A field for which the host may have a default of its own: also when it is left out now, or
  /// was before.
  template <class Field>
  void take_open(const char* name, Field MachineSpec::*field) {
    const bool was_open = !before_.wish.origins.contains(name),
               is_open = !after_.wish.origins.contains(name);
    if (was_open == is_open) return take(name, field);
    result_.*field = after_.wish.*field;
    take_origin(name);
  }

  template <class Field>
  void take(const char* name, Field MachineSpec::*field) {
    if (before_.wish.*field == after_.wish.*field) return;
    result_.*field = after_.wish.*field;
    take_origin(name);
  }

  template <class Item>
  void take_items(const char* name, std::vector<Item> MachineSpec::*field) {
    const std::vector<Item>&old = before_.wish.*field, &now = after_.wish.*field;
    if (old == now) return;
    std::vector<Item>& items = result_.*field;
    const auto has = [](const std::vector<Item>& list, const Item& item) {
      return std::find(list.begin(), list.end(), item) != list.end();
    };
    for (const Item& item : old)
      if (!has(now, item)) std::erase(items, item);
    for (const Item& item : now)
      if (!has(old, item) && !has(items, item)) items.push_back(item);
    take_origin(name);
  }

  void take_tags() {
    const auto &old = before_.wish.tags, &now = after_.wish.tags;
    if (old == now) return;
    for (const auto& [key, value] : old)
      if (!now.contains(key)) result_.tags.erase(key);
    for (const auto& [key, value] : now)
      if (const auto same = old.find(key); same == old.end() || same->second != value)
        result_.tags[key] = value;
    take_origin("tags");
  }

  /// The origins of a list are made anew, as places shift.
  void clear_origins(const std::string& kind) {
    std::erase_if(result_.origins,
                  [&](const auto& origin) { return origin.first.starts_with(kind + "."); });
  }
  void copy_origin(const Origins& from, const std::string& field, const std::string& to) {
    if (const auto origin = from.find(field); origin != from.end())
      result_.origins[to] = origin->second;
  }
  static std::string field(const char* kind, std::size_t index) {
    return kind + ("." + std::to_string(index));
  }

  /// What an edit that was cut short has added by then: it has the line that the file has, and
  /// belongs to nothing that was there before.
  [[nodiscard]] std::optional<std::size_t> made_already(const char* kind, std::size_t wanted,
                                                        const std::vector<Pair>& pairs,
                                                        const std::vector<bool>& used) const {
    const auto line = after_.wish.origins.find(field(kind, wanted));
    if (line == after_.wish.origins.end()) return std::nullopt;
    for (std::size_t i = 0; i < used.size(); ++i) {
      const auto origin = present_.origins.find(field(kind, i));
      const bool is_old = std::any_of(pairs.begin(), pairs.end(),
                                      [&](const Pair& pair) { return pair.present == i; });
      if (!used[i] && !is_old && origin != present_.origins.end() && origin->second == line->second)
        return i;
    }
    return std::nullopt;
  }

  void disks() {
    const auto &old = before_.wish.disks, &now = after_.wish.disks;
    const std::vector<Pair> pairs = paired_disks(old, now, &present_);
    // That a format was named is no change of its own, so it may have come in an edit before.
    for (const Pair& pair : pairs)
      if (pair.present && pair.after)
        result_.disks[*pair.present].format_named |= now[*pair.after].format_named;
    if (old == now) return;
    const std::vector<DiskSpec> there = result_.disks;
    clear_origins("disk");
    result_.disks.clear();
    std::vector<bool> used(present_.disks.size(), false);
    const auto keep = [&](std::size_t index) {
      copy_origin(present_.origins, field("disk", index), field("disk", result_.disks.size()));
      result_.disks.push_back(there[index]);
      used[index] = true;
    };
    for (const Pair& pair : pairs) {
      if (!pair.after) continue;
      if (pair.present) {
        keep(*pair.present);
        if (pair.equal) continue;
        const DiskSpec& wish = now[*pair.after];
        DiskSpec& disk = result_.disks.back();
        disk.bus = wish.bus, disk.cache = wish.cache, disk.aio = wish.aio;
        disk.discard = wish.discard, disk.read_only = wish.read_only;
      } else if (!pair.before) {
        if (const auto made = made_already("disk", *pair.after, pairs, used)) {
          keep(*made);
          continue;
        }
        copy_origin(after_.wish.origins, field("disk", *pair.after),
                    field("disk", result_.disks.size()));
        result_.disks.push_back(now[*pair.after]);
      }
    }
    for (std::size_t i = 0; i < used.size(); ++i)
      if (!used[i]) keep(i);
  }

  static bool is_open(const NicSpec& nic) {
    return nic.kind == NicKind::network && nic.network.empty();
  }

  static bool is_at(const NicSpec& present, const NicSpec& wish) {
    return wish.kind == present.kind && wish.network == present.network &&
           wish.uplink == present.uplink &&
           (wish.kind != NicKind::bridge || wish.bridge == present.bridge);
  }

  static NicSpec changed(const NicSpec& before, const NicSpec& wish, const NicSpec& present) {
    NicSpec nic = wish;
    // Left to the default as before, it stays where the default was then.
    if (is_open(wish) && is_open(before)) nic.kind = present.kind, nic.network = present.network;
    if (!is_at(present, nic)) return wish;
    if (nic.kind == NicKind::network) nic.bridge = present.bridge;
    if (!nic.mac) nic.mac = present.mac;
    // On a bridge an address is there only because it was asked for.
    const bool asked_away = nic.kind == NicKind::bridge && before.ip.has_value();
    if (!nic.ip && !asked_away) nic.ip = present.ip;
    return nic;
  }

  void nics() {
    const std::vector<NicSpec> old = nics_of(before_), now = nics_of(after_);
    const bool open = leaves_nics_open(after_);
    if (old == now) return;
    std::vector<Pair> pairs = paired(old, now);
    locate(pairs, old, present_.nics);
    clear_origins("nic");
    take_origin("nic");
    result_.nics.clear();
    std::vector<bool> used(present_.nics.size(), false);
    const auto keep_origins = [&](std::size_t index, bool with_mac) {
      const std::string from = field("nic", index), to = field("nic", result_.nics.size());
      copy_origin(present_.origins, from, to);
      if (with_mac) copy_origin(present_.origins, from + ".mac", to + ".mac");
    };
    const auto keep = [&](std::size_t index) {
      keep_origins(index, true);
      result_.nics.push_back(present_.nics[index]);
      used[index] = true;
    };
    for (const Pair& pair : pairs) {
      if (!pair.after) {
        if (pair.present) used[*pair.present] = true;
      } else if (pair.equal) {
        if (pair.present) keep(*pair.present);
      } else {
        NicSpec nic = now[*pair.after];
        const auto made =
            pair.present ? std::nullopt : made_already("nic", *pair.after, pairs, used);
        const bool is_it = made && (!pair.before || is_at(present_.nics[*made], nic) ||
                                    (is_open(nic) && present_.nics[*made].kind == nic.kind));
        if (is_it) {
          keep(*made);
          continue;
        }
        if (pair.present) {
          nic = changed(old[*pair.before], nic, present_.nics[*pair.present]);
          keep_origins(*pair.present, nic.mac && !now[*pair.after].mac);
          used[*pair.present] = true;
        }
        copy_origin(after_.wish.origins, field("nic", *pair.after),
                    field("nic", result_.nics.size()));
        result_.nics.push_back(std::move(nic));
      }
    }
    for (std::size_t i = 0; i < used.size(); ++i)
      if (!used[i]) keep(i);
    // The default NIC alone is the host's to give, with its own origin.
    if (open && result_.nics == std::vector(1, NicSpec{})) result_.nics.clear();
  }
};

}  // namespace

MachineSpec merged(const MachineSpec& present, const CloudMachine& before,
                   const CloudMachine& after) {
  return Merger(present, before, after).run();
}

}  // namespace nutshell
