// The operations of an adoption in words, for a dry run and for errors.
#include <fmt/format.h>

#include "nutshell/adoption.hpp"

namespace nutshell {
namespace {

const char* word(Verb verb) {
  switch (verb) {
    case Verb::add: return "add";
    case Verb::change: return "change";
    case Verb::remove: return "remove";
  }
  return "";
}

std::string words(const MakeBridgeLink& op) {
  return fmt::format("make the bridge {} with the MAC {}", op.bridge, op.mac);
}
std::string words(const MarkBridge& op) {
  return fmt::format("mark the bridge {} as ours", op.bridge);
}
std::string words(const SetBridgeMac& op) {
  return fmt::format("give the bridge {} the MAC {}", op.bridge, op.mac);
}
std::string words(const SetBridgeStp& op) {
  return fmt::format("set the spanning tree of {} {}", op.bridge, op.on ? "on" : "off");
}
std::string words(const SetUp& op) {
  return fmt::format("set {} {}", op.link, op.up ? "up" : "down");
}
std::string words(const SetMaster& op) {
  return op.bridge.empty() ? fmt::format("take {} off its bridge", op.port)
                           : fmt::format("make {} a port of {}", op.port, op.bridge);
}
std::string words(const ChangeAddress& op) {
  return fmt::format("{} the {}", word(op.verb), describe(op.address));
}
std::string words(const ChangeRoute& op) {
  return fmt::format("{} the {}", word(op.verb), describe(op.route));
}
std::string words(const ChangeRule& op) {
  return fmt::format("{} the {}", word(op.verb), describe(op.rule));
}
std::string words(const ChangeNeighbour& op) {
  if (op.neighbour.is_proxy())
    return fmt::format("{} the proxy for {} on {}", word(op.verb), op.neighbour.ip,
                       op.neighbour.link);
  return fmt::format("{} the neighbour {} ({}) of {}", word(op.verb), op.neighbour.ip,
                     op.neighbour.mac, op.neighbour.link);
}
std::string words(const DropBridgeLink& op) {
  return fmt::format("remove the bridge {}", op.bridge);
}

}  // namespace

std::string describe(const LinkAddress& address) {
  return fmt::format("address {}/{} on {}", address.ip, address.prefix, address.link);
}

std::string describe(const LinkRoute& route) {
  std::string text = fmt::format("route {}", route.destination);
  if (route.family == 6 && route.destination == "default") text += " (IPv6)";
  for (const RouteHop& hop : route.hops)
    text += fmt::format("{} dev {}", hop.gateway.empty() ? "" : " via " + hop.gateway, hop.link);
  if (!route.preferred_source.empty()) text += " src " + route.preferred_source;
  if (route.priority) text += fmt::format(" metric {}", route.priority);
  if (route.table != 254) text += fmt::format(" table {}", route.table);
  return text;
}

std::string describe(const LinkRule& rule) {
  std::string text = fmt::format("rule {}", rule.priority);
  if (rule.family == 6) text += " (IPv6)";
  if (!rule.input.empty()) text += " iif " + rule.input;
  if (!rule.output.empty()) text += " oif " + rule.output;
  return text;
}

std::string describe(const NetworkOp& op) {
  return std::visit([](const auto& one) { return words(one); }, op);
}

}  // namespace nutshell
