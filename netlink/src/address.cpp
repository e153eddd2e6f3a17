// Addresses over RTM_*ADDR. What is listed can be added again as it is (the adoption of an uplink
// does that), so each attribute that the kernel takes is kept, and IPv4's double meaning of
// IFA_ADDRESS (the peer, where there is one) is resolved here and nowhere else.
#include "nl/address.hpp"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "link_parts.hpp"

namespace nl {
namespace {

Address parse_address(nlmsghdr* message) {
  const auto* header = static_cast<const ifaddrmsg*>(::nlmsg_data(message));
  const Attributes at(message, sizeof(ifaddrmsg));
  Address address;
  address.index = static_cast<int>(header->ifa_index);
  address.prefix = header->ifa_prefixlen;
  address.scope = header->ifa_scope;
  address.flags = at.u32(IFA_FLAGS, header->ifa_flags);
  address.ip = at.has(IFA_LOCAL) ? at.ip(IFA_LOCAL) : at.ip(IFA_ADDRESS);
  if (at.has(IFA_ADDRESS) && at.ip(IFA_ADDRESS) != address.ip) address.peer = at.ip(IFA_ADDRESS);
  address.broadcast = at.ip(IFA_BROADCAST);
  address.label = at.text(IFA_LABEL);
  const auto life = at.value<ifa_cacheinfo>(IFA_CACHEINFO, {forever, forever, 0, 0});
  address.valid_lifetime = life.ifa_valid;
  address.preferred_lifetime = life.ifa_prefered;
  address.metric = at.u32(IFA_RT_PRIORITY);
  address.protocol = at.u8(IFA_PROTO);
  return address;
}

void send(Socket& socket, const LinkRef& link, const Address& address, int type, int flags,
          const std::string& verb) {
  const std::string operation = verb + " address " + address.text();
  if (address.ip.empty() || address.prefix > address.ip.size() * 8) {
    throw Error(link_subject(socket, link), operation, EINVAL);
  }
  Message message(type, flags);
  auto& header = message.header<ifaddrmsg>();
  header.ifa_family = static_cast<std::uint8_t>(address.ip.family);
  header.ifa_prefixlen = address.prefix;
  header.ifa_scope = address.scope;
  header.ifa_flags = static_cast<std::uint8_t>(address.flags);
  header.ifa_index = static_cast<unsigned>(link_index(socket, link));
  message.ip(IFA_LOCAL, address.ip);
  message.ip(IFA_ADDRESS, address.peer.empty() ? address.ip : address.peer);
  if (type == RTM_NEWADDR) {
    if (!address.broadcast.empty()) message.ip(IFA_BROADCAST, address.broadcast);
    if (!address.label.empty()) message.text(IFA_LABEL, address.label);
    if (address.flags > 0xff) message.u32(IFA_FLAGS, address.flags);
    if (address.metric) message.u32(IFA_RT_PRIORITY, address.metric);
    if (address.protocol) message.u8(IFA_PROTO, address.protocol);
    if (address.valid_lifetime != forever || address.preferred_lifetime != forever) {
      const ifa_cacheinfo life{address.preferred_lifetime, address.valid_lifetime, 0, 0};
      message.value(IFA_CACHEINFO, life);
    }
  }
  check(socket, socket.wire().exchange(message), link, operation);
}

}  // namespace

std::vector<Address> list_addresses(Socket& socket, const AddressFilter& filter) {
  Message message(RTM_GETADDR, NLM_F_DUMP);
  message.header<ifaddrmsg>().ifa_family = static_cast<std::uint8_t>(filter.family);
  return socket.wire().dump<Address>(
      message, "addresses", [&](nlmsghdr* part, std::vector<Address>& out) {
        if (part->nlmsg_type != RTM_NEWADDR) return;
        Address address = parse_address(part);
        if (filter.index > 0 && address.index != filter.index) return;
        if (filter.family != Family::none && address.ip.family != filter.family) return;
        if (!address.ip.empty()) out.push_back(std::move(address));
      });
}

void add_address(Socket& socket, const LinkRef& link, const Address& address) {
  send(socket, link, address, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "add");
}
void replace_address(Socket& socket, const LinkRef& link, const Address& address) {
  send(socket, link, address, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, "replace");
}
void remove_address(Socket& socket, const LinkRef& link, const Address& address) {
  send(socket, link, address, RTM_DELADDR, 0, "remove");
}

}  // namespace nl
