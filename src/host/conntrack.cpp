// A translated connection is not asked again whether the rules still translate it: so the entry
// goes, after the rules have changed and never before, or the next packet would make it again.
#include "host/conntrack.hpp"

#include <netinet/in.h>

#include <cerrno>
#include <set>
#include <vector>

#include "nl/address.hpp"
#include "nl/conntrack.hpp"
#include "nl/error.hpp"
#include "nl/socket.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

std::set<std::uint32_t> own_addresses() {
  nl::Socket socket;
  std::set<std::uint32_t> all;
  for (const nl::Address& one : nl::list_addresses(socket, {.family = nl::Family::v4}))
    all.insert(one.ip.as_v4());
  return all;
}

std::vector<nl::Flow> flows() {
  try {
    return nl::list_flows();
  } catch (const nl::Error& error) {
    if (error.code() == EINVAL || error.code() == EOPNOTSUPP || error.code() == EPROTONOSUPPORT)
      return {};  // this kernel tracks none
    throw;
  }
}

}  // namespace

void end_flows(const std::function<bool(const Flow&)>& which) {
  try {
    const std::vector<nl::Flow> all = flows();
    if (all.empty()) return;
    const std::set<std::uint32_t> own = own_addresses();
    for (const nl::Flow& each : all) {
      Flow flow;
      flow.source.value = each.source.as_v4();
      flow.destination.value = each.destination.as_v4();
      flow.answers_from.value = each.reply_source.as_v4();
      flow.answers_to.value = each.reply_to.as_v4();
      flow.udp = each.protocol == IPPROTO_UDP;
      flow.tcp = each.protocol == IPPROTO_TCP;
      flow.port = each.port;
      flow.to_us = own.contains(flow.destination.value);
      if (!which(flow)) continue;
      try {
        nl::remove_flow(each);
      } catch (const nl::Error& error) {
        if (error.code() != ENOENT) throw;  // it has ended by itself
      }
    }
  } catch (const nl::Error& error) {
    throw Failed(error.what());
  }
}

}  // namespace nutshell::host
