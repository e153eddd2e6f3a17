// Links: what the kernel shows of each network device, and the changes that any of them takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nl/mac.hpp"
#include "nl/socket.hpp"

namespace nl {

/// RFC 2863; the numbers are the kernel's IF_OPER_*.
enum class OperState : std::uint8_t {
  unknown,
  not_present,
  down,
  lower_layer_down,
  testing,
  dormant,
  up
};

/// What went through a link since it was made (IFLA_STATS64).
struct Counters {
  std::uint64_t bytes = 0;
  std::uint64_t packets = 0;
  std::uint64_t dropped = 0;
  std::uint64_t errors = 0;
};

struct Link {
  int index = 0;
  std::string name{};
  std::string kind{};        ///< "bridge", "tun" (taps too), "veth"...; "" for hardware, loopback
  std::string port_kind{};   ///< "bridge" for a bridge's port, "" without a master
  std::string alias{};       ///< ifalias, "" if none
  std::optional<Mac> mac{};  ///< none where the link has no Ethernet address (a tun, for instance)
  std::uint32_t mtu = 0;     ///< bytes
  int master = 0;            ///< index of the bridge or bond that it is a port of, 0 if none
  int peer = 0;          ///< IFLA_LINK: the other end of a veth, the device below a VLAN; 0 if none
  bool up = false;       ///< set up by somebody (IFF_UP)
  bool running = false;  ///< up and able to carry packets (IFF_RUNNING)
  bool lower_up = false;  ///< carrier (IFF_LOWER_UP)
  bool loopback = false;
  bool promiscuous = false;
  bool vlan_filtering = false;  ///< a bridge that keeps VLANs apart
  OperState operstate = OperState::unknown;
  std::uint16_t type = 0;  ///< ARPHRD_*: 1 Ethernet, 772 loopback
  Counters received{};     ///< zero if the list was asked without counters
  Counters sent{};
};

/// Names a link by name, by index, or both; functions take any of `"br0"`, `7`, a Link.
/// With an index the index decides, and the name only makes the error readable.
class LinkRef {
 public:
  LinkRef(int index) : index_(index) {}
  LinkRef(std::string name) : name_(std::move(name)) {}
  LinkRef(std::string_view name) : name_(name) {}
  LinkRef(const char* name) : name_(name) {}
  LinkRef(const Link& link) : index_(link.index), name_(link.name) {}

  int index() const { return index_; }
  const std::string& name() const { return name_; }

 private:
  int index_ = 0;
  std::string name_;
};

/// Why the kernel would not take `name` for a link, in a few words; none if it would. (1 to 15
/// bytes, no '/', ':', '%' or white space, neither "." nor "..": dev_valid_name(), and '%' because
/// the kernel would number such a name.)
std::optional<std::string> name_problem(std::string_view name);

/// The link, or none. A name that no link can have is none too.
std::optional<Link> find_link(Socket& socket, const LinkRef& link);
/// The index of a link that has to be there; throws ENODEV naming it.
int link_index(Socket& socket, const LinkRef& link);

/// What list_links() leaves out; the kernel does the filtering, so it is cheap.
struct LinkFilter {
  int master = 0;        ///< only the ports of this link
  std::string kind{};    ///< only links of this kind
  bool counters = true;  ///< false is quicker with hundreds of links
};
/// Every link of the socket's namespace, in the order of their indexes, in one dump.
std::vector<Link> list_links(Socket& socket, const LinkFilter& filter = {});

/// The changes of one message; what is not set stays as it is.
struct LinkChange {
  std::optional<bool> up{};
  std::optional<std::uint32_t> mtu{};  ///< bytes
  std::optional<LinkRef> master{};     ///< enslave to this bridge; LinkRef(0) sets free
  std::optional<std::string> alias{};  ///< at most 255 bytes; "" takes it away
  std::optional<Mac> mac{};
  std::optional<std::string> name{};  ///< rename; older kernels refuse while it is up (EBUSY)
  std::optional<bool> promiscuous{};
  std::optional<int> netns_fd{};  ///< move into the network namespace of this descriptor
  /// False: no IPv6 link-local address when it is set up. The kernel applies it after `up`: send it
  /// in an earlier message.
  std::optional<bool> ipv6_link_local{};
};
/// Sends ONE RTM_NEWLINK with all that is set; the kernel applies MAC, MTU, name, alias, master and
/// up in an order that suits a port. If it refuses one of them, those before may have been applied.
void change_link(Socket& socket, const LinkRef& link, const LinkChange& change);

/// Each of these is one message. All throw nl::Error that names the link; ENODEV where it is
/// missing.
void set_up(Socket& socket, const LinkRef& link);
void set_down(Socket& socket, const LinkRef& link);
void set_mtu(Socket& socket, const LinkRef& link, std::uint32_t mtu);
void set_alias(Socket& socket, const LinkRef& link, const std::string& alias);
void set_mac(Socket& socket, const LinkRef& link, const Mac& mac);
void clear_master(Socket& socket, const LinkRef& link);
void rename_link(Socket& socket, const LinkRef& link, const std::string& new_name);
void remove_link(Socket& socket, const LinkRef& link);

/// A port and its bridge (or bond).
struct Enslave {
  LinkRef port;
  LinkRef master;
};
void set_master(Socket& socket, const Enslave& pair);

/// A pair of virtual Ethernet ends. If `peer_netns_fd` is not -1, the peer is made in that
/// namespace.
struct VethPair {
  std::string name{};
  std::string peer{};
  int peer_netns_fd = -1;
};
/// Fails with EEXIST where either name is taken. Removing one end removes both.
void make_veth(Socket& socket, const VethPair& pair);
/// A link that swallows what it gets; EOPNOTSUPP where the kernel has no dummy driver.
void make_dummy(Socket& socket, const std::string& name);

}  // namespace nl
