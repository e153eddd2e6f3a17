// A cloud as its file describes it: machines, networks, groups, ranges, what an installer will be
// told. Values only; what of it the host has already is the registry's.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nutshell/config.hpp"
#include "nutshell/network.hpp"
#include "nutshell/registry.hpp"
#include "nutshell/spec.hpp"

namespace nutshell {

/// The public range that a cloud wants out of a pool of kind ipv4 of nutshell.toml: a count of
/// addresses, or certain ones. Neither: none.
struct PublicWish {
  std::string pool;                  ///< empty: the pool that has `ranges`, or the only one
  unsigned count = 0;                ///< addresses, 1..65536; 0: `ranges` says
  std::vector<AddressRange> ranges;  ///< in order, apart from one another
  std::string origin;                ///< FILE:LINE
  bool operator==(const PublicWish&) const = default;
  [[nodiscard]] bool asked() const { return count != 0 || !ranges.empty(); }
};

/// The private subnet: of that prefix out of a pool of kind subnet, or a certain one.
struct PrivateWish {
  std::string pool;     ///< empty: the pool "subnet"; of a certain subnet: any, or none
  unsigned prefix = 0;  ///< 8..30; 0: `subnet` says
  std::optional<Ipv4Net> subnet;
  std::string origin;
  bool operator==(const PrivateWish&) const = default;
  [[nodiscard]] bool asked() const { return prefix != 0 || subnet; }
};

/// A managed network of the cloud's own. On the host it is called CLOUD-NAME.
struct CloudNetwork {
  std::string name;  ///< as in the file
  NetworkMode mode = NetworkMode::nat;
  enum class Range { pool, certain, the_public, the_private };
  Range range = Range::pool;      ///< where its subnet comes from
  unsigned prefix = 0;            ///< Range::pool: its size; 0: the pool's
  std::optional<Ipv4Net> subnet;  ///< Range::certain
  unsigned mtu = usual_mtu;
  std::string ipv6;  ///< /64 prefix; empty: none
  bool dns = true;
  std::string origin;
  bool operator==(const CloudNetwork&) const = default;
};

struct CloudGroup {
  std::string name, description;
  std::vector<GroupRule> rules;  ///< sorted
  std::string origin;
  bool operator==(const CloudGroup&) const = default;
};

/// A machine starts when that condition of another one of its cloud is met.
struct After {
  std::string machine;                ///< bare name
  std::string condition = "running";  ///< as `nutshell wait` takes it
  auto operator<=>(const After&) const = default;
};

/// One machine, of count = N one of N.
struct CloudMachine {
  std::string entry;  ///< the name in the file: "node" of node1
  MachineSpec wish;   ///< not completed: no uuid, no leases; its networks' names are the host's
  std::string image;  ///< absolute path; its first disk is made on top of it; empty: none
  DiskFormat image_format = DiskFormat::qcow2;
  std::vector<After> after;
  unsigned after_timeout = 300;  ///< seconds
  bool seed = false;             ///< a disk with its answers for cloud-init is attached
  bool autostart = false;        ///< it comes up when the host boots; left out: the cloud's word
  bool operator==(const CloudMachine&) const = default;
};

/// What the answers say that nobody can derive.
struct AnswersWish {
  std::string mode = "MANAGED-NOVLAN";
  unsigned addresses_per_group = 32;  ///< VNET_ADDRSPERNET: a power of two, 16..2048
  std::vector<Ipv4> dns;              ///< empty: the host's
  std::optional<Ipv4> gateway;        ///< nullopt: as the host shows
  std::string public_interface = "eth0", private_interface = "eth0",
              bridge = "br0";         ///< inside the machine
  std::string ssh_user;               ///< empty: the image's default user
  std::vector<std::string> ssh_keys;  ///< public keys, one line each
  Origins origins{};
  bool operator==(const AnswersWish&) const = default;
};

struct CloudSpec {
  std::string name;
  std::string file;  ///< absolute path
  PublicWish public_range;
  PrivateWish private_subnet;
  std::optional<Quota> quota;  ///< nullopt: nutshell.toml's
  std::vector<CloudNetwork> networks;
  std::vector<CloudGroup> groups;
  std::vector<CloudMachine> machines;  ///< in the order of the file
  AnswersWish answers;
  bool autostart = false;  ///< some machine comes up when the host boots
  bool operator==(const CloudSpec&) const = default;
  [[nodiscard]] const CloudMachine* machine(std::string_view name) const;
};

/// The name on the host of a network of a cloud.
std::string host_network(std::string_view cloud, std::string_view network);

/// Parses cloud.toml. `folder` is what relative paths are seen from, `types` the instance types of
/// the host. Throws ConfigError with every mistake as FILE:LINE: unknown keys, cycles in `after`,
/// names given twice, ranges that overlap inside the file, a count that is 0 or too large.
CloudSpec parse_cloud(std::string_view text, const std::string& file, const std::string& folder,
                      const std::vector<InstanceType>& types);
/// One machine, as the spec of a machine keeps it.
Json to_json(const CloudMachine& machine);
/// Throws Failed.
CloudMachine cloud_machine_from_json(const Json& json);
/// As kept in the registry; `cloud_from_json(to_json(spec)) == spec`.
Json to_json(const CloudSpec& spec);
/// Throws Failed when a field is missing or of the wrong type.
CloudSpec cloud_from_json(const Json& json);

/// One field of a machine that the file says otherwise than before.
struct FieldChange {
  std::string field;     ///< "memory", "nics[1]"
  std::string from, to;  ///< in words; empty: nothing
  enum class Takes { nothing, restart, new_machine } takes = Takes::restart;
  bool operator==(const FieldChange&) const = default;
};
/// What differs between two wishes for a machine. Disks that go, or turn into others, and what is
/// frozen at create (firmware, image, board) take a new machine; groups, tags and what is only read
/// by `up` take nothing.
std::vector<FieldChange> changes_of(const CloudMachine& before, const CloudMachine& after);
/// The same for a machine that there is: what `volume resize` or `set --drop-disk` did by hand
/// already takes nothing, and hints name its disks by their present numbers.
std::vector<FieldChange> changes_of(const CloudMachine& before, const CloudMachine& after,
                                    const MachineSpec& present);
/// The machine's present spec with what changed between the two wishes, and nothing else: what
/// `set` did by hand stays. Only of changes that take no new machine.
MachineSpec merged(const MachineSpec& present, const CloudMachine& before,
                   const CloudMachine& after);

/// What a cloud has or is about to have, against its quota.
struct Usage {
  unsigned machines = 0, cpus = 0, addresses = 0;
  Bytes memory = 0, disk = 0;
};
/// Adds a machine; disks count by the size of their volumes.
void add_usage(Usage& usage, const MachineSpec& spec);
/// One sentence for each limit that is passed: "4 machines are more than its quota of 3 (F:7)".
std::vector<std::string> quota_faults(const Usage& usage, const Quota& quota);

}  // namespace nutshell
