// The three documents of cloud-init's NoCloud source. They are YAML, of which JSON's texts are a
// part, so whatever a name or a key holds is quoted as JSON is.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "nutshell/answers.hpp"
#include "nutshell/network.hpp"

namespace nutshell {
namespace {

std::string quoted(std::string_view text) { return Json(text).dump(); }

std::string list_of(const std::vector<Ipv4>& addresses) {
  Json list = Json::array();
  for (const Ipv4 address : addresses) list.push(to_string(address));
  return list.dump();
}

// FNV-1a, 64 bits: it tells one text from another, and keeps no secret.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::string user_data(const Answers& answers, const MachineAnswers& machine) {
  std::string text =
      fmt::format("#cloud-config\n# nutshell: {}/{}\nhostname: {}\nfqdn: {}\n", answers.cloud,
                  machine.name, quoted(machine.name), quoted(machine.fqdn));
  if (!answers.ssh_user.empty()) text += fmt::format("user: {}\n", quoted(answers.ssh_user));
  if (!answers.ssh_keys.empty()) text += "ssh_authorized_keys:\n";
  for (const std::string& key : answers.ssh_keys) text += fmt::format("  - {}\n", quoted(key));
  return text;
}

// What may become unknown later is on lines of its own, which begin with these words.
constexpr std::string_view routes = "    routes: ", servers = "    nameservers: ";

std::string network_config(const MachineAnswers& machine, const std::string& domain) {
  if (machine.nics.empty()) return "version: 2\nethernets: {}\n";
  std::string text = "version: 2\nethernets:\n";
  bool has_way_out = false;  // one default route, through the first NIC that has a gateway
  for (std::size_t i = 0; i < machine.nics.size(); ++i) {
    const NicAnswers& nic = machine.nics[i];
    text += fmt::format("  nic{}:\n", i);
    if (nic.mac)
      text += fmt::format("    match: {{macaddress: {}}}\n", quoted(to_string(*nic.mac)));
    if (nic.mtu) text += fmt::format("    mtu: {}\n", nic.mtu);
    if (!nic.address || !nic.prefix) {
      text += "    dhcp4: true\n";
      continue;
    }
    text += fmt::format("    dhcp4: false\n    addresses: [{}]\n",
                        quoted(to_string(Ipv4Net{*nic.address, *nic.prefix})));
    if (nic.gateway && !std::exchange(has_way_out, true))
      text += fmt::format("{}[{{to: \"0.0.0.0/0\", via: {}}}]\n", routes,
                          quoted(to_string(*nic.gateway)));
    if (!nic.name_servers.empty())
      text += fmt::format("{}{{addresses: {}, search: [{}]}}\n", servers, list_of(nic.name_servers),
                          quoted(domain));
  }
  return text;
}

struct Split {
  std::string rest;                ///< of the document, without what may become unknown
  std::vector<std::string> known;  ///< where in the rest a line stood, and which it was
};

Split split(std::string_view document) {
  Split parts;
  while (!document.empty()) {
    const std::string_view line = document.substr(0, document.find('\n'));
    const bool is_route = line.starts_with(routes);
    if (is_route || line.starts_with(servers))
      parts.known.push_back(fmt::format("{} {}", parts.rest.size(), is_route ? routes : servers));
    else
      parts.rest += std::string(line) + "\n";
    document.remove_prefix(std::min(document.size(), line.size() + 1));
  }
  return parts;
}

}  // namespace

Seed seed_of(const Answers& answers, const MachineAnswers& machine) {
  Seed seed;
  seed.user_data = user_data(answers, machine);
  seed.network_config = network_config(machine, dns_domain(answers.cloud));
  seed.meta_data = fmt::format("instance-id: {}\nlocal-hostname: {}\n",
                               quoted(fmt::format("{}-{:016x}", machine.uuid.text,
                                                  hash_of(seed.user_data + seed.network_config))),
                               quoted(machine.name));
  return seed;
}

std::string seed_text(const Seed& seed) {
  return fmt::format("--- user-data\n{}\n--- meta-data\n{}\n--- network-config\n{}", seed.user_data,
                     seed.meta_data, seed.network_config);
}

bool says_less(const Seed& now, const Seed& present) {
  if (now.user_data != present.user_data) return false;
  const Split one = split(now.network_config), other = split(present.network_config);
  return one.rest == other.rest && one.known.size() < other.known.size() &&
         std::all_of(one.known.begin(), one.known.end(), [&](const std::string& each) {
           return std::find(other.known.begin(), other.known.end(), each) != other.known.end();
         });
}

std::string ssh_key_fault(std::string_view line) {
  static constexpr std::array types{"ssh-ed25519 ",
                                    "ssh-rsa ",
                                    "ecdsa-sha2-nistp256 ",
                                    "ecdsa-sha2-nistp384 ",
                                    "ecdsa-sha2-nistp521 ",
                                    "sk-ssh-ed25519@openssh.com ",
                                    "sk-ecdsa-sha2-nistp256@openssh.com ",
                                    "ssh-dss "};
  if (line.find("PRIVATE KEY") != std::string_view::npos)
    return "it is a private key, which stays where it is; name the file that ends in .pub";
  if (const std::string fault = text_fault(line); !fault.empty()) return fault;
  const auto type = std::find_if(types.begin(), types.end(),
                                 [&](const char* each) { return line.starts_with(each); });
  constexpr std::size_t shortest = 40;
  if (type == types.end() || line.size() < shortest)
    return "it does not look like a public key of SSH (\"ssh-ed25519 AAAA... me@desk\")";
  const std::string_view body = line.substr(std::string_view(*type).size());
  if (!body.starts_with("AAAA"))
    return "it does not look like a public key of SSH (\"ssh-ed25519 AAAA... me@desk\")";
  return "";
}

}  // namespace nutshell
