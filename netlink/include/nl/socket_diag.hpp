// TCP sockets of this network namespace as the kernel lists them, with those that are bound but not
// listening.
#pragma once

#include <cstdint>
#include <vector>

#include "nl/ip.hpp"

namespace nl {

/// TCP_*; bound_inactive (bound, neither listening nor connected) is told by kernels from 6.8 on.
enum class TcpState : std::uint8_t {
  established = 1,
  syn_sent,
  syn_received,
  fin_wait1,
  fin_wait2,
  time_wait,
  close,
  close_wait,
  last_ack,
  listen,
  closing,
  new_syn_received,
  bound_inactive
};

/// A set of states, one bit for each.
using TcpStates = std::uint32_t;
constexpr TcpStates only(TcpState state) { return TcpStates{1} << static_cast<unsigned>(state); }
/// What holds a port against a new listener: listening, or bound and not yet listening.
inline constexpr TcpStates holding_states = only(TcpState::listen) | only(TcpState::bound_inactive);
inline constexpr TcpStates every_state = 0x3ffe;

struct TcpSocket {
  Ip local{};  ///< 0.0.0.0 or :: for every address
  std::uint16_t port = 0;
  Ip remote{};
  std::uint16_t remote_port = 0;
  TcpState state = TcpState::close;
  bool v6_only = false;  ///< an IPv6 listener that takes no IPv4 connection; false where the kernel
                         ///< does not say
  std::uint32_t inode =
      0;  ///< as in /proc/PID/fd: socket:[INODE]; 0 where it has no owner any more
  std::uint32_t uid = 0;
  unsigned retransmits = 0;  ///< how often what is on its way was sent again, unanswered
};

/// IPv4 and IPv6 sockets whose local port is in [port_low, port_high], of the calling thread's
/// network namespace. The kernel does the filtering. Throws nl::Error.
std::vector<TcpSocket> list_tcp_sockets(std::uint16_t port_low, std::uint16_t port_high,
                                        TcpStates states = holding_states);

}  // namespace nl
