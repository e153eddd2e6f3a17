// Connections that are open, ended: where an address or a port changes hands, they would go on to
// whoever had it, or to whoever comes next.
#pragma once
#include <functional>

#include "nutshell/values.hpp"

namespace nutshell::host {

/// A connection that the kernel tracks, IPv4.
struct Flow {
  Ipv4 source, destination;       ///< of its first packet, as it came
  Ipv4 answers_from, answers_to;  ///< of what comes back, before it is translated
  bool udp = false, tcp = false;
  unsigned port = 0;   ///< the first packet's destination port
  bool to_us = false;  ///< the destination is an address of this host
  [[nodiscard]] bool names(Ipv4 address) const {
    return source == address || destination == address || answers_from == address ||
           answers_to == address;
  }
};

/// Makes the kernel forget the connections that `which` chooses; their next packets are new ones,
/// and the rules decide. Nothing happens where the kernel tracks none. Throws Failed.
void end_flows(const std::function<bool(const Flow&)>& which);

}  // namespace nutshell::host
