// The connections that the kernel tracks (nf_conntrack), IPv4 alone: they keep the address
// translation that they began with, whatever the rules have become since.
#pragma once

#include <cstdint>
#include <vector>

#include "nl/ip.hpp"

namespace nl {

struct Flow {
  Ip source{}, destination{};         ///< of its first packet, as it came
  Ip reply_source{}, reply_to{};      ///< of what answers, before it is translated back
  std::uint8_t protocol = 0;          ///< IPPROTO_*
  std::uint16_t port = 0;             ///< the first packet's destination port; 0 where it has none
  std::vector<std::uint8_t> tuple{};  ///< the original direction as the kernel wrote it
  std::uint16_t zone = 0;             ///< network byte order, as it came
};

/// Those of the calling thread's network namespace. Throws nl::Error; EINVAL, EOPNOTSUPP or
/// EPROTONOSUPPORT where the kernel tracks no connections.
std::vector<Flow> list_flows();
/// Removes one: its next packet is a new connection's. ENOENT where it has ended by itself.
void remove_flow(const Flow& flow);

}  // namespace nl
