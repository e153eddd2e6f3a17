// What the installer of a cloud will ask, answered: addresses, gateways, name servers, ranges, host
// names. Gathered by the app from the registry and the host; here are the values, and how each
// reader wants them. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nutshell/cloud.hpp"
#include "nutshell/facts.hpp"
#include "nutshell/json.hpp"
#include "nutshell/registry.hpp"
#include "nutshell/spec.hpp"

namespace nutshell {

struct NicAnswers {
  std::string on;    ///< in words: "bridge br0", "network ciab-lan", "user-mode network"
  std::string kind;  ///< to_string(NicKind)
  std::optional<Mac> mac;
  std::optional<Ipv4> address;     ///< nullopt: by DHCP
  std::optional<unsigned> prefix;  ///< nullopt: nobody knows the address's network
  std::optional<Ipv4> gateway;     ///< lies in the NIC's own network
  std::vector<Ipv4> name_servers;
  unsigned mtu = 0;  ///< 0: the usual one
  bool operator==(const NicAnswers&) const = default;
};

struct MachineAnswers {
  std::string name;
  Uuid uuid;
  std::string fqdn;  ///< "NAME.CLOUD.nutshell"
  std::vector<NicAnswers> nics;
  bool operator==(const MachineAnswers&) const = default;
};

struct Answers {
  std::string cloud, mode;
  std::vector<AddressRange> public_ranges;
  std::optional<Ipv4Net> private_subnet;
  unsigned addresses_per_group = 32;
  std::vector<Ipv4> name_servers;
  std::string public_interface, private_interface, bridge;  ///< inside the machines
  std::string ssh_user;                                     ///< empty: the image's own
  std::vector<std::string> ssh_keys;                        ///< public keys, one line each
  std::vector<MachineAnswers> machines;
  bool operator==(const Answers&) const = default;
};

/// What the answers are derived from, beside the registry's machines.
struct AnswersHost {
  Facts facts;  ///< links, addresses, routes
  std::vector<Ipv4> name_servers;
  std::vector<NetworkRow> networks;
};
/// Of one machine: on a bridge of the host as the host itself is there, on a managed network as its
/// DHCP says. What is not known, or does not fit, is said in `warnings`.
MachineAnswers answers_of(const MachineName& name, const MachineSpec& spec, const AnswersWish& wish,
                          const AnswersHost& host, std::vector<std::string>& warnings);

/// For a person: what a prompt asks and what to type, one line each.
std::string answers_text(const Answers& answers);
/// Lines KEY=VALUE that a POSIX shell can source. No two have the same name, whatever machines are
/// called.
std::string answers_env(const Answers& answers);
/// Every field always, null where it is not known.
Json answers_json(const Answers& answers);
/// The nine VNET_ lines of eucalyptus.conf. A range that leaves its /24 is written as several,
/// since Eucalyptus counts in the last byte alone.
std::string answers_eucalyptus(const Answers& answers);

/// The documents of a NoCloud seed, as cloud-init reads them.
struct Seed {
  std::string user_data, meta_data, network_config;
  bool operator==(const Seed&) const = default;
};
/// Of one machine of these answers. The instance id changes whenever anything else does, so that
/// cloud-init looks again.
Seed seed_of(const Answers& answers, const MachineAnswers& machine);
/// The three with a heading each, for a person.
std::string seed_text(const Seed& seed);
/// True when `now` says no more than `present` with gateways or name servers left out: what could
/// be known then and cannot be now. A seed is not made worse.
bool says_less(const Seed& now, const Seed& present);

/// The seed as the image of a disk that cloud-init looks for: ISO 9660 with Joliet, named cidata.
/// The same seed gives the same bytes.
std::string seed_image(const Seed& seed);
/// The seed in an image that seed_image() made; nullopt when it is none.
std::optional<Seed> seed_in_image(std::string_view image);

/// What is wrong with a line as a public key of SSH, "" nothing. A private key is named as such.
std::string ssh_key_fault(std::string_view line);

}  // namespace nutshell
