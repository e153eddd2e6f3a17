// The planner of adoptions. One idea carries it: both directions, and the way back from any point
// at which they were cut short, are "make it look like this", so there is one function that
// compares and no list of inverses that could be out of step with what is there.
#include <algorithm>
#include <functional>
#include <map>
#include <tuple>

#include "nutshell/adoption.hpp"

namespace nutshell {
namespace {

/// Lifetimes differ at each look; whether there is one does not.
bool same(LinkAddress a, const LinkAddress& b) {
  if ((a.valid == forever) != (b.valid == forever)) return false;
  if ((a.preferred == forever) != (b.preferred == forever)) return false;
  a.valid = b.valid;
  a.preferred = b.preferred;
  return a == b;
}
bool same(const LinkRoute& a, const LinkRoute& b) {
  return (a.expires != 0) == (b.expires != 0) && a.is_alike(b);
}
bool same(const LinkRule& a, const LinkRule& b) { return a == b; }

/// What names the thing for the kernel: a second one of it cannot be added.
bool same_place(const LinkAddress& a, const LinkAddress& b) {
  return a.link == b.link && a.ip == b.ip && a.prefix == b.prefix;
}

template <class T>
struct Sequence {
  std::vector<T> early;   ///< to remove before anything is added: they come back further down
  std::vector<T> add;     ///< at the end, in this order
  std::vector<T> remove;  ///< last
};

/// From one ordered list to another when one can only append and remove. The longest beginning of
/// `want` that is there in its order stays.
template <class T>
Sequence<T> compare(const std::vector<T>& have, const std::vector<T>& want) {
  Sequence<T> out;
  std::vector<bool> kept(have.size(), false);
  std::size_t at = 0, matched = 0;
  for (; matched < want.size(); ++matched) {
    std::size_t found = at;
    while (found < have.size() && !same(have[found], want[matched])) ++found;
    if (found == have.size()) break;
    kept[found] = true;
    at = found + 1;
  }
  out.add.assign(want.begin() + static_cast<std::ptrdiff_t>(matched), want.end());
  for (std::size_t i = have.size(); i-- > 0;) {  // the last first: a primary goes after its seconds
    if (kept[i]) continue;
    const bool again = std::any_of(out.add.begin(), out.add.end(),
                                   [&](const T& each) { return same(have[i], each); });
    (again ? out.early : out.remove).push_back(have[i]);
  }
  return out;
}

struct Phases {
  std::vector<NetworkOp> before, move, after, last;
  [[nodiscard]] std::vector<NetworkOp> joined() const {
    std::vector<NetworkOp> all = before;
    for (const auto* part : {&move, &after, &last})
      all.insert(all.end(), part->begin(), part->end());
    return all;
  }
};

/// Addresses of one link and family. The kernel puts a new IPv6 address before the older ones.
std::vector<LinkAddress> addresses_of(const UplinkView& view, const std::string& link, bool v6) {
  std::vector<LinkAddress> some;
  for (const LinkAddress& each : view.addresses)
    if (each.link == link && each.is_v6() == v6) some.push_back(each);
  if (v6) std::reverse(some.begin(), some.end());
  return some;
}

/// The kernel gives a link-local address to whatever link is up, so of those that are there only
/// the uplink's own is taken off the bridge.
void plan_link_local(const UplinkView& all, std::vector<LinkAddress>& have,
                     std::vector<LinkAddress>& want, Phases& phases) {
  const auto has = [](const std::vector<LinkAddress>& some, const LinkAddress& one) {
    return std::any_of(some.begin(), some.end(),
                       [&](const LinkAddress& each) { return same_place(each, one); });
  };
  for (const LinkAddress& each : want)
    if (each.is_link_local() && !has(have, each))
      phases.before.push_back(ChangeAddress{Verb::add, each});
  for (const LinkAddress& each : have) {
    LinkAddress of_uplink = each;
    of_uplink.link = all.uplink;
    if (each.is_link_local() && !has(want, each) && has(all.addresses, of_uplink))
      phases.last.push_back(ChangeAddress{Verb::remove, each});
  }
  std::erase_if(have, [](const LinkAddress& each) { return each.is_link_local(); });
  std::erase_if(want, [](const LinkAddress& each) { return each.is_link_local(); });
}

void plan_addresses(const UplinkView& have, const UplinkView& want, const std::string& link,
                    Phases& phases) {
  for (const bool v6 : {false, true}) {
    auto now = addresses_of(have, link, v6), wish = addresses_of(want, link, v6);
    if (v6) plan_link_local(want, now, wish, phases);
    // What differs in its flags or lifetimes only is changed where it is.
    for (LinkAddress& each : now)
      for (const LinkAddress& goal : wish)
        if (same_place(each, goal) && !same(each, goal) && each.peer == goal.peer &&
            (each.label == goal.label && each.broadcast == goal.broadcast) &&
            each.scope == goal.scope) {
          phases.after.push_back(ChangeAddress{Verb::change, goal});
          each = goal;
        }
    auto [early, add, remove] = compare(now, wish);
    // An address that is there in another form can only come back after it has gone.
    const auto blocks = std::stable_partition(
        remove.begin(), remove.end(), [&, &add = add](const LinkAddress& each) {
          return std::none_of(add.begin(), add.end(),
                              [&](const LinkAddress& one) { return same_place(one, each); });
        });
    early.insert(early.end(), blocks, remove.end());
    remove.erase(blocks, remove.end());
    for (const auto& each : early) phases.before.push_back(ChangeAddress{Verb::remove, each});
    for (const auto& each : add) phases.before.push_back(ChangeAddress{Verb::add, each});
    for (const auto& each : remove) phases.last.push_back(ChangeAddress{Verb::remove, each});
  }
}

using RouteGroup = std::tuple<unsigned, std::uint32_t, std::string, std::string, unsigned,
                              std::uint32_t>;  // what may have several routes in an order
RouteGroup group_of(const LinkRoute& route) {
  return {route.family, route.table, route.destination, route.source, route.tos, route.priority};
}

template <class Key, class T>
std::map<Key, std::pair<std::vector<T>, std::vector<T>>> grouped(
    const std::vector<T>& have, const std::vector<T>& want,
    const std::function<Key(const T&)>& key) {
  std::map<Key, std::pair<std::vector<T>, std::vector<T>>> groups;
  for (const T& each : have) groups[key(each)].first.push_back(each);
  for (const T& each : want) groups[key(each)].second.push_back(each);
  return groups;
}

bool is_default(const NetworkOp& op) {
  const auto* change = std::get_if<ChangeRoute>(&op);
  return change && change->route.destination == "default";
}

void plan_routes(const UplinkView& have, const UplinkView& want, Phases& phases) {
  std::vector<NetworkOp> add_v4, add_v6, remove;
  // The kernel's own routes come and go with addresses that this plan changes.
  const bool addresses_change =
      std::any_of(phases.before.begin(), phases.before.end(),
                  [](const NetworkOp& op) { return std::holds_alternative<ChangeAddress>(op); });
  const bool addresses_go = !phases.last.empty();
  const auto groups = grouped<RouteGroup, LinkRoute>(
      have.routes, want.routes, [](const LinkRoute& r) { return group_of(r); });
  for (const auto& [key, both] : groups) {
    const auto [early, add, gone] = compare(both.first, both.second);
    for (const LinkRoute& each : early) {
      if (each.is_kernels() && (addresses_change || addresses_go)) continue;
      phases.after.push_back(ChangeRoute{Verb::remove, each});  // and added again below, at once
    }
    for (const LinkRoute& each : add) {
      if (each.is_kernels() && (addresses_change || addresses_go)) continue;
      const bool again = std::any_of(both.first.begin(), both.first.end(),
                                     [&](const LinkRoute& one) { return same(one, each); });
      // Of equal IPv6 routes the kernel uses several at once: the second is added late.
      (again              ? phases.after
       : each.family == 4 ? add_v4
                          : add_v6)
          .push_back(ChangeRoute{Verb::add, each});
    }
    for (const LinkRoute& each : gone) {
      if (each.is_kernels() && addresses_go) continue;
      remove.push_back(ChangeRoute{Verb::remove, each});
    }
  }
  // A gateway is reached over a route to its network: those first. And the way out goes over first.
  const auto narrow_first = [](std::vector<NetworkOp>& ops) {
    std::stable_partition(ops.begin(), ops.end(), [](const NetworkOp& op) {
      const LinkRoute& route = std::get<ChangeRoute>(op).route;
      return std::all_of(route.hops.begin(), route.hops.end(),
                         [](const RouteHop& hop) { return hop.gateway.empty(); });
    });
  };
  narrow_first(add_v4);
  narrow_first(add_v6);
  std::stable_partition(remove.begin(), remove.end(), is_default);
  phases.before.insert(phases.before.end(), add_v4.begin(), add_v4.end());
  phases.after.insert(phases.after.begin(), remove.begin(), remove.end());
  phases.after.insert(phases.after.begin(), add_v6.begin(), add_v6.end());
}

void plan_rules(const UplinkView& have, const UplinkView& want, Phases& phases) {
  using Place = std::pair<unsigned, std::uint32_t>;
  const auto groups = grouped<Place, LinkRule>(have.rules, want.rules, [](const LinkRule& r) {
    return Place{r.family, r.priority};
  });
  for (const auto& [key, both] : groups) {
    const auto [early, add, gone] = compare(both.first, both.second);
    for (const LinkRule& each : early) phases.before.push_back(ChangeRule{Verb::remove, each});
    for (const LinkRule& each : add) phases.before.push_back(ChangeRule{Verb::add, each});
    for (const LinkRule& each : gone) phases.after.push_back(ChangeRule{Verb::remove, each});
  }
}

/// Those that were learnt are only ever added: they come and go by themselves.
void plan_neighbours(const UplinkView& have, const UplinkView& want, Phases& phases) {
  const auto same_entry = [](const LinkNeighbour& a, const LinkNeighbour& b) {
    return a.link == b.link && a.ip == b.ip && a.is_proxy() == b.is_proxy();
  };
  const auto find = [&](const std::vector<LinkNeighbour>& all, const LinkNeighbour& one) {
    const auto found = std::find_if(
        all.begin(), all.end(), [&](const LinkNeighbour& each) { return same_entry(each, one); });
    return found == all.end() ? nullptr : &*found;
  };
  for (const LinkNeighbour& each : want.neighbours) {
    const LinkNeighbour* there = find(have.neighbours, each);
    if (!there || (each.permanent && *there != each))
      phases.before.push_back(ChangeNeighbour{Verb::add, each});
  }
  for (const LinkNeighbour& each : have.neighbours)
    if (each.permanent && !find(want.neighbours, each))
      phases.after.push_back(ChangeNeighbour{Verb::remove, each});
}

/// Of a link that is gone nothing can be changed any more.
void leave_out(UplinkView& view, const std::string& link) {
  std::erase_if(view.addresses, [&](const LinkAddress& each) { return each.link == link; });
  std::erase_if(view.routes, [&](const LinkRoute& each) { return each.uses(link); });
  std::erase_if(view.neighbours, [&](const LinkNeighbour& each) { return each.link == link; });
}

}  // namespace

std::vector<NetworkOp> plan_network(const UplinkView& have, const UplinkView& goal) {
  UplinkView want = goal;
  if (!have.uplink_there) leave_out(want, want.uplink);
  Phases phases;
  if (have.uplink_there && want.uplink_up && !have.uplink_up)
    phases.before.push_back(SetUp{want.uplink, true});
  const bool makes = want.bridge_there && !have.bridge_there;
  if (makes)
    phases.before.push_back(MakeBridgeLink{want.bridge, want.bridge_mac, want.mtu, want.uplink});
  if (want.bridge_there) {
    if (!want.bridge_mark.empty() && (makes || have.bridge_mark != want.bridge_mark))
      phases.before.push_back(MarkBridge{want.bridge, want.bridge_mark});
    if (!makes && have.bridge_mac != want.bridge_mac)
      phases.before.push_back(SetBridgeMac{want.bridge, want.bridge_mac});
    if (want.bridge_up && (makes || !have.bridge_up))
      phases.before.push_back(SetUp{want.bridge, true});
  }
  if (have.uplink_there) plan_addresses(have, want, want.uplink, phases);
  if (want.bridge_there || have.bridge_there) plan_addresses(have, want, want.bridge, phases);
  plan_rules(have, want, phases);
  plan_routes(have, want, phases);
  plan_neighbours(have, want, phases);
  if (have.uplink_there && have.master != want.master)
    phases.move.push_back(SetMaster{want.uplink, want.master});
  if (want.bridge_there && want.bridge_stp != (!makes && have.bridge_stp))
    phases.last.push_back(SetBridgeStp{want.bridge, want.bridge_stp});
  if (want.bridge_there && !makes && !want.bridge_up && have.bridge_up)
    phases.last.push_back(SetUp{want.bridge, false});
  if (!want.bridge_there && have.bridge_there && have.bridge_ours && have.other_ports.empty())
    phases.last.push_back(DropBridgeLink{want.bridge});
  return phases.joined();
}

}  // namespace nutshell
