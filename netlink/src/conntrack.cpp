// NETLINK_NETFILTER's connection tracking, by hand: two messages are all that is needed of it, and
// libnl-3 alone is everywhere. A flow is named by its original tuple, which goes back to the kernel
// byte by byte as it came.
#include "nl/conntrack.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#include "wire.hpp"

namespace nl {
namespace {

int type_of(int message) { return NFNL_SUBSYS_CTNETLINK << 8 | message; }

void put_header(Message& message) {
  auto& header = message.header<nfgenmsg>();
  header.nfgen_family = AF_INET;
  header.version = NFNETLINK_V0;
}

Flow parse_flow(nlmsghdr* part) {
  const Attributes all(part, sizeof(nfgenmsg));
  const Attributes there = all.nested(CTA_TUPLE_ORIG), back = all.nested(CTA_TUPLE_REPLY);
  const Attributes from = there.nested(CTA_TUPLE_IP), answer = back.nested(CTA_TUPLE_IP),
                   protocol = there.nested(CTA_TUPLE_PROTO);
  Flow flow;
  flow.source = from.ip(CTA_IP_V4_SRC);
  flow.destination = from.ip(CTA_IP_V4_DST);
  flow.reply_source = answer.ip(CTA_IP_V4_SRC);
  flow.reply_to = answer.ip(CTA_IP_V4_DST);
  flow.protocol = protocol.u8(CTA_PROTO_NUM);
  flow.port = ntohs(protocol.u16(CTA_PROTO_DST_PORT));
  const auto bytes = all.bytes(CTA_TUPLE_ORIG);
  flow.tuple.assign(bytes.begin(), bytes.end());
  flow.zone = all.u16(CTA_ZONE);
  return flow;
}

}  // namespace

std::vector<Flow> list_flows() {
  Wire wire(NETLINK_NETFILTER);
  Message message(type_of(IPCTNL_MSG_CT_GET), NLM_F_DUMP);
  put_header(message);
  return wire.dump<Flow>(message, "connections", [](nlmsghdr* part, auto& out) {
    if (part->nlmsg_type == type_of(IPCTNL_MSG_CT_NEW)) out.push_back(parse_flow(part));
  });
}

void remove_flow(const Flow& flow) {
  Wire wire(NETLINK_NETFILTER);
  Message message(type_of(IPCTNL_MSG_CT_DELETE), NLM_F_ACK);
  put_header(message);
  message.bytes(CTA_TUPLE_ORIG | NLA_F_NESTED, flow.tuple);
  if (flow.zone) message.u16(CTA_ZONE, flow.zone);
  const Answer answer = wire.exchange(message);
  if (answer.error)
    throw Error("connection to " + flow.destination.text(), "end", answer.error,
                answer.kernel_says);
}

}  // namespace nl
