// The wants of a machine, one list for its life and one for a run, and where the values go.
#include "app/reserve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "app/guard.hpp"
#include "app/lost.hpp"
#include "app/network.hpp"
#include "host/listen.hpp"
#include "host/probe.hpp"

namespace nutshell {
namespace {

constexpr unsigned candidates_probed = 8;

std::string address_pool(const NicSpec& nic) {
  return nic.kind == NicKind::network ? "ipv4:" + nic.network : "ipv4:bridge";
}

bool wants_address(const NicSpec& nic) {
  return nic.kind == NicKind::network || (nic.kind == NicKind::bridge && nic.ip);
}

void say_skipped(House& house, const std::vector<Skipped>& skipped) {
  for (const Skipped& one : skipped)
    house.reporter.note(
        fmt::format("{} {} is passed over: {} has it", one.pool, one.value, one.holder));
}

bool has_foreign_port(const Facts& facts, const std::string& bridge) {
  const LinkFact* link = facts.link(bridge);
  return link && facts.has_foreign_port(*link);
}

std::vector<Want> wants_for_life(const MachineSpec& spec, const Facts& facts) {
  std::vector<Want> wants;
  for (std::size_t i = 0; i < spec.nics.size(); ++i) {
    const NicSpec& nic = spec.nics[i];
    const int index = static_cast<int>(i);
    wants.push_back({"mac", index, Lifetime::machine,
                     nic.mac ? std::optional(to_string(*nic.mac)) : std::nullopt});
    if (wants_address(nic))
      wants.push_back({address_pool(nic), index, Lifetime::machine,
                       nic.ip ? std::optional(to_string(*nic.ip)) : std::nullopt});
  }
  for (std::size_t i = 0; i < spec.disks.size(); ++i)
    if (spec.disks[i].ours())
      wants.push_back({"volume", static_cast<int>(i), Lifetime::machine, spec.disks[i].path});
  wants.push_back({"cid", 0, Lifetime::machine, std::nullopt});
  if (facts.root && !facts.qemu_user) wants.push_back({"uid", 0, Lifetime::machine, std::nullopt});
  return wants;
}

/// The numbers that machines have which the registry has lost are theirs still.
void pass_over_lost(const std::vector<MachineSpec>& lost, Allocator& allocator,
                    std::vector<Want>& wants, const Facts& facts) {
  if (lost.empty()) return;
  std::set<std::string> cids, uids;
  for (const MachineSpec& spec : lost) {
    if (spec.vsock_cid) cids.insert(std::to_string(*spec.vsock_cid));
    if (spec.run_as_uid) uids.insert(std::to_string(*spec.run_as_uid));
  }
  for (Want& want : wants) {
    if (want.pool != "cid" && want.pool != "uid") continue;
    const std::set<std::string>& theirs = want.pool == "cid" ? cids : uids;
    for (const std::string& value :
         allocator.candidates(want.pool, static_cast<unsigned>(theirs.size()) + 1, facts))
      if (!want.value && !theirs.contains(value)) want.value = value;
  }
}

void put_into_spec(MachineSpec& spec, const Want& want, const std::string& value) {
  const auto index = static_cast<std::size_t>(want.index);
  if (want.pool == "mac") {
    if (!want.value) spec.origins[fmt::format("nic.{}.mac", index)] = "leased from the pool mac";
    spec.nics[index].mac = parse_mac(value);
  } else if (want.pool.starts_with("ipv4:")) {
    spec.nics[index].ip = parse_ipv4(value);
  } else if (want.pool == "cid") {
    spec.vsock_cid = static_cast<unsigned>(std::stoul(value));
  } else if (want.pool == "uid") {
    spec.run_as_uid = static_cast<unsigned>(std::stoul(value));
  }
}

// A mark that an earlier command made is believed only while the kernel still shows a socket there,
// and its holder is looked up anew. True when a mark had to go. (What is bound alone is shown from
// Linux 6.8 on; before that its mark goes, and the bind that follows tells.)
bool forget_vanished(Allocator& allocator, std::vector<Skipped>& skipped, const Facts& facts) {
  bool forgotten = false;
  for (Skipped& one : skipped) {
    const auto port = static_cast<std::uint16_t>(5900 + std::stoul(one.value.substr(1)));
    if (std::any_of(facts.ports.begin(), facts.ports.end(),
                    [&](const PortFact& fact) { return fact.port == port; }))
      continue;
    const std::string holder = host::port_holder(port);
    if (holder.empty()) {
      allocator.release_value(one.pool, one.value);
      forgotten = true;
    } else if (holder != one.holder) {
      allocator.mark_foreign(one.pool, one.value, one.holder = holder);
    }
  }
  return forgotten;
}

Taken take_display(Transaction& transaction, const MachineSpec& spec, const Want& want,
                   const Facts& facts) {
  try {
    return transaction.allocator().take(spec.uuid, {want}, facts);
  } catch (const Exhausted& error) {
    throw Exhausted(
        fmt::format("{}: {}; a machine that needs no screen goes without: --vnc off, in a cloud's "
                    "file vnc = \"off\"",
                    to_string(spec.name), error.what()));
  }
}

// Lowest first; each candidate is proven by binding it, and what cannot be bound is marked with its
// holder.
void reserve_display(House& house, Transaction& transaction, const MachineSpec& spec, Facts& facts,
                     RunReservation& reservation) {
  if (spec.vnc.mode != VncMode::automatic && spec.vnc.mode != VncMode::fixed) return;
  const bool fixed = spec.vnc.mode == VncMode::fixed;
  std::set<std::string> said;
  constexpr int tries =
      1000;  // the pool is smaller; each round takes one display out of the question
  for (int i = 0; i < tries; ++i) {
    const Want want{"vnc", 0, Lifetime::run,
                    fixed ? std::optional(fmt::format(":{}", spec.vnc.display)) : std::nullopt};
    Taken taken = take_display(transaction, spec, want, facts);
    const std::string value = taken.leases.front().value;
    if (forget_vanished(transaction.allocator(), taken.skipped, facts)) {
      transaction.allocator().release_value("vnc", value);
      continue;
    }
    for (const Skipped& one : taken.skipped)
      if (said.insert(one.value).second) say_skipped(house, {one});
    const auto display = static_cast<unsigned>(std::stoul(value.substr(1)));
    reservation.run.display = display;
    reservation.run.vnc_listen = spec.vnc.listen;
    if (house.dry()) return host::check_listen_address(spec.vnc.listen);
    host::DisplaySocket socket = host::listen_display(spec.vnc.listen, display);
    if (socket.socket) {
      reservation.vnc_socket = std::move(socket.socket);
      return;
    }
    if (fixed)
      throw Conflict(fmt::format("{}: display {} is held by {}; pick another, or --vnc auto",
                                 to_string(spec.name), value, socket.holder));
    if (said.insert(value).second) say_skipped(house, {{"vnc", value, socket.holder}});
    transaction.allocator().release_value("vnc", value);
    transaction.allocator().mark_foreign("vnc", value, socket.holder);
    facts.ports.push_back({static_cast<std::uint16_t>(5900 + display), socket.holder});
  }
  throw Exhausted(fmt::format("{}: no display is free", to_string(spec.name)));
}

}  // namespace

void probe_wanted_addresses(House& house, const MachineSpec& spec, Facts& facts) {
  add_lost_machines(house, facts);
  if (house.dry()) return;
  struct Asked {
    std::vector<Ipv4> addresses;
    std::map<std::string, unsigned> any;  ///< by pool: how many of it, whichever
  };
  std::map<std::string, Asked> by_bridge;
  for (const NicSpec& nic : spec.nics) {
    if (!wants_address(nic)) continue;
    std::string bridge = nic.bridge;
    if (nic.kind == NicKind::network) {
      const auto network = house.registry().network(nic.network);
      if (!network) continue;  // nothing of it exists, so nobody answers
      bridge = network->bridge;
    }
    if (!has_foreign_port(facts, bridge)) continue;
    if (nic.ip)
      by_bridge[bridge].addresses.push_back(*nic.ip);
    else
      ++by_bridge[bridge].any[address_pool(nic)];
  }
  for (auto& [bridge, asked] : by_bridge) {
    for (const auto& [pool, count] : asked.any) {
      Transaction look = house.registry().begin();  // rolled back: it only reads who would be next
      for (const std::string& text :
           look.allocator().candidates(pool, candidates_probed + count - 1, facts))
        if (const auto address = parse_ipv4(text)) asked.addresses.push_back(*address);
    }
    for (IpFact& answer : host::probe_addresses(bridge, asked.addresses))
      facts.ips.push_back(std::move(answer));
  }
}

// A volume of another machine goes with that machine, so it is no disk to build on.
void refuse_others_volumes(Transaction& transaction, const MachineSpec& spec) {
  const auto refuse = [&](const std::string& path) {
    const auto lease = transaction.allocator().who("volume", path);
    if (lease && lease->holder != spec.uuid && !lease->machine.empty())
      throw Conflict(
          fmt::format("{}: {} is a volume of the machine {}, and goes when that goes; copy it, and "
                      "use the copy",
                      to_string(spec.name), printable(path),
                      to_string(MachineName{lease->cloud, lease->machine})));
  };
  for (const DiskSpec& disk : spec.disks) {
    if (!disk.ours()) refuse(canonical(disk.path));
    for (const BackingLayer& layer : disk.backing) refuse(canonical(layer.path));
  }
}

void refuse_lost_volumes(const std::vector<MachineSpec>& lost, const MachineSpec& spec) {
  for (const MachineSpec& other : lost)
    for (const DiskSpec& theirs : other.disks)
      for (const DiskSpec& disk : spec.disks)
        if (theirs.ours() && !theirs.path.empty() && canonical(theirs.path) == canonical(disk.path))
          throw Conflict(
              fmt::format("{}: {} is a volume of the machine {}, which the registry has lost; "
                          "run `nutshell recover` first",
                          to_string(spec.name), printable(disk.path), to_string(other.name)));
}

// Its own neighbours on the wire may be what it uses them for, so the wire is not asked.
void refuse_also_of_others(Transaction& transaction, const MachineSpec& spec, const NicSpec& nic,
                           const Facts& facts) {
  if (nic.kind != NicKind::bridge || nic.also.empty()) return;
  Facts others;
  others.seen = facts.seen;
  others.cloud = spec.name.cloud;
  for (const RangeFact& range : facts.ranges)
    if (!range.cloud.empty()) others.ranges.push_back(range);
  for (const AddressRange& range : nic.also) {
    const std::string value = to_string(std::vector{range});
    const Want want{"ipv4:bridge", 0, Lifetime::cloud, value};
    if (const auto other = transaction.allocator().obstacle(spec.uuid, want, others))
      throw Conflict(
          fmt::format("{}: also={} has addresses that are held by {}; name such as "
                      "nobody has, or its own cloud",
                      to_string(spec.name), value, printable(*other)));
  }
}

void reserve_machine(House& house, Transaction& transaction, MachineSpec& spec, const Facts& f) {
  reserve_machine(house, transaction, spec, f, lost_machines(house));
}

void reserve_machine(House& house, Transaction& transaction, MachineSpec& spec, const Facts& facts,
                     const std::vector<MachineSpec>& lost) {
  refuse_others_volumes(transaction, spec);
  refuse_lost_volumes(lost, spec);
  for (NicSpec& nic : spec.nics)
    if (nic.kind == NicKind::network) put_on_network(house, transaction, spec.name, nic, facts);
  for (const NicSpec& nic : spec.nics) refuse_also_of_others(transaction, spec, nic, facts);
  std::vector<Want> wants = wants_for_life(spec, facts);
  pass_over_lost(lost, transaction.allocator(), wants, facts);
  const Taken taken = transaction.allocator().take(spec.uuid, wants, facts);
  for (std::size_t i = 0; i < wants.size(); ++i)
    put_into_spec(spec, wants[i], taken.leases.at(i).value);
  say_skipped(house, taken.skipped);
}

RunReservation reserve_run(House& house, Transaction& transaction, const MachineSpec& spec,
                           unsigned boot, Facts& facts, bool kvm) {
  RunReservation reservation;
  RunRecord& run = reservation.run;
  run.boot_id = house.boot_id;
  run.boot = boot;
  run.since = now_utc();
  run.accel = kvm ? "kvm" : "tcg";
  std::vector<Want> taps;
  std::vector<std::size_t> nics;
  for (std::size_t i = 0; i < spec.nics.size(); ++i) {
    run.taps.emplace_back();
    if (spec.nics[i].kind == NicKind::user || !facts.root) continue;
    taps.push_back({"tap", static_cast<int>(i), Lifetime::run, std::nullopt});
    nics.push_back(i);
  }
  const Taken taken = transaction.allocator().take(spec.uuid, taps, facts);
  for (std::size_t i = 0; i < nics.size(); ++i) run.taps[nics[i]] = taken.leases.at(i).value;
  for (const NicSpec& nic : spec.nics) {
    if (nic.kind != NicKind::network) continue;
    const NetworkRow row = find_or_add_network(house, transaction, nic.network, facts);
    const EnsureNetwork ensure{spec.uuid,   row.name,       row.bridge,
                               row.address, row.bridge_mac, row.mode};
    if (std::find(reservation.networks.begin(), reservation.networks.end(), ensure) ==
        reservation.networks.end())
      reservation.networks.push_back(ensure);
  }
  reserve_ports(transaction, spec, facts);
  run.guests = guests_to_json(guests_of(house, spec, run.taps));
  reserve_display(house, transaction, spec, facts, reservation);
  return reservation;
}

}  // namespace nutshell
