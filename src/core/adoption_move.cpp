// What an adoption, and its release, want to see: the same view with one link's name in the place
// of the other's.
#include <algorithm>

#include "nutshell/adoption.hpp"

namespace nutshell {
namespace {

constexpr std::size_t longest_label = 15;  // IFNAMSIZ less the closing zero

/// "em1:0" becomes "br0:0".
std::string relabel(const std::string& label, const std::string& from, const std::string& to) {
  if (!label.starts_with(from)) return label;
  const std::string fresh = to + label.substr(from.size());
  return fresh.size() <= longest_label ? fresh : to;
}

LinkAddress moved(LinkAddress address, const std::string& from, const std::string& to) {
  if (address.link != from) return address;
  address.link = to;
  address.label = relabel(address.label, from, to);
  return address;
}
LinkRoute moved(LinkRoute route, const std::string& from, const std::string& to) {
  for (RouteHop& hop : route.hops)
    if (hop.link == from) hop.link = to;
  return route;
}
LinkRule moved(LinkRule rule, const std::string& from, const std::string& to) {
  if (rule.input == from) rule.input = to;
  if (rule.output == from) rule.output = to;
  return rule;
}
LinkNeighbour moved(LinkNeighbour neighbour, const std::string& from, const std::string& to) {
  if (neighbour.link == from) neighbour.link = to;
  return neighbour;
}

bool alike(const LinkAddress& a, const LinkAddress& b) {
  return a.link == b.link && a.ip == b.ip && a.prefix == b.prefix;
}
bool alike(const LinkRoute& a, const LinkRoute& b) { return a.is_alike(b); }
template <class T>
bool alike(const T& a, const T& b) {
  return a == b;
}

void keep_running(LinkAddress& kept, const LinkAddress& now) {
  kept.valid = now.valid;
  kept.preferred = now.preferred;
}
void keep_running(LinkRoute& kept, const LinkRoute& now) { kept.expires = now.expires; }
template <class T>
void keep_running(T&, const T&) {}

/// `now` moved back, in the form and order that `before` had, what is new at the end. What `before`
/// had on the bridge itself stays there.
template <class T>
std::vector<T> back(const std::vector<T>& now, const std::vector<T>& before,
                    const UplinkView& names) {
  std::vector<T> home, result;
  for (const T& each : now) {
    const bool stays =
        std::any_of(before.begin(), before.end(), [&](const T& old) { return alike(old, each); });
    T one = stays ? each : moved(each, names.bridge, names.uplink);
    if (std::none_of(home.begin(), home.end(), [&](const T& other) { return alike(other, one); }))
      home.push_back(std::move(one));
  }
  for (const T& old : before) {
    const auto found =
        std::find_if(home.begin(), home.end(), [&](const T& each) { return alike(each, old); });
    if (found == home.end()) continue;
    result.push_back(old);
    keep_running(result.back(), *found);
    home.erase(found);
  }
  result.insert(result.end(), home.begin(), home.end());
  return result;
}

template <class T>
std::vector<T> over(const std::vector<T>& all, const UplinkView& names) {
  std::vector<T> result;
  for (const T& each : all) {
    T one = moved(each, names.uplink, names.bridge);
    if (std::find(result.begin(), result.end(), one) == result.end())
      result.push_back(std::move(one));
  }
  return result;
}

}  // namespace

bool LinkRoute::uses(const std::string& link) const {
  return std::any_of(hops.begin(), hops.end(),
                     [&](const RouteHop& hop) { return hop.link == link; });
}

bool LinkRoute::is_alike(const LinkRoute& other) const {
  LinkRoute same = *this;
  same.expires = other.expires;
  if (learnt && other.learnt) {
    same.protocol = other.protocol;
    same.metrics = other.metrics;
    same.preference = other.preference;
  }
  return same == other;
}

UplinkView adopted(const UplinkView& before, const std::string& mark) {
  UplinkView want = before;
  want.bridge_there = want.bridge_ours = want.bridge_up = true;
  want.bridge_mac = before.mac;
  want.bridge_mark = mark;
  want.master = before.bridge;
  want.addresses.clear();
  for (const LinkAddress& each : before.addresses) {
    if (each.is_link_local()) want.addresses.push_back(each);
    want.addresses.push_back(moved(each, before.uplink, before.bridge));
  }
  want.routes = over(before.routes, before);
  want.rules = over(before.rules, before);
  want.neighbours = over(before.neighbours, before);
  return want;
}

UplinkView renamed(const UplinkView& view, const std::string& uplink) {
  UplinkView result = view;
  result.uplink = uplink;
  for (LinkAddress& each : result.addresses) each = moved(each, view.uplink, uplink);
  for (LinkRoute& each : result.routes) each = moved(each, view.uplink, uplink);
  for (LinkRule& each : result.rules) each = moved(each, view.uplink, uplink);
  for (LinkNeighbour& each : result.neighbours) each = moved(each, view.uplink, uplink);
  return result;
}

UplinkView released(const UplinkView& now, const UplinkView& before) {
  UplinkView want = now;
  std::erase_if(want.addresses, [&](const LinkAddress& each) {
    return each.link == now.bridge && each.is_link_local();
  });
  want.addresses = back(want.addresses, before.addresses, now);
  want.routes = back(now.routes, before.routes, now);
  want.rules = back(now.rules, before.rules, now);
  want.neighbours = back(now.neighbours, before.neighbours, now);
  want.master = before.master;
  want.bridge_there = before.bridge_there || !now.other_ports.empty() || !now.bridge_ours;
  want.bridge_mac = before.bridge_there ? before.bridge_mac : now.bridge_mac;
  want.bridge_mark = now.bridge_mark;
  want.bridge_up = now.bridge_up;
  if (before.bridge_there) want.bridge_stp = before.bridge_stp;
  return want;
}

UplinkView later(UplinkView view, std::uint32_t seconds) {
  const auto run_on = [&](std::uint32_t& life) {
    if (life != forever) life = life > seconds ? life - seconds : 0;
  };
  for (LinkAddress& each : view.addresses) {
    run_on(each.valid);
    run_on(each.preferred);
  }
  std::erase_if(view.addresses, [](const LinkAddress& each) { return each.valid == 0; });
  std::erase_if(view.routes, [&](LinkRoute& each) {
    if (each.expires == 0) return false;
    if (each.expires <= seconds) return true;
    each.expires -= seconds;
    return false;
  });
  return view;
}

}  // namespace nutshell
