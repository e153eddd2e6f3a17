// Who starts after whom. The machines of one entry all wait for the same, so a cycle among machines
// is a cycle among entries, and is looked for there.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/cloud_parts.hpp"

namespace nutshell {
namespace {

constexpr std::size_t most_waits = 100000;
constexpr std::size_t cycles_told = 3, most_named = 8;

class Order {
 public:
  Order(const std::vector<MachineEntry>& entries, CloudReading& reading)
      : entries_(entries), reading_(reading), waits_(entries.size()) {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].machine.entry.empty()) continue;
      by_entry_.emplace(entries[i].machine.entry, i);
      for (unsigned n = 0; n < entries[i].count; ++n) by_machine_.emplace(entries[i].name_of(n), i);
    }
  }

  void read() {
    for (std::size_t i = 0; i < entries_.size(); ++i) resolve(i);
    refuse_cycles();
    std::size_t waits = 0;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const std::vector<After> after = expanded(i);
      waits += after.size() * entries_[i].count;
      if (waits > most_waits) {
        reading_.problems.push_back(
            {entries_[i].after_places.front(),
             fmt::format("the machines wait for one another more than {} times; wait for one of "
                         "many, such as {}",
                         most_waits, after.front().machine)});
        return;
      }
      for (unsigned n = 0; n < entries_[i].count; ++n) {
        CloudMachine machine = entries_[i].machine;
        machine.wish.name.name = entries_[i].name_of(n);
        machine.after = after;
        reading_.spec.machines.push_back(std::move(machine));
      }
    }
  }

 private:
  const std::vector<MachineEntry>& entries_;
  CloudReading& reading_;
  std::map<std::string, std::size_t> by_entry_, by_machine_;
  std::vector<std::vector<std::pair<std::size_t, std::string>>> waits_;  ///< with their places

  std::optional<std::size_t> find(const std::string& name) const {
    for (const auto* names : {&by_machine_, &by_entry_})
      if (const auto found = names->find(name); found != names->end()) return found->second;
    return std::nullopt;
  }

  void resolve(std::size_t index) {
    const MachineEntry& entry = entries_[index];
    for (std::size_t i = 0; i < entry.after.size(); ++i) {
      const std::string& name = entry.after[i].machine;
      const std::string& place = entry.after_places[i];
      const auto other = find(name);
      if (!other)
        reading_.problems.push_back(
            {place, "after: there is no machine " + quoted(name) + " in this file" + hint(name)});
      else if (*other == index)
        reading_.problems.push_back(
            {place, fmt::format("after: machine {} cannot wait for itself; leave {} out",
                                quoted(entry.machine.entry), quoted(name))});
      else
        waits_[index].emplace_back(*other, place);
    }
  }

  std::string hint(const std::string& name) const {
    std::vector<std::string> known;
    for (const auto& [entry, index] : by_entry_) known.push_back(entry);
    const std::string guess = suggestion(name, known);
    return guess.empty() ? "; name one that is" : guess;
  }

  /// Depth first, without recursion: a file can hold a chain of any length.
  void refuse_cycles() {
    enum class Mark { unseen, on_the_way, done };
    struct Visit {
      std::size_t entry, next;
    };
    std::vector<Mark> marks(entries_.size(), Mark::unseen);
    std::size_t told = 0;
    for (std::size_t start = 0; start < entries_.size(); ++start) {
      if (marks[start] != Mark::unseen) continue;
      std::vector<Visit> way{{start, 0}};
      marks[start] = Mark::on_the_way;
      while (!way.empty()) {
        Visit& here = way.back();
        if (here.next == waits_[here.entry].size()) {
          marks[here.entry] = Mark::done;
          way.pop_back();
          continue;
        }
        const auto& [other, place] = waits_[here.entry][here.next++];
        if (marks[other] == Mark::unseen) {
          marks[other] = Mark::on_the_way;
          way.push_back({other, 0});
        } else if (marks[other] == Mark::on_the_way && told++ < cycles_told) {
          tell(way, other, place);
        }
      }
    }
  }

  template <class Way>
  void tell(const Way& way, std::size_t first, const std::string& place) {
    const auto begin = std::find_if(way.begin(), way.end(),
                                    [&](const auto& visit) { return visit.entry == first; });
    const auto length = static_cast<std::size_t>(way.end() - begin);
    std::string words;
    for (std::size_t i = 0; i < std::min(length, most_named); ++i)
      words += entries_[begin[static_cast<std::ptrdiff_t>(i)].entry].machine.entry + " after ";
    // All but one, as "1 more" would be no shorter.
    if (length > most_named + 1)
      words += fmt::format("{} more after ", length - most_named);
    else if (length > most_named)
      words += entries_[way.back().entry].machine.entry + " after ";
    reading_.problems.push_back(
        {place, fmt::format("after: {}{} is a circle, in which none could be the first; leave one "
                            "of them out",
                            words, entries_[first].machine.entry)});
  }

  /// What an entry waits for, machine by machine.
  std::vector<After> expanded(std::size_t index) const {
    std::vector<After> all;
    std::map<After, bool> known;
    for (const After& after : entries_[index].after) {
      const auto add = [&](const std::string& machine) {
        if (known.emplace(After{machine, after.condition}, true).second)
          all.push_back({machine, after.condition});
      };
      if (by_machine_.contains(after.machine)) {
        add(after.machine);
      } else if (const auto found = by_entry_.find(after.machine); found != by_entry_.end()) {
        for (unsigned n = 0; n < entries_[found->second].count; ++n)
          add(entries_[found->second].name_of(n));
      }
    }
    return all;
  }
};

}  // namespace

void read_order(const std::vector<MachineEntry>& entries, CloudReading& reading) {
  Order(entries, reading).read();
}

}  // namespace nutshell
