// The loop that settles trusts no answer but the next look, so that it may begin at any half-done
// state and may be killed at any message.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <thread>

#include "host/fd.hpp"
#include "host/learnt_route.hpp"
#include "host/uplink.hpp"
#include "host/uplink_values.hpp"
#include "nl/bridge.hpp"
#include "nl/error.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr int most_passes = 8;
constexpr std::uint8_t proxy_flag = 0x08;  // NTF_PROXY

void send_address(nl::Socket& socket, const ChangeAddress& op) {
  nl::Address address = to_netlink(op.address);
  switch (op.verb) {
    case Verb::add:
      if (op.address.is_v6()) address.flags |= nl::address_flag::no_dad;
      return nl::add_address(socket, op.address.link, address);
    case Verb::change: return nl::replace_address(socket, op.address.link, address);
    case Verb::remove: return nl::remove_address(socket, op.address.link, address);
  }
}

/// What an administrator set for the uplink (no IPv6, say) holds for the link that takes its place.
/// A setting that this kernel does not have, or does not let us change, stays.
void copy_settings(const std::string& from, const std::string& to) {
  constexpr std::array settings{"ipv6/conf/{}/disable_ipv6",
                                "ipv6/conf/{}/addr_gen_mode",
                                "ipv6/conf/{}/accept_ra",
                                "ipv6/conf/{}/autoconf",
                                "ipv6/conf/{}/use_tempaddr",
                                "ipv6/conf/{}/forwarding",
                                "ipv6/conf/{}/accept_ra_defrtr",
                                "ipv6/conf/{}/accept_ra_pinfo",
                                "ipv6/conf/{}/accept_ra_mtu",
                                "ipv6/conf/{}/accept_ra_rtr_pref",
                                "ipv6/conf/{}/accept_ra_rt_info_max_plen",
                                "ipv4/conf/{}/forwarding",
                                "ipv4/conf/{}/rp_filter",
                                "ipv4/conf/{}/arp_ignore",
                                "ipv4/conf/{}/arp_announce",
                                "ipv4/conf/{}/arp_filter",
                                "ipv4/conf/{}/proxy_arp"};
  for (const char* setting : settings) {
    const std::string name = "/proc/sys/net/" + std::string(setting);
    const Fd source(::open(fmt::format(fmt::runtime(name), from).c_str(), O_RDONLY | O_CLOEXEC));
    const Fd target(::open(fmt::format(fmt::runtime(name), to).c_str(), O_RDWR | O_CLOEXEC));
    char value[32], there[32];
    const ssize_t size = source ? ::read(source.get(), value, sizeof value) : -1;
    if (size <= 0 || !target) continue;
    const ssize_t now = ::read(target.get(), there, sizeof there);
    if (now == size && std::equal(value, value + size, there)) continue;
    if (::pwrite(target.get(), value, static_cast<std::size_t>(size), 0) < 0) continue;
  }
}

struct Sender {
  nl::Socket& socket;
  void operator()(const MakeBridgeLink& op) const {
    nl::make_bridge(socket, op.bridge, {.mac = nl::parse_mac(op.mac), .mtu = op.mtu});
    copy_settings(op.like, op.bridge);
  }
  void operator()(const MarkBridge& op) const { nl::set_alias(socket, op.bridge, op.mark); }
  void operator()(const SetBridgeMac& op) const {
    nl::set_mac(socket, op.bridge, nl::parse_mac(op.mac).value_or(nl::Mac{}));
  }
  void operator()(const SetBridgeStp& op) const {
    nl::change_bridge(socket, op.bridge, {.stp = op.on});
  }
  void operator()(const SetUp& op) const { nl::change_link(socket, op.link, {.up = op.up}); }
  void operator()(const SetMaster& op) const {
    if (op.bridge.empty()) return nl::clear_master(socket, op.port);
    nl::set_master(socket, {.port = op.port, .master = op.bridge});
  }
  void operator()(const ChangeAddress& op) const { send_address(socket, op); }
  void operator()(const ChangeRoute& op) const {
    if (op.verb != Verb::remove && op.route.learnt) return add_learnt_route(socket, op.route);
    const nl::Route route =
        to_netlink(op.route, [&](const std::string& name) { return nl::link_index(socket, name); });
    op.verb == Verb::remove ? nl::remove_route(socket, route) : nl::append_route(socket, route);
  }
  void operator()(const ChangeRule& op) const {
    const nl::Rule rule = to_netlink(op.rule);
    op.verb == Verb::remove ? nl::remove_rule(socket, rule) : nl::add_rule(socket, rule);
  }
  void operator()(const ChangeNeighbour& op) const {
    if (op.verb == Verb::remove)
      return nl::remove_neighbour(socket, op.neighbour.link,
                                  nl::Ip::parse(op.neighbour.ip).value_or(nl::Ip{}),
                                  op.neighbour.is_proxy() ? proxy_flag : std::uint8_t{0});
    nl::replace_neighbour(socket, op.neighbour.link, to_netlink(op.neighbour));
  }
  void operator()(const DropBridgeLink& op) const { nl::remove_bridge(socket, op.bridge); }
};

/// The other routes and rules of an order are put in their places, and neighbours that were learnt
/// are told, but neither is insisted on.
bool concerns(const NetworkOp& op, const UplinkNames& names) {
  if (const auto* change = std::get_if<ChangeRoute>(&op))
    return change->route.uses(names.uplink) || change->route.uses(names.bridge);
  if (const auto* change = std::get_if<ChangeRule>(&op))
    return change->rule.names(names.uplink) || change->rule.names(names.bridge);
  if (const auto* change = std::get_if<ChangeNeighbour>(&op)) return change->neighbour.permanent;
  return true;
}

std::vector<NetworkOp> plan_now(const UplinkNames& names, const UplinkView& want) {
  return plan_network(observe_uplink(names, &want), want);
}

/// What a plan leaves out because the uplink is not there. None where none is wanted.
std::vector<std::string> missing(const UplinkNames& names, const UplinkView& want) {
  if (!want.uplink_there || observe_uplink(names, &want).uplink_there) return {};
  std::vector<std::string> left{fmt::format("the link {} is not there", want.uplink)};
  for (const LinkAddress& each : want.addresses)
    if (each.link == want.uplink && !each.is_link_local())
      left.push_back("so it lacks the " + describe(each));
  for (const LinkRoute& each : want.routes)
    if (each.uses(want.uplink) && !each.is_kernels())
      left.push_back("so there is no " + describe(each));
  return left;
}

/// When there is nothing left to do, or only what was tried and is not ours.
class Settling {
 public:
  explicit Settling(const UplinkNames& names) : names_(names) {}
  bool is_over(const std::vector<NetworkOp>& ops) {
    const bool ours = std::any_of(ops.begin(), ops.end(),
                                  [&](const NetworkOp& op) { return concerns(op, names_); });
    if (!ours) ++only_others_;
    return ops.empty() || (!ours && only_others_ > 2);
  }

 private:
  const UplinkNames& names_;
  int only_others_ = 0;
};

}  // namespace

void perform(const NetworkOp& op) {
  try {
    nl::Socket socket;
    std::visit(Sender{socket}, op);
  } catch (const nl::Error& error) {
    switch (error.code()) {
      case EEXIST:
      case ENOENT:
      case ESRCH:
      case EADDRNOTAVAIL:
        if (!std::holds_alternative<MakeBridgeLink>(op)) return;  // the next look tells
        break;
      default: break;
    }
    throw Failed(error.what());
  }
}

std::vector<std::string> settle_network(const UplinkNames& names, const UplinkView& want) {
  std::vector<std::string> left;
  Settling settling(names);
  for (int pass = 0; pass < most_passes; ++pass) {
    left.clear();
    try {
      const auto ops = plan_now(names, want);
      if (settling.is_over(ops)) return missing(names, want);
      for (const NetworkOp& op : ops) {
        try {
          perform(op);
        } catch (const std::exception& error) {
          left.push_back(fmt::format("cannot {}: {}", describe(op), error.what()));
        }
      }
    } catch (const std::exception& error) {
      left.emplace_back(error.what());
    }
    // What the kernel does a little later (a carrier, an address that is being checked).
    if (pass >= 2) std::this_thread::sleep_for(std::chrono::milliseconds(50) * pass);
  }
  try {
    std::vector<NetworkOp> ops = plan_now(names, want);
    std::erase_if(ops, [&](const NetworkOp& op) { return !concerns(op, names); });
    if (ops.empty()) return missing(names, want);
    if (left.empty())
      for (const NetworkOp& op : ops) left.push_back(fmt::format("could not {}", describe(op)));
  } catch (const std::exception& error) {
    left.emplace_back(error.what());
  }
  return left;
}

void change_network(const UplinkNames& names, const UplinkView& want,
                    const std::function<void(const NetworkOp&)>& before_each) {
  Settling settling(names);
  for (int pass = 0; pass < most_passes; ++pass) {
    const UplinkView have = observe_uplink(names, &want);
    if (!have.uplink_there)
      throw Failed(fmt::format("{} vanished in the middle; bring it back, or name another uplink",
                               names.uplink));
    const auto ops = plan_network(have, want);
    if (settling.is_over(ops)) return;
    for (const NetworkOp& op : ops) {
      before_each(op);
      perform(op);
    }
  }
  for (const NetworkOp& op : plan_now(names, want))
    if (concerns(op, names))
      throw Failed(fmt::format("{}: the kernel did not {}", names.bridge, describe(op)));
}

std::uint64_t boot_milliseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

}  // namespace nutshell::host
