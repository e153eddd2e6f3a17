// A thin turn of netlink's words into ours.
#include "host/probe.hpp"

#include <fmt/format.h>

#include "nl/arp.hpp"
#include "nl/error.hpp"
#include "nl/socket.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {

std::vector<IpFact> probe_addresses(const std::string& bridge, const std::vector<Ipv4>& addresses) {
  if (addresses.empty()) return {};
  std::vector<std::uint32_t> asked;
  for (const Ipv4 address : addresses) asked.push_back(address.value);
  std::vector<IpFact> facts;
  try {
    nl::Socket socket;
    for (const nl::ArpAnswer& answer : nl::probe_addresses(socket, bridge, asked)) {
      std::uint64_t mac = 0;
      for (const std::uint8_t byte : answer.mac) mac = mac << 8 | byte;
      facts.push_back({Ipv4{answer.ip}, fmt::format("{} on {}, which answers for it", to_string(Mac{mac}), bridge)});
    }
  } catch (const nl::Error& error) {
    throw SystemError(error.code(), error.subject() + ": cannot " + error.operation());
  }
  return facts;
}

}  // namespace nutshell::host
