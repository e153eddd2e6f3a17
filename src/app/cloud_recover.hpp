// Clouds that the registry has lost, or of which it knows less than their notes do.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "app/house.hpp"

namespace nutshell {

/// What clouds held that the registry has lost, by their notes: the cloud, and a range or subnet.
std::vector<std::pair<std::string, std::string>> lost_cloud_ranges(House& house);
/// Puts the clouds of the notes that the registry does not know into it, with all that they held;
/// gives their names. Of one that it knows from an earlier day, it learns what the note has more.
/// Each by itself: what cannot be is named in `failed`.
std::vector<std::string> recover_clouds(House& house, std::vector<std::string>& failed);

}  // namespace nutshell
