// who: from a value to its owner, ours or a stranger.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "app/cmd.hpp"
#include "app/machine_state.hpp"
#include "app/settle.hpp"
#include "app/start.hpp"
#include "host/listen.hpp"
#include "host/observe.hpp"

namespace nutshell {
namespace {

struct Owner {
  std::string what;  ///< "MAC", "address", "display", "tap", "file", "process"
  std::string cloud, machine;
  std::string detail;  ///< "NIC 0 on bridge br0"
  std::string since, foreign;
};

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Owner owner_by_lease(const std::string& what, const Lease& lease) {
  Owner owner{what, lease.cloud, lease.machine, "", lease.since, lease.foreign};
  if (lease.machine.empty() && lease.foreign.empty())
    owner.detail = lease.holder.text.starts_with("network:")
                       ? "the network " + lease.holder.text.substr(8)
                       : "reserved by hand" + (lease.note.empty() ? "" : ": " + lease.note);
  else if (lease.pool == "mac" || lease.pool == "tap" || lease.pool.starts_with("ipv4"))
    owner.detail = fmt::format("NIC {}", lease.index);
  return owner;
}

std::vector<Owner> by_lease(House& house, const std::string& what, std::string_view pool_prefix,
                            const std::string& value) {
  std::vector<Owner> owners;
  for (const Lease& lease : house.registry().leases())
    if (lease.value == value && lease.pool.starts_with(pool_prefix))
      owners.push_back(owner_by_lease(what, lease));
  return owners;
}

Owner foreign(const std::string& what, const std::string& holder) {
  return {what, "", "", "", "", holder};
}

std::vector<Owner> who_mac(House& house, Mac mac) {
  auto owners = by_lease(house, "MAC", "mac", to_string(mac));
  if (!owners.empty()) return owners;
  const Facts facts = observe_parts(house, host::part::links | host::part::macs);
  for (const LinkFact& link : facts.links)
    if (link.mac == mac)
      owners.push_back(
          foreign("MAC", fmt::format("link {} of this host{}", link.name,
                                     link.alias.empty() ? "" : " (" + link.alias + ")")));
  for (const MacFact& fact : facts.macs)
    if (fact.mac == mac) owners.push_back(foreign("MAC", fact.holder));
  return owners;
}

std::vector<Owner> who_address(House& house, Ipv4 address) {
  auto owners = by_lease(house, "address", "ipv4", to_string(address));
  const Facts facts =
      observe_parts(house, host::part::links | host::part::addresses | host::part::ips);
  for (const AddressFact& fact : facts.addresses)
    if (fact.net.address == address) {
      const auto link = std::find_if(facts.links.begin(), facts.links.end(),
                                     [&](const LinkFact& l) { return l.index == fact.link; });
      owners.push_back(foreign(
          "address",
          fmt::format("this host, on {}", link == facts.links.end() ? "a link" : link->name)));
    }
  if (!owners.empty()) return owners;
  for (const IpFact& fact : facts.ips)
    if (fact.ip == address) owners.push_back(foreign("address", fact.holder));
  return owners;
}

std::vector<Owner> who_display(House& house, unsigned display) {
  auto owners = by_lease(house, "display", "vnc", fmt::format(":{}", display));
  // Of a stranger the registry knows what was; who has it now, the kernel knows.
  std::erase_if(owners, [](const Owner& owner) { return !owner.foreign.empty(); });
  if (!owners.empty()) return owners;
  if (const std::string holder = host::port_holder(static_cast<std::uint16_t>(5900 + display));
      !holder.empty())
    owners.push_back(foreign("display", holder));
  return owners;
}

std::vector<Owner> who_machine_has(House& house, const std::string& what,
                                   const std::function<std::string(const MachineRow&)>& detail) {
  std::vector<Owner> owners;
  for (const MachineRow& row : house.registry().machines())
    if (const std::string words = detail(row); !words.empty())
      owners.push_back(
          {what, row.name.cloud, row.name.name, words, row.run ? row.run->since : row.created, ""});
  return owners;
}

std::vector<Owner> who_file(House& house, const std::string& path) {
  return who_machine_has(house, "file", [&](const MachineRow& row) -> std::string {
    for (std::size_t i = 0; i < row.spec.disks.size(); ++i) {
      const DiskSpec& disk = row.spec.disks[i];
      if (disk.path == path) return fmt::format("disk {}", i);
      for (const BackingLayer& layer : disk.backing)
        if (layer.path == path) return fmt::format("a layer below disk {}", i);
    }
    return row.spec.cdrom == path ? "in the CD-ROM drive" : "";
  });
}

std::vector<Owner> who_pid(House& house, int pid) {
  auto owners = who_machine_has(house, "process", [&](const MachineRow& row) -> std::string {
    return row.run && row.run->pid == pid && is_alive(house, row.uuid) ? "its QEMU" : "";
  });
  if (owners.empty())
    if (const std::string name = host::process_name(pid); !name.empty())
      owners.push_back(foreign("process", fmt::format("{} (pid {})", name, pid)));
  return owners;
}

std::vector<Owner> who_link(House& house, const std::string& name) {
  auto owners = by_lease(house, "tap", "tap", name);
  if (!owners.empty()) return owners;
  for (const NetworkRow& network : house.registry().networks())
    if (network.bridge == name)
      owners.push_back({"bridge", "", "",
                        fmt::format("the network {}, {}", network.name, to_string(network.address)),
                        "", ""});
  const Facts facts = observe_parts(house, host::part::links);
  if (const LinkFact* link = facts.link(name); link && owners.empty())
    owners.push_back(foreign("link", link->alias.empty()
                                         ? fmt::format("a {} of this host, not nutshell's",
                                                       link->kind.empty() ? "device" : link->kind)
                                         : link->alias));
  return owners;
}

std::vector<Owner> find_owners(House& house, const std::string& value) {
  if (const auto mac = parse_mac(value)) return who_mac(house, *mac);
  if (const auto address = parse_ipv4(value)) return who_address(house, *address);
  if (value.starts_with(":")) {
    const auto display = number(std::string_view(value).substr(1));
    if (!display || *display > 65535)
      throw UsageError(
          fmt::format("'{}' is no display or port; give :1 or :5901", printable(value)));
    return who_display(house, *display >= 5900 ? *display - 5900 : *display);
  }
  if (value.find('/') != std::string::npos) return who_file(house, absolute(value));
  if (const auto pid = number(value)) return who_pid(house, static_cast<int>(*pid));
  if (is_interface_name(value)) return who_link(house, value);
  throw UsageError(
      fmt::format("'{}' is no MAC, address, display (:N), tap, path or pid", printable(value)));
}

}  // namespace

Exit run_who(const Parsed& args, House& house) {
  const std::string& value = args.word(0, "VALUE");
  settle(house);
  const std::vector<Owner> owners = find_owners(house, value);
  if (owners.empty())
    throw NotFound(fmt::format(
        "nobody is known to have {}; `nutshell lease ls` lists what is leased", printable(value)));
  Json list = Json::array();
  std::string text;
  const auto or_null = [](const std::string& words) {
    return words.empty() ? Json() : Json(words);
  };
  for (const Owner& owner : owners) {
    list.push(Json::object({{"what", owner.what},
                            {"value", value},
                            {"cloud", or_null(owner.cloud)},
                            {"machine", or_null(owner.machine)},
                            {"detail", or_null(owner.detail)},
                            {"since", or_null(owner.since)},
                            {"foreign", or_null(owner.foreign)}}));
    text +=
        owner.foreign.empty()
            ? fmt::format(
                  "{}: {}{}{}{}\n", printable(value),
                  owner.machine.empty() ? "" : to_string(MachineName{owner.cloud, owner.machine}),
                  owner.machine.empty() || owner.detail.empty() ? "" : ", ", owner.detail,
                  owner.since.empty() ? "" : ", since " + owner.since)
            : fmt::format("{}: not nutshell's: {}\n", printable(value), owner.foreign);
  }
  house.reporter.answer(Json::object({{"owners", list}}), text);
  return Exit::done;
}

}  // namespace nutshell
