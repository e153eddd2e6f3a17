// nutshell.toml: what the host has to give, and defaults. Also machine specs written as TOML
// (golden files, cloud files).
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "nutshell/error.hpp"
#include "nutshell/spec.hpp"

namespace nutshell {

/// A pool of the host. Values are integers or intervals of them, inclusive.
struct PoolRange {
  std::string name;  ///< "mac", "vnc", "cid", "uid", "subnet", or a user's own public pool
  std::string kind;  ///< mac | vnc | cid | uid | ipv4 | subnet
  std::uint64_t low = 0, high = 0;
  unsigned prefix = 24;  ///< kind subnet: what one lease covers
  std::vector<std::pair<std::uint64_t, std::uint64_t>> excluded;  ///< never given
  std::string origin = "default";
  bool operator==(const PoolRange&) const = default;
};

/// What `--type` and `type =` stand for.
struct InstanceType {
  std::string name;  ///< "m1.small"
  unsigned cpus = 1;
  Bytes memory = gibi;
  Bytes disk = gibi;  ///< of the one disk that a machine of that type gets
  std::string origin = "built in";
  bool operator==(const InstanceType&) const = default;
};

/// Limits of a cloud; nullopt: none.
struct Quota {
  std::optional<unsigned> machines, cpus, addresses;
  std::optional<Bytes> memory, disk;
  Origins origins{};  ///< by key
  bool operator==(const Quota&) const = default;
};

struct Config {
  std::string file;          ///< where it was read; empty: there is none
  std::string qemu;          ///< the binary; empty: the first that is there
  std::string cpu;           ///< default CPU model; empty: qemu64
  std::string vg;            ///< default volume group of disks given by size; empty: file volumes
  std::string thin;          ///< default thin pool in `vg`; empty: thick volumes
  unsigned thin_limit = 90;  ///< percent: a thin pool fuller than that starts and makes nothing
  std::optional<Bytes> memory;
  std::optional<Ipv4Net>
      network;  ///< the subnet of nutshell0, when the host's owner wants a certain one
  bool isolate_clouds = true;       ///< machines of one cloud do not see those of another
  std::vector<PoolRange> pools;     ///< those of the file
  std::vector<InstanceType> types;  ///< those of the file
  std::optional<Quota> quota;       ///< of each cloud whose file has none
  Origins origins;
};

/// Parses nutshell.toml: qemu, cpu, vg, thin, thin_limit, memory, network, isolate_clouds, [[type]]
/// with name, cpus, memory and disk, [quota] with machines, cpus, memory, disk and addresses, and
/// [[pool]] with name, kind, range
/// ("low-high", one value, or a network a.b.c.d/n), exclude (a list of the same) and prefix (kind
/// subnet). A network as a range of kind ipv4 leaves its first and last address out. Unknown keys
/// are refused. Throws ConfigError with every mistake as FILE:LINE.
Config parse_config(std::string_view text, const std::string& file);
/// The pools of a host with that config: the built-in ones, changed or joined by the file's.
std::vector<PoolRange> effective_pools(const Config& config);
/// The instance types: the built-in ones, m1.small to hs1.8xlarge, changed or joined by the file's.
std::vector<InstanceType> effective_types(const Config& config);
/// One machine as TOML (keys as the options of `launch`, disks and nics as arrays of strings), with
/// check() applied. Paths stay as given; origins are "FILE:LINE". Throws ConfigError with every
/// mistake.
MachineSpec parse_machine(std::string_view text, const std::string& file);

}  // namespace nutshell
