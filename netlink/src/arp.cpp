// Before an address of a shared wire is given to a machine, ask that wire: no table of this host
// can show a stranger that was silent so far. One question for each address, one wait for all. The
// sender address is 0, so that the question itself changes nobody's ARP cache (RFC 5227).
#include "nl/arp.hpp"

#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <thread>

#include "link_parts.hpp"

namespace nl {
namespace {

struct ArpPacket {
  std::uint16_t hardware, protocol;
  std::uint8_t hardware_size, protocol_size;
  std::uint16_t operation;
  Mac sender_mac;
  std::array<std::uint8_t, 4> sender_ip;
  Mac target_mac;
  std::array<std::uint8_t, 4> target_ip;
};
static_assert(sizeof(ArpPacket) == 28);

class PacketSocket {
 public:
  PacketSocket() : fd_(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  PacketSocket(const PacketSocket&) = delete;
  PacketSocket& operator=(const PacketSocket&) = delete;
  ~PacketSocket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

std::array<std::uint8_t, 4> to_wire(std::uint32_t ip) {
  const std::uint32_t ordered = htonl(ip);
  std::array<std::uint8_t, 4> bytes;
  std::memcpy(bytes.data(), &ordered, sizeof ordered);
  return bytes;
}

std::uint32_t from_wire(const std::array<std::uint8_t, 4>& bytes) {
  std::uint32_t ordered;
  std::memcpy(&ordered, bytes.data(), sizeof ordered);
  return ntohl(ordered);
}

sockaddr_ll destination(int index, const Mac& mac) {
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(ETH_P_ARP);
  to.sll_ifindex = index;
  to.sll_halen = mac.size();
  std::memcpy(to.sll_addr, mac.data(), mac.size());
  return to;
}

/// What `packet` says about one of `wanted`: that somebody has it, or probes for it too.
std::optional<ArpAnswer> read_answer(const ArpPacket& packet, const Mac& own,
                                     const std::set<std::uint32_t>& wanted) {
  if (packet.hardware != htons(ARPHRD_ETHER) || packet.protocol != htons(ETH_P_IP) ||
      packet.sender_mac == own) {
    return std::nullopt;
  }
  const std::uint32_t sender = from_wire(packet.sender_ip), target = from_wire(packet.target_ip);
  if (wanted.count(sender)) return ArpAnswer{sender, packet.sender_mac, false};
  const bool probe = sender == 0 && packet.operation == htons(ARPOP_REQUEST);
  if (probe && wanted.count(target)) return ArpAnswer{target, packet.sender_mac, true};
  return std::nullopt;
}

/// The kernel sends nothing until a while after the carrier came, and drops it without a word
/// before.
bool wait_for_carrier(Socket& socket, const Link& link, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  if (link.running) return true;
  while (std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const auto now = find_link(socket, link);
    if (!now || !now->up) {
      throw Error("link " + link.name, "send ARP probes", now ? ENETDOWN : ENODEV);
    }
    if (now->running) return true;
  }
  return false;
}

}  // namespace

std::vector<ArpAnswer> probe_addresses(Socket& socket, const LinkRef& link,
                                       const std::vector<std::uint32_t>& addresses,
                                       std::chrono::milliseconds timeout) {
  constexpr const char* operation = "send ARP probes";
  const auto found = find_link(socket, link);
  if (!found) throw Error(link_subject(socket, link), operation, ENODEV);
  const auto fail = [&](int code, const std::string& hint = {}) {
    throw Error("link " + found->name, operation, code, hint);
  };
  if (!found->mac) fail(EINVAL, "it is not an Ethernet link");
  if (!found->up) fail(ENETDOWN);
  std::vector<ArpAnswer> answers;
  std::set<std::uint32_t> wanted(addresses.begin(), addresses.end());
  wanted.erase(0);
  if (wanted.empty()) return answers;

  if (!wait_for_carrier(socket, *found, timeout)) return answers;

  const PacketSocket packets;
  if (packets.fd() < 0) fail(errno);
  const sockaddr_ll here = destination(found->index, *found->mac);
  if (::bind(packets.fd(), reinterpret_cast<const sockaddr*>(&here), sizeof here) < 0) fail(errno);

  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const sockaddr_ll everyone = destination(found->index, Mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
  ArpPacket probe{
      htons(ARPHRD_ETHER), htons(ETH_P_IP), 6, 4, htons(ARPOP_REQUEST), *found->mac, {}, {}, {}};
  auto unsent = std::vector<std::uint32_t>(wanted.begin(), wanted.end());
  std::reverse(unsent.begin(), unsent.end());

  // Sending and reading take turns, so that a burst of answers never has to wait in a full socket.
  while (!wanted.empty()) {
    for (int burst = 0; burst < 64 && !unsent.empty(); ++burst) {
      probe.target_ip = to_wire(unsent.back());
      if (::sendto(packets.fd(), &probe, sizeof probe, 0,
                   reinterpret_cast<const sockaddr*>(&everyone), sizeof everyone) < 0) {
        if (errno == ENOBUFS || errno == EAGAIN || errno == EINTR) break;
        fail(errno);
      }
      unsent.pop_back();
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    pollfd readable{packets.fd(), POLLIN, 0};
    const auto patience = unsent.empty() ? left : std::min(left, std::chrono::milliseconds(1));
    if (::poll(&readable, 1, static_cast<int>(patience.count())) < 0 && errno != EINTR) fail(errno);
    ArpPacket packet{};
    while (::recv(packets.fd(), &packet, sizeof packet, 0) >= static_cast<ssize_t>(sizeof packet)) {
      if (std::chrono::steady_clock::now() >= deadline) break;
      if (const auto answer = read_answer(packet, *found->mac, wanted)) {
        wanted.erase(answer->ip);
        answers.push_back(*answer);
      }
    }
    if (readable.revents & POLLERR) fail(ENETDOWN);
  }
  if (!unsent.empty() && !wanted.empty()) fail(ETIMEDOUT, "not every probe could be sent in time");
  return answers;
}

void announce_address(Socket& socket, const LinkRef& link, std::uint32_t address) {
  constexpr const char* operation = "announce an address";
  const auto found = find_link(socket, link);
  if (!found) throw Error(link_subject(socket, link), operation, ENODEV);
  if (!found->mac || !found->up) return;
  const PacketSocket packets;
  if (packets.fd() < 0) throw Error("link " + found->name, operation, errno);
  const sockaddr_ll everyone = destination(found->index, Mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
  const ArpPacket packet{htons(ARPHRD_ETHER),
                         htons(ETH_P_IP),
                         6,
                         4,
                         htons(ARPOP_REQUEST),
                         *found->mac,
                         to_wire(address),
                         {},
                         to_wire(address)};
  if (::sendto(packets.fd(), &packet, sizeof packet, 0,
               reinterpret_cast<const sockaddr*>(&everyone), sizeof everyone) < 0 &&
      errno != ENETDOWN && errno != ENOBUFS && errno != EAGAIN)
    throw Error("link " + found->name, operation, errno);
}

}  // namespace nl
