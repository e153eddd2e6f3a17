// Small questions to the facts, and our marks. A mark is read strictly: the whole text must be one
// that we would have written, because a name that merely looks like ours proves nothing.
#include "nutshell/facts.hpp"

#include <algorithm>

namespace nutshell {
namespace {

constexpr std::string_view prefix = "nutshell:", network_prefix = "nutshell:network:";

bool is_number(std::string_view text) {
  if (text.empty() || text.size() > 4 || (text.size() > 1 && text[0] == '0')) return false;
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

const LinkFact* Facts::link(std::string_view name) const {
  const auto found = std::find_if(links.begin(), links.end(),
                                  [&](const LinkFact& link) { return link.name == name; });
  return found == links.end() ? nullptr : &*found;
}

bool Facts::has_foreign_port(const LinkFact& bridge) const {
  return std::any_of(links.begin(), links.end(), [&](const LinkFact& link) {
    return bridge.index != 0 && link.master == bridge.index && !is_mark(link.alias);
  });
}

std::string tap_mark(const MachineName& name, unsigned nic) {
  return std::string(prefix) + name.cloud + "/" + name.name + ":" + std::to_string(nic);
}

std::string network_mark(const std::string& network) {
  return std::string(network_prefix) + network;
}

std::string bridge_mark(const std::string& bridge) { return "nutshell:bridge:" + bridge; }

bool is_mark(std::string_view alias) {
  if (alias.substr(0, network_prefix.size()) == network_prefix) {
    alias.remove_prefix(network_prefix.size());
    // The name alone, or with the tag of the registry that the network is in: NAME:TAG.
    const std::size_t tag = alias.find(':');
    return is_name(alias.substr(0, tag)) &&
           (tag == std::string_view::npos || is_name(alias.substr(tag + 1)));
  }
  if (alias.substr(0, prefix.size()) != prefix) return false;
  alias.remove_prefix(prefix.size());
  const std::size_t slash = alias.find('/'), colon = alias.find(':');
  if (slash == std::string_view::npos || colon == std::string_view::npos || colon < slash)
    return false;
  return is_name(alias.substr(0, slash)) && is_name(alias.substr(slash + 1, colon - slash - 1)) &&
         is_number(alias.substr(colon + 1));
}

}  // namespace nutshell
