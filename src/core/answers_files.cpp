// Answers for programs that read lines: a shell that sources them, and Eucalyptus.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "nutshell/answers.hpp"

namespace nutshell {
namespace {

std::string spaced(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string spaced(const std::vector<Ipv4>& addresses) {
  std::vector<std::string> words;
  for (const Ipv4 address : addresses) words.push_back(to_string(address));
  return spaced(words);
}

std::string word_of(const AddressRange& range) {
  return range.first == range.last
             ? to_string(range.first)
             : fmt::format("{}-{}", to_string(range.first), to_string(range.last));
}

// Names of machines hold no underscore, and what follows one here holds no dash, so two machines
// never come to the same variable.
std::string variable_of(const std::string& machine) {
  std::string name = "MACHINE_";
  for (const char c : machine)
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

void add(std::string& text, const std::string& key, const std::string& value) {
  text += fmt::format("{}={}\n", key, value.empty() ? "''" : shell_quote(value));
}

void add_nic(std::string& text, const std::string& stem, const NicAnswers& nic, std::size_t index) {
  const std::string number = index == 0 ? "" : fmt::format("_{}", index);
  const auto field = [&](const char* name, const std::string& value) {
    add(text, stem + name + number, value);
  };
  const bool whole = nic.address && nic.prefix;
  field("_MAC", nic.mac ? to_string(*nic.mac) : "");
  field("_ADDRESS", nic.address ? to_string(*nic.address) : "");
  field("_NETMASK", whole ? to_string(Ipv4Net{*nic.address, *nic.prefix}.netmask()) : "");
  field("_GATEWAY", nic.gateway ? to_string(*nic.gateway) : "");
  field("_DNS", spaced(nic.name_servers));
}

}  // namespace

std::string answers_env(const Answers& answers) {
  std::string text;
  std::vector<std::string> ranges, machines;
  for (const AddressRange& range : answers.public_ranges) ranges.push_back(word_of(range));
  for (const MachineAnswers& machine : answers.machines) machines.push_back(machine.name);
  std::string keys;
  for (const std::string& key : answers.ssh_keys) keys += (keys.empty() ? "" : "\n") + key;
  const auto& subnet = answers.private_subnet;
  add(text, "CLOUD", answers.cloud);
  add(text, "MODE", answers.mode);
  add(text, "PUBLIC_IPS", spaced(ranges));
  add(text, "PRIVATE_SUBNET", subnet ? to_string(subnet->first()) : "");
  add(text, "PRIVATE_NETMASK", subnet ? to_string(subnet->netmask()) : "");
  add(text, "ADDRESSES_PER_GROUP", std::to_string(answers.addresses_per_group));
  add(text, "DNS", spaced(answers.name_servers));
  add(text, "PUBLIC_INTERFACE", answers.public_interface);
  add(text, "PRIVATE_INTERFACE", answers.private_interface);
  add(text, "BRIDGE", answers.bridge);
  add(text, "SSH_USER", answers.ssh_user);
  add(text, "SSH_KEYS", keys);
  add(text, "MACHINES", spaced(machines));
  for (const MachineAnswers& machine : answers.machines) {
    const std::string stem = variable_of(machine.name);
    add(text, stem + "_HOSTNAME", machine.name);
    add(text, stem + "_FQDN", machine.fqdn);
    for (std::size_t i = 0; i < machine.nics.size(); ++i) add_nic(text, stem, machine.nics[i], i);
  }
  return text;
}

std::string answers_eucalyptus(const Answers& answers) {
  constexpr std::uint32_t last_byte = 0xff;
  std::vector<std::string> ranges;
  for (const AddressRange& range : answers.public_ranges)
    for (std::uint64_t first = range.first.value; first <= range.last.value;) {
      const auto low = static_cast<std::uint32_t>(first);
      const std::uint32_t high = std::min(range.last.value, low | last_byte);
      ranges.push_back(word_of({{low}, {high}}));
      first = std::uint64_t{high} + 1;
    }
  const auto& subnet = answers.private_subnet;
  std::string text;
  const auto line = [&](const char* key, const std::string& value) {
    text += fmt::format("{}=\"", key);
    for (const char c : value) {  // it is sourced by a shell
      if (c == '"' || c == '\\' || c == '$' || c == '`') text += '\\';
      text += c;
    }
    text += "\"\n";
  };
  line("VNET_MODE", answers.mode);
  line("VNET_PUBLICIPS", spaced(ranges));
  line("VNET_SUBNET", subnet ? to_string(subnet->first()) : "");
  line("VNET_NETMASK", subnet ? to_string(subnet->netmask()) : "");
  line("VNET_ADDRSPERNET", std::to_string(answers.addresses_per_group));
  line("VNET_DNS", answers.name_servers.empty() ? "" : to_string(answers.name_servers.front()));
  line("VNET_PUBINTERFACE", answers.public_interface);
  line("VNET_PRIVINTERFACE", answers.private_interface);
  line("VNET_BRIDGE", answers.bridge);
  return text;
}

}  // namespace nutshell
