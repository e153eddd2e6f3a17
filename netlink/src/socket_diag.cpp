// Who holds which TCP port, by NETLINK_SOCK_DIAG. Connecting to find out misses what is bound but
// not yet listening, and what listens in the other address family; /proc/net/tcp misses the former
// too. The port range goes to the kernel as its little filter program, so that a host with a
// hundred thousand connections answers as quickly as an idle one.
#include "nl/socket_diag.hpp"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

#include "wire.hpp"

namespace nl {
namespace {

/// Two tests, each an op followed by its number: port >= low, port <= high. `no` jumps past the
/// end, which rejects.
std::array<inet_diag_bc_op, 4> port_program(std::uint16_t low, std::uint16_t high) {
  constexpr std::uint8_t pair = 2 * sizeof(inet_diag_bc_op);
  constexpr std::uint16_t reject_from_first = 2 * pair + 4, reject_from_second = pair + 4;
  return {{{INET_DIAG_BC_S_GE, pair, reject_from_first},
           {0, 0, low},
           {INET_DIAG_BC_S_LE, pair, reject_from_second},
           {0, 0, high}}};
}

Ip parse_ip(const __be32* words, Family family) {
  Ip ip;
  ip.family = family;
  std::memcpy(ip.bytes.data(), words, ip.size());
  return ip;
}

TcpSocket parse_socket(nlmsghdr* message, const inet_diag_msg& said) {
  const auto family = static_cast<Family>(said.idiag_family);
  TcpSocket socket;
  socket.local = parse_ip(said.id.idiag_src, family);
  socket.port = ntohs(said.id.idiag_sport);
  socket.remote = parse_ip(said.id.idiag_dst, family);
  socket.remote_port = ntohs(said.id.idiag_dport);
  socket.state = static_cast<TcpState>(said.idiag_state);
  // Asked for "bound, inactive", the kernel answers with the state in the socket, which is still
  // "close".
  if (socket.state == TcpState::close) socket.state = TcpState::bound_inactive;
  socket.v6_only = Attributes(message, sizeof(inet_diag_msg)).u8(INET_DIAG_SKV6ONLY) != 0;
  socket.inode = said.idiag_inode;
  socket.uid = said.idiag_uid;
  constexpr std::uint8_t retransmission_timer = 1;  // inet_diag.h leaves it without a name
  if (said.idiag_timer == retransmission_timer) socket.retransmits = said.idiag_retrans;
  return socket;
}

}  // namespace

std::vector<TcpSocket> list_tcp_sockets(std::uint16_t port_low, std::uint16_t port_high,
                                        TcpStates states) {
  Wire wire(NETLINK_SOCK_DIAG);
  const auto program = port_program(port_low, port_high);
  std::vector<TcpSocket> all;
  for (const Family family : {Family::v4, Family::v6}) {
    Message message(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    auto& request = message.header<inet_diag_req_v2>();
    request.sdiag_family = static_cast<std::uint8_t>(family);
    request.sdiag_protocol = IPPROTO_TCP;
    request.idiag_states = states;
    message.value(INET_DIAG_REQ_BYTECODE, program);
    auto some = wire.dump<TcpSocket>(message, "TCP sockets", [&](nlmsghdr* part, auto& out) {
      if (part->nlmsg_type != SOCK_DIAG_BY_FAMILY) return;
      const auto* said = static_cast<const inet_diag_msg*>(::nlmsg_data(part));
      if (said->idiag_family == static_cast<std::uint8_t>(family))
        out.push_back(parse_socket(part, *said));
    });
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace nl
