// Two versions of a list of disks or NICs, laid beside one another and beside what the machine has
// now. The file's own come first in a machine, in its order; what was added by hand comes behind.
#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "nutshell/cloud.hpp"

namespace nutshell {

/// One place of the two lists: only in the one before, only in the one after, or in both.
struct Pair {
  std::optional<std::size_t> before, after;
  bool equal = false;
  std::optional<std::size_t> present;  ///< where the machine has what was before
  bool sure = true;                    ///< of a disk: it cannot be another one of the machine's
};

inline constexpr int alike = 1, exactly_alike = 2;
/// How much of what the file said a machine's disk or NIC is: 0 nothing, more is nearer.
int likeness(const DiskSpec& wish, const DiskSpec& present);
int likeness(const NicSpec& wish, const NicSpec& present);

/// The NICs that a wish stands for: one that is left to the default is there, too, as NicSpec{}.
std::vector<NicSpec> nics_of(const CloudMachine& machine);
/// Nothing is said about NICs, so that the host's default decides.
bool leaves_nics_open(const CloudMachine& machine);

/// The disks, with where the machine has them. A disk of the file may have been grown by hand, and
/// then is what a file means that says its size now. Only in their order, which no edit changes;
/// what was put in by hand is none of the file's. nullptr: there is no machine.
std::vector<Pair> paired_disks(const std::vector<DiskSpec>& before,
                               const std::vector<DiskSpec>& after, const MachineSpec* present);

/// What is equal at both ends is paired first, then the rest by its position.
template <class Item>
std::vector<Pair> paired(const std::vector<Item>& before, const std::vector<Item>& after) {
  const std::size_t least = std::min(before.size(), after.size());
  std::size_t head = 0, tail = 0;
  while (head < least && before[head] == after[head]) ++head;
  while (tail < least - head && before[before.size() - 1 - tail] == after[after.size() - 1 - tail])
    ++tail;
  std::vector<Pair> pairs;
  const std::size_t old_end = before.size() - tail, new_end = after.size() - tail;
  for (std::size_t i = 0; i < head; ++i) pairs.push_back({i, i, true, {}});
  for (std::size_t i = head; i < std::max(old_end, new_end); ++i)
    pairs.push_back({i < old_end ? std::optional(i) : std::nullopt,
                     i < new_end ? std::optional(i) : std::nullopt,
                     false,
                     {}});
  for (std::size_t i = 0; i < tail; ++i) pairs.push_back({old_end + i, new_end + i, true, {}});
  return pairs;
}

/// Finds what was before among what the machine has: first what is as it was, then what is like it,
/// and of each what stays chooses first. Each is found once, and what was taken away by hand is not
/// found.
template <class Item>
void locate(std::vector<Pair>& pairs, const std::vector<Item>& before,
            const std::vector<Item>& present) {
  std::vector<bool> found(present.size(), false);
  const auto find = [&](Pair& pair, int least) {
    for (std::size_t i = 0; i < present.size(); ++i) {
      if (found[i] || likeness(before[*pair.before], present[i]) < least) continue;
      if (!pair.present || i == *pair.before) pair.present = i;
    }
    if (pair.present) found[*pair.present] = true;
  };
  for (const int least : {exactly_alike, alike})
    for (const bool stays : {true, false})
      for (Pair& pair : pairs)
        if (pair.before && !pair.present && pair.after.has_value() == stays) find(pair, least);
}

}  // namespace nutshell
