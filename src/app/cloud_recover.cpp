// A note is written after each change, so what it has more than the registry is newer: the registry
// is one that was put in the place of another. What the registry has more stays as well: `up` gives
// back what the file does not ask for.
#include "app/cloud_recover.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_facts.hpp"
#include "app/cloud_file.hpp"
#include "app/cloud_ranges.hpp"
#include "app/lost.hpp"

namespace nutshell {
namespace {

CloudRow row_of(const std::string& name, const Json& note) {
  return {name, note.text("file"), note.at("spec").dump(), note.text("created")};
}

struct Missing {
  std::vector<Want> wants;
  std::vector<AddressRange> publics;  ///< of the wants
};

/// What the note has that the cloud does not hold.
Missing missing_ranges(const Json& note, const CloudRanges& held) {
  Missing missing;
  for (const Json& range : note.at("ranges").as_array()) {
    Want want{range.text("pool"), static_cast<int>(range.integer("index")), Lifetime::cloud,
              range.text("value")};
    if (want.index == CloudRanges::index_of_subnet) {
      if (!held.subnet) missing.wants.push_back(want);
      continue;
    }
    for (const AddressRange& whole :
         parse_ranges(*want.value).value_or(std::vector<AddressRange>{}))
      for (const AddressRange& piece : without(whole, held.publics)) {
        want.value = value_of(piece);
        missing.wants.push_back(want);
        missing.publics.push_back(piece);
      }
  }
  return missing;
}

/// True when the note lists machines that the registry has lost.
bool lists_lost(const Json& note, const std::vector<MachineSpec>& lost) {
  for (const CloudMachine& machine : cloud_from_json(note.at("spec")).machines)
    if (std::any_of(lost.begin(), lost.end(),
                    [&](const MachineSpec& spec) { return spec.name == machine.wish.name; }))
      return true;
  return false;
}

/// False when the registry knows it all.
bool put_back(House& house, const std::string& name, const Json& note,
              const std::vector<MachineSpec>& lost) {
  const CloudRanges held = ranges_of(house, name);
  Missing missing = missing_ranges(note, held);
  const bool is_behind = !house.registry().cloud(name) || lists_lost(note, lost);
  if (!is_behind && missing.wants.empty()) return false;
  if (house.dry()) return true;
  missing.publics.insert(missing.publics.end(), held.publics.begin(), held.publics.end());
  std::sort(missing.publics.begin(), missing.publics.end());
  Transaction transaction = house.registry().begin();
  if (is_behind) transaction.put_cloud(row_of(name, note));
  transaction.take_again(cloud_holder(name), missing.wants);
  transaction.set_public_pool(name, missing.publics);
  transaction.commit();
  return true;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> lost_cloud_ranges(House& house) {
  std::vector<std::pair<std::string, std::string>> lost;
  for (const std::string& name : noted_clouds(house)) {
    if (house.registry().cloud(name)) continue;
    try {
      if (const auto note = cloud_note(house, name))
        for (const Json& held : note->at("ranges").as_array())
          lost.emplace_back(name, held.text("value"));
    } catch (const Failed&) {
      // `recover` names it.
    }
  }
  return lost;
}

std::vector<std::string> recover_clouds(House& house, std::vector<std::string>& failed) {
  std::vector<std::string> names;
  const std::vector<MachineSpec> lost = lost_machines(house);
  for (const std::string& name : noted_clouds(house)) {
    try {
      const auto note = cloud_note(house, name);
      if (note && put_back(house, name, *note, lost)) names.push_back(name);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      failed.push_back(fmt::format("the cloud {}: {}", name, error.what()));
    }
  }
  return names;
}

}  // namespace nutshell
