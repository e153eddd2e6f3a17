// What makes a machine's disk or NIC the one that the file means: the things that cannot change
// while it stays the same one.
#include "core/cloud_lists.hpp"

#include <fmt/format.h>

#include <array>

namespace nutshell {
namespace {

bool is_by_hand(const MachineSpec& present, std::size_t disk) {
  const auto origin = present.origins.find(fmt::format("disk.{}", disk));
  return origin != present.origins.end() && origin->second.starts_with("option ");
}

/// The same disk, attached otherwise.
bool is_kin(const DiskSpec& one, const DiskSpec& other) {
  DiskSpec same = one;
  same.bus = other.bus, same.cache = other.cache, same.aio = other.aio;
  same.discard = other.discard, same.read_only = other.read_only;
  same.format_named = other.format_named;
  return same == other;
}

/// Lays the disks that a file named along those of the machine. As many as can be are found; where
/// some were dropped by hand, those that have their size, then those that stay in the file.
class Lining {
 public:
  Lining(const std::vector<DiskSpec>& before, const MachineSpec& present,
         const std::vector<bool>& stays)
      : words_(before.size()), disks_(present.disks.size()), value_(words_ * disks_) {
    for (std::size_t i = 0; i < words_; ++i)
      for (std::size_t j = 0; j < disks_; ++j)
        if (const int like = likeness(before[i], present.disks[j]); like && !is_by_hand(present, j))
          value_[i * disks_ + j] = {1, like == exactly_alike, stays[i]};
    const std::size_t all = (words_ + 1) * (disks_ + 1);
    head_.resize(all), tail_.resize(all);
    for (std::size_t i = 0; i <= words_; ++i)
      for (std::size_t j = 0; j <= disks_; ++j) {
        Score& score = head_[at(i, j)];
        if (i) score = std::max(score, head_[at(i - 1, j)]);
        if (j) score = std::max(score, head_[at(i, j - 1)]);
        if (i && j && can(i - 1, j - 1))
          score = std::max(score, sum(head_[at(i - 1, j - 1)], value_[(i - 1) * disks_ + j - 1]));
      }
    for (std::size_t i = words_ + 1; i-- > 0;)
      for (std::size_t j = disks_ + 1; j-- > 0;) {
        Score& score = tail_[at(i, j)];
        if (i < words_) score = std::max(score, tail_[at(i + 1, j)]);
        if (j < disks_) score = std::max(score, tail_[at(i, j + 1)]);
        if (i < words_ && j < disks_ && can(i, j)) score = std::max(score, with(i, j));
      }
  }

  [[nodiscard]] std::vector<std::optional<std::size_t>> found() const {
    std::vector<std::optional<std::size_t>> found(words_);
    for (std::size_t i = 0, j = 0; i < words_ && j < disks_;) {
      if (can(i, j) && tail_[at(i, j)] == with(i, j))
        found[i++] = j++;
      else if (tail_[at(i, j)] == tail_[at(i, j + 1)])
        ++j;
      else
        ++i;
    }
    return found;
  }

  /// No other way to lay them finds as many, and this one elsewhere or not at all.
  [[nodiscard]] bool is_sure(std::size_t word, std::size_t disk) const {
    const int most = tail_[0][0];
    for (std::size_t j = 0; j <= disks_; ++j) {
      if (head_[at(word, j)][0] + tail_[at(word + 1, j)][0] == most) return false;
      if (j < disks_ && j != disk && can(word, j) &&
          head_[at(word, j)][0] + 1 + tail_[at(word + 1, j + 1)][0] == most)
        return false;
    }
    return true;
  }

 private:
  using Score = std::array<int, 3>;  ///< how many, of them exactly alike, of them that stay
  std::size_t words_, disks_;
  std::vector<Score> value_;        ///< of that disk for that word; nothing: it cannot be
  std::vector<Score> head_, tail_;  ///< the best of those before both, and from both on

  [[nodiscard]] std::size_t at(std::size_t i, std::size_t j) const { return i * (disks_ + 1) + j; }
  [[nodiscard]] bool can(std::size_t i, std::size_t j) const {
    return value_[i * disks_ + j][0] > 0;
  }
  [[nodiscard]] Score with(std::size_t i, std::size_t j) const {
    return sum(value_[i * disks_ + j], tail_[at(i + 1, j + 1)]);
  }
  static Score sum(const Score& one, const Score& other) {
    return {one[0] + other[0], one[1] + other[1], one[2] + other[2]};
  }
};

/// Lays the two versions beside one another: what is the same at both ends, then what is only
/// attached otherwise there, then the rest by its position.
std::vector<Pair> pairs_of(const std::vector<DiskSpec>& before, const std::vector<DiskSpec>& grown,
                           const std::vector<DiskSpec>& after) {
  std::size_t head = 0, old_end = before.size(), new_end = after.size();
  const auto narrow = [&](bool (*same)(const DiskSpec&, const DiskSpec&)) {
    const auto is_same = [&](std::size_t i, std::size_t j) {
      return same(before[i], after[j]) || same(grown[i], after[j]);
    };
    while (head < std::min(old_end, new_end) && is_same(head, head)) ++head;
    while (head < std::min(old_end, new_end) && is_same(old_end - 1, new_end - 1))
      --old_end, --new_end;
  };
  narrow([](const DiskSpec& one, const DiskSpec& other) { return one == other; });
  narrow(is_kin);
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < std::max(old_end, new_end); ++i) {
    Pair pair;
    if (i < old_end) pair.before = i;
    if (i < new_end) pair.after = i;
    pairs.push_back(pair);
  }
  for (std::size_t i = 0; old_end + i < before.size(); ++i)
    pairs.push_back({old_end + i, new_end + i, false, {}});
  for (Pair& pair : pairs)
    pair.equal = pair.before && pair.after && before[*pair.before] == after[*pair.after];
  return pairs;
}

}  // namespace

std::vector<Pair> paired_disks(const std::vector<DiskSpec>& before,
                               const std::vector<DiskSpec>& after, const MachineSpec* present) {
  if (!present) return pairs_of(before, before, after);
  std::vector<DiskSpec> grown = before;
  std::vector<bool> stays(before.size(), true);
  const Lining lining(before, *present, stays);
  const auto there = lining.found();
  for (std::size_t i = 0; i < before.size(); ++i)
    if (there[i] && lining.is_sure(i, *there[i])) grown[i].size = present->disks[*there[i]].size;
  std::vector<Pair> pairs = pairs_of(before, grown, after);
  for (const Pair& pair : pairs)
    if (pair.before) stays[*pair.before] = pair.after.has_value();
  const auto found = Lining(before, *present, stays).found();
  for (Pair& pair : pairs) {
    if (!pair.before) continue;
    pair.present = found[*pair.before];
    pair.sure = pair.present && lining.is_sure(*pair.before, *pair.present);
  }
  return pairs;
}

int likeness(const DiskSpec& wish, const DiskSpec& present) {
  if (wish.ours() != present.ours()) return 0;
  if (!wish.ours()) return wish.path == present.path ? exactly_alike : 0;
  const bool volume_group = wish.vg.empty() || wish.vg == present.vg;
  if (!volume_group || wish.format != present.format ||
      wish.backing.empty() != present.backing.empty())
    return 0;
  if (!wish.backing.empty() && wish.backing.front() != present.backing.front()) return 0;
  if (*present.size < *wish.size) return 0;  // a disk only ever grows
  return wish.size == present.size ? exactly_alike : alike;
}

int likeness(const NicSpec& wish, const NicSpec& present) {
  // The default is a network for root and user mode for everybody else.
  const bool open = wish.kind == NicKind::network && wish.network.empty();
  if (open && (present.kind == NicKind::network || present.kind == NicKind::user))
    return present.model == wish.model ? exactly_alike : alike;
  if (wish.kind != present.kind || wish.uplink != present.uplink) return 0;
  if (wish.kind == NicKind::bridge && wish.bridge != present.bridge) return 0;
  if (wish.kind == NicKind::network && wish.network != present.network) return 0;
  const bool named = (wish.mac && wish.mac == present.mac) || (wish.ip && wish.ip == present.ip);
  return named ? exactly_alike : alike;
}

bool leaves_nics_open(const CloudMachine& machine) {
  return machine.wish.nics.empty() && !machine.wish.origins.contains("nic");
}

std::vector<NicSpec> nics_of(const CloudMachine& machine) {
  return leaves_nics_open(machine) ? std::vector(1, NicSpec{}) : machine.wish.nics;
}

}  // namespace nutshell
