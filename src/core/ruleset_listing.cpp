// What nft 1.0 leaves out of its JSON, or prints there wrongly, stands in the text that it prints
// for people: the devices of netdev chains, and which tables are dormant.
#include <algorithm>
#include <sstream>

#include "nutshell/ruleset.hpp"

namespace nutshell {

void add_devices(Ruleset& ruleset, std::string_view listing) {
  std::istringstream lines{std::string(listing)};
  std::string table, chain;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first, second, third;
    words >> first >> second >> third;
    if (first == "table") table = third;
    if (first == "chain") chain = second;
    const std::size_t from = line.find(" device"), to = line.find(" priority ");
    if (first != "type" || from == std::string::npos || to == std::string::npos) continue;
    // `device "em1"`, or `devices = { em1, em2 }`.
    std::string names = line.substr(from + 7, to - from - 7);
    std::replace_if(
        names.begin(), names.end(),
        [](char c) { return c == '"' || c == ',' || c == '{' || c == '}' || c == '='; }, ' ');
    std::istringstream each(names);
    for (FilterChain& known : ruleset.chains)
      if (known.family == "netdev" && known.table == table && known.name == chain &&
          known.devices.empty())
        for (std::string name; each >> name;)
          if (name != "s") known.devices.push_back(name);
  }
}

void unhook_dormant(Ruleset& ruleset, std::string_view listing) {
  std::istringstream lines{std::string(listing)};
  std::string family, table;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first, second, third;
    words >> first >> second >> third;
    if (first == "table") family = second, table = third;
    if (first != "flags" || line.find("dormant") == std::string::npos ||
        line.starts_with("\t\t"))  // of a set
      continue;
    for (FilterChain& chain : ruleset.chains)
      if (chain.family == family && chain.table == table && !chain.legacy) chain.hook.clear();
  }
}

}  // namespace nutshell
