// What an edited file says otherwise about a machine, field by field, and what each change takes.
// Disks are never changed in a way that could lose what is on them.
#include <fmt/format.h>

#include <algorithm>

#include "core/cloud_lists.hpp"
#include "core/cloud_words.hpp"
#include "nutshell/cloud.hpp"

namespace nutshell {
namespace {

using Takes = FieldChange::Takes;
constexpr const char* the_default = "the default";

template <class Range, class Words>
std::string joined(const Range& range, Words words) {
  std::string text;
  for (const auto& item : range) text += (text.empty() ? "" : ", ") + words(item);
  return text;
}

template <class Item>
std::vector<Item> sorted(std::vector<Item> items) {
  std::sort(items.begin(), items.end());
  return items;
}

/// The board that a word stands for: "pc", "q35", or one of a certain version.
std::string board_of(const MachineSpec& wish) {
  return !wish.machine.empty() ? wish.machine : wish.firmware == Firmware::uefi ? "q35" : "pc";
}

/// The board of a machine that there is is one of a certain version, chosen by the word.
bool is_board(const MachineSpec& wish, const MachineSpec& present) {
  const std::string board = board_of(wish);
  if (board == "pc" || board == "q35") return present.is_q35() == (board == "q35");
  return board == present.machine;
}

/// The disk is just what the words ask for, as far as it cannot change in place.
bool is_made_as(const DiskSpec& present, const DiskSpec& wish) {
  return (wish.vg.empty() || wish.vg == present.vg) && (!wish.file || !present.on_lvm()) &&
         (wish.thin.empty() || wish.thin == present.thin) && wish.format == present.format;
}

bool is_guarded(const NicSpec& wish) {
  return wish.is_guarded() || (wish.kind == NicKind::network && wish.antispoof.value_or(true));
}

std::string vnc_words(const VncSpec& vnc) {
  return vnc.mode == VncMode::fixed ? std::to_string(vnc.display) : to_string(vnc.mode);
}

class Comparer {
 public:
  Comparer(const CloudMachine& before, const CloudMachine& after, const MachineSpec* present)
      : before_(before), after_(after), present_(present) {}

  std::vector<FieldChange> run() {
    const MachineSpec &b = before_.wish, &a = after_.wish;
    note("cpus", std::to_string(b.cpus), std::to_string(a.cpus));
    note_open("memory", format_size(b.memory), format_size(a.memory),
              present_ && present_->memory == a.memory);
    note_open("cpu", b.cpu, a.cpu, present_ && present_->cpu == a.cpu);
    const bool same_board = present_ ? is_board(a, *present_) : board_of(b) == board_of(a);
    if (!same_board) note("machine", b.machine, a.machine, Takes::new_machine);
    note("nested", to_string(b.nested), to_string(a.nested));
    note("accel", to_string(b.accel), to_string(a.accel));
    note("firmware", to_string(b.firmware), to_string(a.firmware), Takes::new_machine);
    const bool new_image = before_.image != after_.image ||
                           (!after_.image.empty() && before_.image_format != after_.image_format);
    if (new_image) add("image", image_words(before_), image_words(after_), Takes::new_machine);
    disks(new_image);
    note("cdrom", b.cdrom, a.cdrom);
    note("boot", to_string(b.boot), to_string(a.boot));
    note("kernel", b.kernel, a.kernel);
    note("initrd", b.initrd, a.initrd);
    note("append", b.append, a.append);
    nics();
    const auto as_is = [](const std::string& text) { return text; };
    const auto port = [](const PublishedPort& each) { return to_string(each); };
    const auto tag = [](const auto& each) { return each.first + "=" + each.second; };
    if (sorted(b.groups) != sorted(a.groups))
      note("groups", joined(b.groups, as_is), joined(a.groups, as_is), Takes::nothing);
    if (sorted(b.publish) != sorted(a.publish))
      note("publish", joined(b.publish, port), joined(a.publish, port));
    note("tags", joined(b.tags, tag), joined(a.tags, tag), Takes::nothing);
    note("vnc", vnc_words(b.vnc), vnc_words(a.vnc));
    note("vnc-listen", b.vnc.listen, a.vnc.listen);
    note("vnc-password-file", b.vnc.password_file, a.vnc.password_file);
    note_open("qemu", b.qemu, a.qemu, present_ && present_->qemu == a.qemu);
    note("args", shell_line(b.qemu_args), shell_line(a.qemu_args));
    note("seed", before_.seed ? "true" : "", after_.seed ? "true" : "");
    if (before_.after != after_.after)
      add("after", after_words(before_.after), after_words(after_.after), Takes::nothing);
    note("autostart", before_.autostart ? "true" : "false", after_.autostart ? "true" : "false",
         Takes::nothing);
    note("after_timeout", std::to_string(before_.after_timeout),
         std::to_string(after_.after_timeout), Takes::nothing);
    return std::move(changes_);
  }

 private:
  const CloudMachine &before_, &after_;
  const MachineSpec* present_;
  std::vector<FieldChange> changes_;

  void add(const std::string& field, std::string from, std::string to,
           Takes takes = Takes::restart) {
    changes_.push_back({field, std::move(from), std::move(to), takes});
  }
  void note(const std::string& field, const std::string& from, const std::string& to,
            Takes takes = Takes::restart) {
    if (from != to) add(field, from, to, takes);
  }

  /// A field for which the host may have a default of its own: left out is not the same as the
  /// usual value.
  void note_open(const std::string& field, const std::string& from, const std::string& to,
                 bool has_it) {
    const bool was_open = !before_.wish.origins.contains(field),
               is_open = !after_.wish.origins.contains(field);
    if (was_open == is_open) return is_open ? void() : note(field, from, to);
    add(field, was_open ? the_default : from, is_open ? the_default : to,
        was_open && has_it ? Takes::nothing : Takes::restart);
  }

  static std::string image_words(const CloudMachine& machine) {
    return machine.image.empty() ? ""
                                 : machine.image + " (" + to_string(machine.image_format) + ")";
  }

  static std::string field_of(const char* list, const Pair& pair) {
    return fmt::format("{}[{}]", list, pair.after ? *pair.after : *pair.before);
  }

  void disks(bool new_image) {
    const auto &old = before_.wish.disks, &now = after_.wish.disks;
    for (const Pair& pair : paired_disks(old, now, present_)) {
      if (pair.equal) continue;
      const std::string field = field_of("disks", pair);
      if (!pair.before)
        add(field, "", disk_words(now[*pair.after]));
      else if (!pair.after)
        removed(field, old[*pair.before], pair);
      // The disk on top of the image changes with it, which is told already.
      else if (!new_image || *pair.after > 0)
        changed(field, old[*pair.before], now[*pair.after], pair);
    }
  }

  void removed(const std::string& field, const DiskSpec& disk, const Pair& pair) {
    if (present_ && !pair.present) return add(field, disk_words(disk), "", Takes::nothing);
    add(field, disk_words(disk),
        "nothing: " + way(pair, fmt::format("`nutshell set {} --drop-disk {}` drops it",
                                            to_string(name()), number(pair))),
        Takes::new_machine);
  }

  /// Where it may be the one or the other, a person has to look which it is: what is on a disk is
  /// lost with it.
  [[nodiscard]] std::string way(const Pair& pair, const std::string& words) const {
    if (!present_ || pair.sure) return words;
    return fmt::format("some were dropped by hand, so see in `nutshell show {}` which N it is; {}",
                       to_string(name()), words);
  }
  [[nodiscard]] std::string number(const Pair& pair) const {
    if (!present_) return std::to_string(*pair.before);
    return pair.sure ? std::to_string(*pair.present) : "N";
  }

  void changed(const std::string& field, const DiskSpec& old, const DiskSpec& now,
               const Pair& pair) {
    DiskSpec same = old;
    same.format_named = now.format_named;
    if (present_ && pair.present && is_made_as(present_->disks[*pair.present], now))
      same.vg = now.vg, same.thin = now.thin, same.file = now.file;
    if (same == now) return;
    const bool grown = present_ && pair.present && present_->disks[*pair.present].size == now.size;
    DiskSpec like = same;
    same.size = now.size;
    if (same == now && old.size && grown)
      return add(field, disk_words(old), disk_words(now), Takes::nothing);
    if (same == now && old.size)
      return add(field, disk_words(old), disk_words(now) + ": " + way_to_size(old, now, pair),
                 Takes::new_machine);
    if (grown) like.size = now.size;
    same = now;
    same.bus = old.bus, same.cache = old.cache, same.aio = old.aio;
    same.discard = old.discard, same.read_only = old.read_only;
    add(field, disk_words(old), disk_words(now),
        same == like ? Takes::restart : Takes::new_machine);
  }

  [[nodiscard]] std::string way_to_size(const DiskSpec& old, const DiskSpec& now,
                                        const Pair& pair) const {
    if (present_ && !pair.present)
      return "it was dropped by hand; take it out of the file for one `up`, and put it back then";
    if (*now.size < *old.size) return "no disk shrinks";
    return way(pair, fmt::format("`nutshell volume resize {}:{} {}` grows it", to_string(name()),
                                 number(pair), format_size(*now.size)));
  }

  void nics() {
    const std::vector<NicSpec> old = nics_of(before_), now = nics_of(after_);
    std::vector<Pair> pairs = paired(old, now);
    if (present_) locate(pairs, old, present_->nics);
    for (const Pair& pair : pairs)
      if (!pair.equal && !is_same_nic(pair, old, now))
        add(field_of("nics", pair), pair.before ? nic_words(old[*pair.before]) : "",
            pair.after ? nic_words(now[*pair.after]) : "");
  }

  /// What is the default is no change where the machine has it.
  [[nodiscard]] bool is_same_nic(const Pair& pair, const std::vector<NicSpec>& old,
                                 const std::vector<NicSpec>& now) const {
    if (!pair.before || !pair.after) return false;
    NicSpec same = old[*pair.before];
    const NicSpec& wish = now[*pair.after];
    const bool guarded = is_guarded(same);
    same.antispoof = wish.antispoof;
    return same == wish && guarded == is_guarded(wish) &&
           (!present_ || (pair.present && present_->nics[*pair.present].is_guarded() == guarded));
  }

  [[nodiscard]] const MachineName& name() const { return after_.wish.name; }
};

}  // namespace

std::vector<FieldChange> changes_of(const CloudMachine& before, const CloudMachine& after) {
  return Comparer(before, after, nullptr).run();
}

std::vector<FieldChange> changes_of(const CloudMachine& before, const CloudMachine& after,
                                    const MachineSpec& present) {
  return Comparer(before, after, &present).run();
}

}  // namespace nutshell
