// The spec of a machine: what the user asked for, complete and checked. Values only.
// After `create` it is frozen with its leases and its pinned machine type, kept in the registry and
// beside the disks.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nutshell/error.hpp"
#include "nutshell/json.hpp"
#include "nutshell/values.hpp"

namespace nutshell {

enum class DiskBus { virtio, ide, scsi, sata };
enum class DiskFormat { raw, qcow2 };
enum class CacheMode {
  none,
  writeback,
  writethrough,
  directsync,
  unsafe
};  ///< QEMU's -drive cache= modes
enum class AioMode { threads, native, io_uring };
enum class NicModel { virtio, e1000, rtl8139 };
enum class NicKind { bridge, network, user, macvtap };
/// How the macvtap NICs of one uplink see each other (ip-link(8), macvtap): directly, only through
/// a switch that sends frames back, not at all, or one NIC alone that has the whole uplink.
enum class MacvtapMode { bridge, vepa, closed, passthru };
enum class Firmware { bios, uefi };
enum class Nested { automatic, on, off };
enum class Accel { automatic, kvm, tcg };
enum class BootOrder { disk, cdrom, once_cdrom, net };
enum class VncMode { automatic, fixed, unix_socket, off };

/// One layer under a disk: a backing file and its format, nearest first. Formats are named, never
/// probed.
struct BackingLayer {
  std::string path;
  DiskFormat format = DiskFormat::raw;
  bool operator==(const BackingLayer&) const = default;
};

struct DiskSpec {
  std::optional<Bytes>
      size;  ///< set: a volume of ours is made; not set: `path` exists already and is never deleted
  std::string path;  ///< absolute; of a volume of ours it is filled in at create
  std::string vg;  ///< LVM volume group that the disk is in, ours or not; empty: no logical volume
  std::string thin;   ///< thin pool in `vg` of a volume of ours; empty: a thick volume
  bool file = false;  ///< a file volume although the config names a volume group
  DiskBus bus = DiskBus::virtio;
  DiskFormat format = DiskFormat::raw;
  bool format_named = false;  ///< the user wrote format=
  CacheMode cache = CacheMode::writeback;
  AioMode aio = AioMode::threads;
  bool discard = true;  ///< pass guest discards down (discard=unmap)
  bool read_only = false;
  std::vector<BackingLayer> backing;  ///< the chain below a qcow2, nearest first; empty: none
  bool operator==(const DiskSpec&) const = default;
  [[nodiscard]] bool ours() const { return size.has_value(); }
  [[nodiscard]] bool on_lvm() const { return !vg.empty(); }
  /// The logical volume's name; only of a disk on LVM whose path is filled in.
  [[nodiscard]] std::string lv() const { return path.substr(path.rfind('/') + 1); }
};

/// Addresses from `first` to `last`, both included.
struct AddressRange {
  Ipv4 first, last;
  auto operator<=>(const AddressRange&) const = default;
};

/// A port of the host that leads to a port of the machine.
struct PublishedPort {
  std::optional<Ipv4> address;  ///< of the host; nullopt: all of them
  std::uint16_t port = 0;       ///< of the host
  std::uint16_t to = 0;         ///< of the machine
  bool udp = false;
  auto operator<=>(const PublishedPort&) const = default;
};

/// VLANs from `first` to `last`, both included; 1..4094 (IEEE 802.1Q).
struct VlanRange {
  unsigned first = 1, last = 1;
  auto operator<=>(const VlanRange&) const = default;
};

struct NicSpec {
  NicKind kind = NicKind::network;
  std::string bridge;   ///< kind bridge: the bridge. kind network: filled in at create (the
                        ///< network's bridge)
  std::string network;  ///< kind network: the managed network's name
  NicModel model = NicModel::virtio;
  std::optional<Mac> mac;  ///< always set after create
  std::optional<Ipv4> ip;  ///< network: the leased address. bridge: only when asked for (recorded,
                           ///< probed, not handed out)
  unsigned mtu = 0;        ///< bytes, told to the guest (virtio); 0: the bridge's
  unsigned queues = 1;     ///< pairs of them, 1..16 (virtio)
  std::optional<bool> antispoof;   ///< nullopt: where its address is known
  std::vector<AddressRange> also;  ///< addresses that it may use beside its own
  std::uint64_t rate = 0;          ///< bits per second, each way; 0: no limit
  unsigned vlan = 0;  ///< kind bridge: the VLAN of the guest's frames without a tag; 0: the
                      ///< bridge's default, or none where `trunk` names some
  std::vector<VlanRange> trunk;  ///< kind bridge: VLANs that the guest sees with their tags; in
                                 ///< order, apart from one another
  std::string uplink;            ///< kind macvtap: the device that the link is made on
  MacvtapMode macvtap_mode = MacvtapMode::bridge;
  bool operator==(const NicSpec&) const = default;
  /// The NIC needs a bridge that keeps VLANs apart.
  [[nodiscard]] bool has_vlans() const { return vlan != 0 || !trunk.empty(); }
  /// Its frames cross a bridge of the host, where rules can see them.
  [[nodiscard]] bool is_bridged() const {
    return kind == NicKind::bridge || kind == NicKind::network;
  }
  /// It may send from its own MAC and addresses alone.
  [[nodiscard]] bool is_guarded() const {
    return is_bridged() && antispoof.value_or(ip.has_value());
  }
};

struct VncSpec {
  VncMode mode = VncMode::automatic;
  unsigned display = 0;              ///< mode fixed: 0..59635 (port 5900+display)
  std::string listen = "127.0.0.1";  ///< numeric IPv4 or IPv6 address
  std::string
      password_file;  ///< path of the file that holds the password (at most 8 bytes); empty: none
  bool password = false;  ///< a password is required (always beyond the loopback)
  bool operator==(const VncSpec&) const = default;
};

/// Where a value came from: an option, FILE:LINE, "default", or a host fact. Keyed by field
/// ("memory", "nic.0.mac").
using Origins = std::map<std::string, std::string>;

struct MachineSpec {
  Uuid uuid;  ///< drawn at create
  MachineName name;
  unsigned cpus = 1;  ///< 1..255
  Bytes memory = gibi;
  std::string cpu = "qemu64";  ///< a QEMU CPU model, with flags if wanted ("host,-avx")
  std::string machine;         ///< empty: pc (bios) or q35 (uefi); a versioned type after create
  Nested nested = Nested::automatic;
  Accel accel = Accel::automatic;
  Firmware firmware = Firmware::bios;
  std::string firmware_vars;  ///< uefi: our copy of the variables, filled in at create
  std::vector<DiskSpec> disks;
  std::string cdrom;  ///< absolute path of the ISO; empty: a drive without a medium is not made
  bool cdrom_drive = false;  ///< a drive exists although it is empty (ejected)
  BootOrder boot = BootOrder::disk;
  std::string kernel, initrd, append;  ///< direct kernel boot
  std::vector<NicSpec> nics;
  std::vector<std::string> groups;     ///< security groups of its cloud; none: not filtered
  std::vector<PublishedPort> publish;  ///< led to its first managed NIC that is not isolated
  VncSpec vnc;
  std::string qemu;                         ///< the QEMU binary asked for; empty: the host's first
  std::vector<std::string> qemu_args;       ///< handed to QEMU as they are (after --)
  std::map<std::string, std::string> tags;  ///< words of the user's own, for `ls --tag`
  std::optional<unsigned> vsock_cid;        ///< leased at create
  std::optional<unsigned> run_as_uid;  ///< leased at create by root: the uid of this machine's QEMU
                                       ///< where nutshell-qemu is missing
  std::string applied;  ///< a CloudMachine as JSON: what the file of its cloud said when `up` last
                        ///< changed it; empty: it has not since it was made
  Origins origins;
  bool operator==(const MachineSpec&) const = default;

  [[nodiscard]] bool is_q35() const {
    return machine.find("q35") != std::string::npos ||
           (machine.empty() && firmware == Firmware::uefi);
  }
  [[nodiscard]] bool has_cdrom_drive() const { return cdrom_drive || !cdrom.empty(); }
};

/// Words of the enums, both ways; parse_* gives nullopt for an unknown word, *_words lists the
/// allowed ones.
std::string to_string(DiskBus value);
std::string to_string(DiskFormat value);
std::string to_string(CacheMode value);
std::string to_string(AioMode value);
std::string to_string(NicModel value);
std::string to_string(NicKind value);
std::string to_string(MacvtapMode value);
std::string to_string(Firmware value);
std::string to_string(Nested value);
std::string to_string(Accel value);
std::string to_string(BootOrder value);
std::string to_string(VncMode value);

/// Sets `value` from its word; false when the word is unknown.
bool from_word(std::string_view word, DiskBus& value);
bool from_word(std::string_view word, DiskFormat& value);
bool from_word(std::string_view word, CacheMode& value);
bool from_word(std::string_view word, AioMode& value);
bool from_word(std::string_view word, NicModel& value);
bool from_word(std::string_view word, NicKind& value);
bool from_word(std::string_view word, MacvtapMode& value);
bool from_word(std::string_view word, Firmware& value);
bool from_word(std::string_view word, Nested& value);
bool from_word(std::string_view word, Accel& value);
bool from_word(std::string_view word, BootOrder& value);
bool from_word(std::string_view word, VncMode& value);
/// The allowed words, comma separated, for errors: "virtio, ide, scsi or sata".
std::string words_of(DiskBus);
std::string words_of(DiskFormat);
std::string words_of(CacheMode);
std::string words_of(AioMode);
std::string words_of(NicModel);
std::string words_of(MacvtapMode);
std::string words_of(Firmware);
std::string words_of(Nested);
std::string words_of(Accel);
std::string words_of(BootOrder);

/// The value of --disk: "100G,bus=virtio,cache=none" or "path=/dev/vg01/ciab,format=raw". Keys:
/// size path vg thin file bus format cache aio discard read_only (or `ro`) backing backing_format.
/// A comma inside a value is written twice, as QEMU does. Paths stay as given (the caller makes
/// them absolute). Mistakes go to `problems`.
DiskSpec parse_disk(std::string_view text, const std::string& where, Problems& problems);
/// The value of --nic: "bridge=br0,model=virtio,mac=...,ip=...", "network=NAME", "user" or
/// "macvtap=em1,mode=bridge", with mtu= and queues= for virtio, vlan= and trunk= on a bridge. Where
/// none of the four is named ("model=e1000"), the kind is network with an empty `network`: the
/// default network of whoever asks. Mistakes go to `problems`.
NicSpec parse_nic(std::string_view text, const std::string& where, Problems& problems);
/// The value of --publish: "8443:8443", "192.0.2.1:5353:53/udp". Mistakes go to `problems`.
PublishedPort parse_publish(std::string_view text, const std::string& where, Problems& problems);
/// "8443:8443", "192.0.2.1:5353:53/udp".
std::string to_string(const PublishedPort& port);
/// The host's side of it, as its lease is written: "8443/tcp", "192.0.2.1:5353/udp".
std::string outside_of(const PublishedPort& port);
/// Addresses written "192.0.2.1", "192.0.2.1-192.0.2.9" or "192.0.2.0/28", a plus between two;
/// nullopt when one is malformed or runs backwards.
std::optional<std::vector<AddressRange>> parse_ranges(std::string_view text);
std::string to_string(const std::vector<AddressRange>& ranges);
/// Bits per second: "100M", "1500000" (suffixes K M G are powers of 1000); nullopt when it is less
/// than 8K or more than 1000G.
std::optional<std::uint64_t> parse_rate(std::string_view text);
/// "100-110+200" as VLANs, in order and joined where they touch; nullopt when it is malformed or a
/// number is not from 1 to 4094.
std::optional<std::vector<VlanRange>> parse_vlans(std::string_view text);
/// "100-110+200".
std::string to_string(const std::vector<VlanRange>& vlans);
/// The value of --tag, "role=node": a key of letters, digits, '.', '_', '-' and '/', at most 63,
/// and a value of at most 255 characters, which may be empty. Mistakes go to `problems`.
void parse_tag(std::string_view text, const std::string& where,
               std::map<std::string, std::string>& tags, Problems& problems);
/// The value of --vnc: auto, a display number, unix or off. Mistakes go to `problems`.
void parse_vnc(std::string_view text, const std::string& where, VncSpec& vnc, Problems& problems);

/// What can be wrong in a spec as a whole, without looking at the host (ide on q35, boot from a
/// cdrom that is not there, ...). An empty name is not looked at. `where` is the field's origin
/// where one is kept, else its option.
Problems check(const MachineSpec& spec);

/// The spec as kept in the registry and beside the disks; `spec_from_json(to_json(s)) == s`.
Json to_json(const MachineSpec& spec);
/// Throws Failed when a field is missing or of the wrong type.
MachineSpec spec_from_json(const Json& json);

}  // namespace nutshell
