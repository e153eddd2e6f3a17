// What the host shows at one moment, read once and in bulk by host/observe; everything after works
// from this value.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nutshell/values.hpp"

namespace nutshell {

struct LinkFact {
  int index = 0;
  std::string name, kind,
      alias;  ///< kind as the kernel says: "bridge", "tun", "veth", "" for a physical one
  Mac mac;
  unsigned mtu = 0;
  int master = 0;  ///< index of the bridge it is a port of, 0: none
  bool up = false;
  int lower = 0;  ///< index of the device below a VLAN or macvtap, the other end of a veth; 0: none
  bool vlan_filtering = false;  ///< a bridge that keeps VLANs apart
};
struct AddressFact {
  int link = 0;
  Ipv4Net net;  ///< the interface address with its prefix
};
struct RouteFact {
  Ipv4Net destination;
  unsigned table = 254;  ///< RT_TABLE_MAIN
  int link = 0;
  std::optional<Ipv4> gateway{};  ///< of its first hop; nullopt: what is routed is on the link
};
/// A MAC that the host has seen: in a forwarding or neighbour table, on a link, or in another
/// QEMU's command line.
struct MacFact {
  Mac mac;
  std::string
      holder;  ///< in words: "port em1 of br0", "neighbour 10.0.0.7 on br0", "qemu (pid 311)"
};
/// An address that something else holds, and where that was seen.
struct IpFact {
  Ipv4 ip;
  std::string holder;
};
/// Addresses that belong to somebody although no link or route of the host shows it: a network of
/// another tool that is down, a range in use outside of a nested box, a pool of public addresses.
struct RangeFact {
  Ipv4 first, last;
  std::string holder;
  bool subnets_only = false;  ///< no subnet may overlap it, but public addresses may lie in it
  std::string cloud{};  ///< whose it is though no pool has it (also= of a NIC): none but that cloud
                        ///< may have an address in it, on a bridge or of a pool
};
/// A TCP port that is bound, listening or not, by either family.
struct PortFact {
  std::uint16_t port = 0;
  std::string holder;  ///< "Xvnc (pid 311)", or "another process" where it cannot be known
};

enum class CpuVendor { unknown, intel, amd };

/// Why KVM can or cannot be used here, each layer by evidence (DESIGN.md section 7).
struct KvmFact {
  bool node = false;         ///< /dev/kvm exists
  int open_errno = 0;        ///< 0: it opens
  int api_version = 0;       ///< KVM_GET_API_VERSION, 12 expected
  int create_vm_errno = -1;  ///< KVM_CREATE_VM: 0 works, -1 not tried
  bool supported_nested =
      false;                ///< KVM_GET_SUPPORTED_CPUID has vmx or svm: nested is on in the module
  bool cpu_flag = false;    ///< vmx or svm in /proc/cpuinfo
  bool runs_guest = false;  ///< a real-mode guest, a short loop, ran to its HLT in time
  std::string trouble;      ///< one sentence on the first layer that fails; empty: usable
  [[nodiscard]] bool usable() const { return trouble.empty(); }
};

/// What is known of one QEMU binary; cached by (device, inode, size, mtime, kernel release).
struct QemuFact {
  std::string path;
  std::string version;  ///< "7.2.22"
  int major = 0, minor = 0;
  std::string pc_machine;   ///< what `pc` stands for: "pc-i440fx-7.2"
  std::string q35_machine;  ///< what `q35` stands for: "pc-q35-7.2"
};

struct Facts {
  bool root = false;
  unsigned uid = 0, gid = 0;
  std::string boot_id;  ///< /proc/sys/kernel/random/boot_id
  std::string hostname;
  CpuVendor cpu_vendor = CpuVendor::unknown;
  unsigned cpus = 1;
  Bytes memory_total = 0, memory_available = 0;
  KvmFact kvm;
  bool vhost_net = false;  ///< /dev/vhost-net opens
  std::optional<QemuFact> qemu;
  std::string qemu_trouble;   ///< why there is no usable QEMU, one sentence
  std::string bridge_helper;  ///< path of qemu-bridge-helper; empty: none
  std::vector<std::string>
      helper_bridges;  ///< bridges that its ACL allows this user ("all" included)
  std::optional<std::pair<unsigned, unsigned>>
      qemu_user;                     ///< uid and gid of `nutshell-qemu`, when it exists
  std::optional<unsigned> kvm_gid;   ///< the group that owns /dev/kvm, unless that is root
  std::string ovmf_code, ovmf_vars;  ///< UEFI firmware and its variable template; empty: none
  bool dnsmasq = false;              ///< the program is there

  std::vector<LinkFact> links;
  std::vector<AddressFact> addresses;
  std::vector<RouteFact> routes;
  std::vector<MacFact> macs;
  std::vector<IpFact> ips;  ///< neighbours, and answers to probes
  std::vector<PortFact> ports;
  std::vector<RangeFact> ranges;
  bool seen = false;  ///< by host/observe. Where it was not, nothing is foreign: what is taken was
                      ///< had before
  std::string
      cloud;  ///< for whom it was looked: what that cloud has is no stranger's to its networks
  std::string
      outer;  ///< what a machine is told that can run others (encode_outer()); empty: nothing

  /// The link of that name, or nullptr.
  [[nodiscard]] const LinkFact* link(std::string_view name) const;
  /// True when the bridge has a port whose alias is not our mark.
  [[nodiscard]] bool has_foreign_port(const LinkFact& bridge) const;
};

/// What our marks look like: "nutshell:CLOUD/NAME:NIC" for a tap, "nutshell:network:NAME" for a
/// managed bridge.
std::string tap_mark(const MachineName& name, unsigned nic);
std::string network_mark(const std::string& network);
bool is_mark(std::string_view alias);
/// "nutshell:bridge:NAME", which with ":TAG" of the registry marks a bridge that `bridge create` or
/// `bridge adopt` made. It is no is_mark(): what is on such a bridge is the host's or a stranger's.
std::string bridge_mark(const std::string& bridge);

}  // namespace nutshell
