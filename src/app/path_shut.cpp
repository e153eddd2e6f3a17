// What keeps a machine from an address by our own doing, though every device is up and no filter of
// others is in the way: said in words, before anybody looks for a fault.
#include <fmt/format.h>

#include "app/machine_state.hpp"
#include "app/path_looker.hpp"

namespace nutshell {
namespace {

std::string at_cloud(const MachineName& name) {
  return name.cloud == "default" ? name.name : name.cloud + "/" + name.name;
}

/// The NIC that has the address, of whatever machine.
const NicSpec* holder(const std::vector<MachineRow>& rows, Ipv4 address, const MachineRow*& whose) {
  for (const MachineRow& row : rows)
    for (const NicSpec& nic : row.spec.nics)
      if (nic.ip == address) {
        whose = &row;
        return &nic;
      }
  return nullptr;
}

std::optional<PathBreak> kept_apart(House& house, const MachineRow& row, const NicSpec& spec,
                                    Ipv4 to) {
  const std::vector<MachineRow> rows = house.registry().machines();
  const MachineRow* other = nullptr;
  const NicSpec* nic = holder(rows, to, other);
  if (!nic || other->uuid == row.uuid) return std::nullopt;
  const bool managed = spec.kind == NicKind::network && nic->kind == NicKind::network;
  const bool same = spec.bridge == nic->bridge && spec.kind == nic->kind;
  const std::string whose = fmt::format("{} is {}", to_string(to), at_cloud(other->name));
  if ((managed || same) && house.config.isolate_clouds && other->name.cloud != row.name.cloud)
    return PathBreak{spec.bridge,
                     fmt::format("keeps the clouds {} and {} apart ({}); `isolate_clouds = false` "
                                 "in nutshell.toml would let them see each other",
                                 row.name.cloud, other->name.cloud, whose),
                     ""};
  if (!managed || same) return std::nullopt;
  const auto network = house.registry().network(nic->network);
  if (!network || network->mode == NetworkMode::routed) return std::nullopt;
  return PathBreak{
      spec.bridge,
      fmt::format("lets nothing into the network {}, whose mode is {} ({}); what is published of "
                  "it, or a public address, is reached at this host's addresses",
                  network->name, to_string(network->mode), whose),
      ""};
}

}  // namespace

std::optional<PathBreak> shut_by_us(House& house, const MachineRow& row, const NicSpec& spec,
                                    const std::optional<Ipv4>& to) {
  const Seen seen = look_at(house, row.uuid, row.run, row.last_end);
  if (seen.state == MachineState::paused) {
    const std::string cure = shell_line({"nutshell", "resume", at_cloud(row.name)});
    return PathBreak{"guest", fmt::format("does not run: {}; `{}` lets it go on", seen.words, cure),
                     cure};
  }
  if (!to) return std::nullopt;
  if (spec.kind == NicKind::network)
    if (const auto network = house.registry().network(spec.network);
        network && network->mode == NetworkMode::isolated && !network->address.contains(*to))
      return PathBreak{
          spec.bridge,
          fmt::format("is the bridge of the network {}, which is isolated: nothing of its machines "
                      "leaves it, so none gets to {}",
                      network->name, to_string(*to)),
          ""};
  return kept_apart(house, row, spec, *to);
}

}  // namespace nutshell
