// Nothing here is typed twice: ranges are what the cloud holds, addresses what its machines were
// given, gateways and name servers what the host has.
#include "app/cloud_answers.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "app/cloud_facts.hpp"
#include "app/cloud_ranges.hpp"
#include "app/start.hpp"
#include "host/files.hpp"
#include "host/name_servers.hpp"
#include "host/observe.hpp"

namespace nutshell {
namespace {

constexpr Bytes largest_key_file = 64 * kibi;

std::string origin_of(const AnswersWish& wish) {
  const auto found = wish.origins.find("ssh_keys");
  return found == wish.origins.end() ? "ssh_keys" : found->second;
}

std::string home_path(const std::string& path, const std::string& where) {
  const char* home = std::getenv("HOME");
  if (!home && geteuid() == 0) home = "/root";  // started by systemd
  if (!path.starts_with("~/") || !home || home[0] != '/')
    throw ConfigError(
        where, fmt::format("'{}' is no path from the root, and no public key", printable(path)));
  return home + path.substr(1);
}

void add_keys_of_file(const std::string& path, const std::string& where,
                      std::vector<std::string>& keys) {
  const auto text = host::read_file(path, largest_key_file);
  if (!text)
    throw NotFound(
        fmt::format("{}: there is no file {}; ssh-keygen makes one", where, printable(path)));
  std::size_t found = 0;
  for (std::size_t at = 0; at < text->size();) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    std::string line = text->substr(at, end - at);
    at = end + 1;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    if (const std::string fault = ssh_key_fault(line); !fault.empty())
      throw ConfigError(where, fmt::format("{}: {}", printable(path), fault));
    keys.push_back(line);
    ++found;
  }
  if (found == 0) throw ConfigError(where, fmt::format("{} holds no key", printable(path)));
}

/// In the order of the file; what is not in the file comes last.
std::vector<MachineRow> machines_of(House& house, const std::string& cloud, const CloudSpec& spec) {
  std::vector<MachineRow> rows;
  const auto add = [&](const std::string& name) {
    if (auto row = house.registry().machine(MachineName{cloud, name}))
      rows.push_back(std::move(*row));
  };
  for (const CloudMachine& machine : spec.machines) add(machine.wish.name.name);
  for (const MachineSummary& summary : house.registry().summaries())
    if (summary.name.cloud == cloud && !spec.machine(summary.name.name)) add(summary.name.name);
  return rows;
}

}  // namespace

AnswersHost observe_answers_host(House& house) {
  namespace part = host::part;
  return {observe_parts(house, part::links | part::addresses | part::routes),
          host::observe_name_servers(), house.registry().networks()};
}

std::vector<std::string> read_ssh_keys(const AnswersWish& wish) {
  std::vector<std::string> keys;
  const std::string where = origin_of(wish);
  for (const std::string& key : wish.ssh_keys) {
    if (key.starts_with('/') || key.starts_with('~')) {
      add_keys_of_file(key[0] == '~' ? home_path(key, where) : key, where, keys);
      continue;
    }
    if (const std::string fault = ssh_key_fault(key); !fault.empty())
      throw ConfigError(where, fmt::format("one of ssh_keys: {}", fault));
    keys.push_back(key);
  }
  return keys;
}

Answers gather_answers(House& house, const std::string& cloud, const CloudSpec& spec, Keys keys,
                       std::vector<std::string>& warnings) {
  const AnswersWish& wish = spec.answers;
  Answers answers;
  answers.cloud = cloud;
  answers.mode = wish.mode;
  answers.addresses_per_group = wish.addresses_per_group;
  answers.public_interface = wish.public_interface;
  answers.private_interface = wish.private_interface;
  answers.bridge = wish.bridge;
  answers.ssh_user = wish.ssh_user;
  try {
    answers.ssh_keys = read_ssh_keys(wish);
  } catch (const Error& error) {
    if (keys == Keys::needed) throw;
    warnings.push_back(error.what());
  }
  const CloudRanges held = ranges_of(house, cloud);
  answers.public_ranges = held.publics;
  answers.private_subnet = held.subnet;
  const AnswersHost host = observe_answers_host(house);
  answers.name_servers = wish.dns.empty() ? host.name_servers : wish.dns;
  for (const MachineRow& row : machines_of(house, cloud, spec))
    answers.machines.push_back(answers_of(row.name, row.spec, wish, host, warnings));
  for (const MachineAnswers& machine : answers.machines)
    for (const NicAnswers& nic : machine.nics)
      if (answers.name_servers.empty()) answers.name_servers = nic.name_servers;
  return answers;
}

}  // namespace nutshell
