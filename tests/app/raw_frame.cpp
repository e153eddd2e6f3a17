// Frames as they are, past every stack: what a hostile guest sends, and what really arrives on a
// wire. One static program, so that it can be put into a guest's initrd.
//   raw_frame send LINK HEX...        sends each frame, and says how many were sent
//   raw_frame listen LINK SECONDS     prints each frame that comes in, as hex, one to a line
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

std::vector<unsigned char> bytes_of(const std::string& hex) {
  std::vector<unsigned char> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<unsigned char>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

int open_on(const char* link) {
  const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
  sockaddr_ll here{};
  here.sll_family = AF_PACKET;
  here.sll_protocol = htons(ETH_P_ALL);
  here.sll_ifindex = static_cast<int>(if_nametoindex(link));
  if (fd < 0 || here.sll_ifindex == 0 ||
      ::bind(fd, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0) {
    std::perror(link);
    std::exit(1);
  }
  return fd;
}

int send_all(const char* link, char** frames) {
  const int fd = open_on(link);
  int sent = 0;
  for (; *frames; ++frames) {
    const auto bytes = bytes_of(*frames);
    if (::send(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size())) ++sent;
  }
  std::printf("sent %d\n", sent);
  return 0;
}

int listen_for(const char* link, long seconds) {
  const int fd = open_on(link);
  // Without this the kernel takes a VLAN tag out of a frame before it is read here.
  const int on = 1;
  setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on);
  packet_mreq everything{};
  everything.mr_ifindex = static_cast<int>(if_nametoindex(link));
  everything.mr_type = PACKET_MR_PROMISC;
  setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &everything, sizeof everything);
  std::puts("listening");
  std::fflush(stdout);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (std::chrono::steady_clock::now() < end) {
    pollfd ready{fd, POLLIN, 0};
    if (::poll(&ready, 1, 100) <= 0) continue;
    unsigned char frame[2048], control[256];
    sockaddr_ll from{};
    iovec part{frame, sizeof frame};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size = ::recvmsg(fd, &message, 0);
    if (size <= 0 || from.sll_pkttype == PACKET_OUTGOING) continue;
    unsigned tag = 0;
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one; one = CMSG_NXTHDR(&message, one)) {
      if (one->cmsg_level != SOL_PACKET || one->cmsg_type != PACKET_AUXDATA) continue;
      tpacket_auxdata data;
      std::memcpy(&data, CMSG_DATA(one), sizeof data);
      if (data.tp_status & TP_STATUS_VLAN_VALID) tag = 0x81000000u | data.tp_vlan_tci;
    }
    for (ssize_t i = 0; i < size; ++i) {
      if (i == 12 && tag) std::printf("%08x", tag);
      std::printf("%02x", frame[i]);
    }
    std::puts("");
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 2 ? argv[1] : "";
  if (verb == "send") return send_all(argv[2], argv + 3);
  if (verb == "listen" && argc == 4) return listen_for(argv[2], std::strtol(argv[3], nullptr, 10));
  std::fputs("raw_frame send LINK HEX... | raw_frame listen LINK SECONDS\n", stderr);
  return 2;
}
