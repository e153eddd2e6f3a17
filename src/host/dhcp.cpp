// dnsmasq runs as an ordinary user from its first instruction (dhcp_start.cpp), with the network's
// folder as its working directory: every name in its configuration is relative to that, so it can
// read the hosts again although the folders above are closed to it. Its --pid-file, an absolute
// path, is what proves a process to be this network's; dnsmasq in the foreground does not write
// that file, so we do.
#include "host/dhcp.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <sstream>
#include <thread>

#include "host/dhcp_start.hpp"
#include "host/files.hpp"
#include "host/holder.hpp"
#include "host/runtime_file.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds start_wait{10'000}, reload_wait{3'000}, end_wait{5'000};
constexpr const char* start_of_proof = "--pid-file=";

std::string pid_file(const std::string& folder) { return folder + "/dnsmasq.pid"; }
std::string config_file(const std::string& folder) { return folder + "/dnsmasq.conf"; }
std::string log_file(const std::string& folder) { return folder + "/dnsmasq.log"; }
std::string proof(const std::string& folder) { return start_of_proof + pid_file(folder); }

/// What dnsmasq has said after `offset`, as far as one cares to look.
std::string log_from(const std::string& folder, std::size_t offset) {
  const Fd file(::open(log_file(folder).c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(65536, '\0');
  const ssize_t got =
      file ? ::pread(file.get(), text.data(), text.size(), static_cast<off_t>(offset)) : -1;
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

std::size_t log_size(const std::string& folder) {
  struct stat facts {};
  return ::stat(log_file(folder).c_str(), &facts) == 0 ? static_cast<std::size_t>(facts.st_size)
                                                       : 0;
}

/// The end of what it said, on one line.
std::string last_words(std::string said) {
  while (!said.empty() && said.back() == '\n') said.pop_back();
  constexpr std::size_t shown = 500;
  const std::size_t from = said.size() > shown ? said.size() - shown : 0;
  return said.empty() ? "it said nothing" : (from ? "..." : "") + printable(said.substr(from));
}

enum class Heard { words, end, nothing };

/// Waits until the log has `words` after `offset`, the process has ended, or the time is over.
Heard listen(const std::string& folder, const Fd& process, std::size_t offset,
             const std::string& words, milliseconds wait) {
  const auto end = std::chrono::steady_clock::now() + wait;
  do {
    if (log_from(folder, offset).find(words) != std::string::npos) return Heard::words;
    if (wait_until_gone(process, milliseconds(2))) return Heard::end;
  } while (std::chrono::steady_clock::now() < end);
  return Heard::nothing;
}

void end(const std::string& folder, const Fd& process) {
  send_signal(process, SIGTERM);
  if (wait_until_gone(process, end_wait)) return;
  send_signal(process, SIGKILL);
  if (!wait_until_gone(process, end_wait))
    throw Failed(fmt::format("dnsmasq in {} does not end, not even by SIGKILL", folder));
}

std::string read_leases(const std::string& file) { return read_file(file, 64 * mebi).value_or(""); }

void make_folder(const std::string& folder) {
  make_directories(folder.substr(0, folder.rfind('/')));
  if (::mkdir(folder.c_str(), 0711) != 0 && errno != EEXIST)
    throw SystemError(errno, fmt::format("folder {}: cannot make it", folder));
  const Fd opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened || ::fchmod(opened.get(), 0711) != 0)
    throw SystemError(errno, fmt::format("folder {}: cannot open", folder));
}

/// Throws Conflict when what it said at its end is that a port is taken.
void refuse_held_port(const DhcpNetwork& network, const std::string& said) {
  if (said.find("Address already in use") == std::string::npos) return;
  const bool dhcp = said.find("DHCP server socket") != std::string::npos;
  const unsigned port = dhcp ? 67 : 53;
  throw Conflict(fmt::format(
      "bridge {}: port {} is held by {}, so {} cannot be served there; end that, or bind it to its "
      "own addresses{}",
      network.bridge, port, port_holders(port, dhcp ? Transport::udp : Transport::both),
      dhcp ? "DHCP" : "DNS", dhcp ? "" : ", or make the network with --dns off"));
}

void start(const DhcpNetwork& network, const std::string& config) {
  const std::string& folder = network.folder;
  write_runtime_file(config_file(folder), config, 0644);
  const std::size_t offset = log_size(folder);
  const Identity identity = start_dnsmasq({folder, log_file(folder), proof(folder)});
  write_runtime_file(pid_file(folder), fmt::format("{} {}\n", identity.pid, identity.start_time));
  const std::optional<Fd> newborn = open_pidfd(identity);
  std::string ended = "died at its start";
  const Heard heard =
      newborn ? listen(folder, *newborn, offset, "started, version", start_wait) : Heard::end;
  if (heard == Heard::words) return;
  if (heard == Heard::nothing) {
    ended = fmt::format("did not start within {} s, and was killed", start_wait.count() / 1000);
    end(folder, *newborn);  // a start that failed leaves nothing
  }
  const std::string said = log_from(folder, offset);
  refuse_held_port(network, said);
  throw Failed(
      fmt::format("dnsmasq for bridge {} {}: {}", network.bridge, ended, last_words(said)));
}

/// Its folder was removed by hand, and perhaps made anew: what is written there does not reach it.
bool stands_elsewhere(const std::string& folder, int pid) {
  struct stat wanted {
  }, where{};
  return ::stat(folder.c_str(), &wanted) != 0 ||
         ::stat(fmt::format("/proc/{}/cwd", pid).c_str(), &where) != 0 ||
         wanted.st_dev != where.st_dev || wanted.st_ino != where.st_ino;
}

/// A line of the lease file: when it ends, MAC, address, and what does not matter here.
struct LeaseLine {
  explicit LeaseLine(const std::string& line) {
    std::istringstream words(line);
    words >> expiry >> mac >> ip;
  }
  std::string expiry, mac, ip;
};

/// The process by its command line, whatever became of its folder.
std::optional<Identity> find_by_argument(const std::string& argument) {
  for (const int pid : pids()) {
    const std::vector<std::string> argv = command_line(pid);
    if (std::find(argv.begin(), argv.end(), argument) == argv.end()) continue;
    const auto ticks = start_time(pid);
    if (ticks && open_checked_pidfd({pid, *ticks}, argument)) return Identity{pid, *ticks};
  }
  return std::nullopt;
}

}  // namespace

bool has_stale_lease(const std::string& leases, const std::vector<DhcpHost>& hosts) {
  std::map<std::string, std::string> mac_of;
  for (const DhcpHost& host : hosts) mac_of[to_string(host.ip)] = to_string(host.mac);
  std::istringstream lines(leases);
  for (std::string line; std::getline(lines, line);) {
    const LeaseLine lease(line);
    const auto wanted = mac_of.find(lease.ip);
    if (wanted != mac_of.end() && wanted->second != lease.mac) return true;
  }
  return false;
}

std::string leases_of_hosts(const std::string& leases, const std::vector<DhcpHost>& hosts) {
  std::string kept;
  std::istringstream lines(leases);
  for (std::string line; std::getline(lines, line);) {
    const LeaseLine lease(line);
    const bool is_lease = parse_ipv4(lease.ip).has_value();
    if (!is_lease || std::any_of(hosts.begin(), hosts.end(), [&](const DhcpHost& host) {
          return !host.name.empty() && to_string(host.ip) == lease.ip &&
                 to_string(host.mac) == lease.mac;
        }))
      kept += line + "\n";
  }
  return kept;
}

std::optional<Identity> find_dhcp(const std::string& folder) {
  const std::string argument = proof(folder);
  const auto serves = [&](const Identity& identity) {
    return open_checked_pidfd(identity, argument).has_value();
  };
  Identity noted;
  const std::string note = read_file(pid_file(folder)).value_or("");
  unsigned long long ticks = 0;
  if (std::sscanf(note.c_str(), "%d %llu", &noted.pid, &ticks) == 2) {
    noted.start_time = ticks;
    if (serves(noted)) return noted;
  }
  // Where no folder is, none is looked for among all processes: start_dhcp() and gc do.
  return file_exists(folder) ? find_by_argument(argument) : std::nullopt;
}

std::vector<std::string> served_folders(const std::string& run) {
  const std::string start = start_of_proof + run + "/", end = pid_file("");
  std::vector<std::string> folders;
  for (const int pid : pids())
    for (const std::string& argument : command_line(pid))
      if (argument.starts_with(start) && argument.ends_with(end))
        folders.push_back(
            argument.substr(std::strlen(start_of_proof),
                            argument.size() - std::strlen(start_of_proof) - end.size()));
  std::sort(folders.begin(), folders.end());
  folders.erase(std::unique(folders.begin(), folders.end()), folders.end());
  return folders;
}

void start_dhcp(const DhcpNetwork& network, const std::vector<DhcpHost>& hosts) {
  const std::string& folder = network.folder;
  const std::string leases_file = folder + "/leases", config = render_dhcp_config(network, hosts);
  make_folder(folder);
  std::optional<Fd> process;
  if (const auto identity = find_dhcp(folder)) {
    process = open_checked_pidfd(*identity, proof(folder));
    if (process &&
        (stands_elsewhere(folder, identity->pid) || read_file(config_file(folder)) != config ||
         has_stale_lease(read_leases(leases_file), hosts))) {
      end(folder, *process);
      process.reset();
    }
  }
  if (!process) {
    const std::string leases = read_leases(leases_file), kept = leases_of_hosts(leases, hosts);
    if (kept != leases) write_runtime_file(leases_file, kept);
  }
  write_runtime_file(folder + "/hosts", render_dhcp_hosts(network, hosts), 0644);
  write_runtime_file(folder + "/names", render_dhcp_names(hosts), 0644);
  write_runtime_file(folder + "/options", render_dhcp_options(hosts), 0644);
  if (!process) return start(network, config);
  // Told again even if nothing has changed: whoever wrote the file may have been killed before he
  // told it.
  const std::size_t offset = log_size(folder);
  const Heard heard = send_signal(*process, SIGHUP)
                          ? listen(folder, *process, offset, "read options", reload_wait)
                          : Heard::end;
  if (heard == Heard::words) return;
  if (heard == Heard::nothing) end(folder, *process);  // stopped, or hanging: it answers nobody
  start(network, config);
}

void stop_dhcp(const std::string& folder) {
  // Also when its folder was removed by hand: nobody would find it afterwards.
  const auto identity = find_dhcp(folder);
  const auto found = identity ? identity : find_by_argument(proof(folder));
  if (found)
    if (const auto process = open_checked_pidfd(*found, proof(folder))) end(folder, *process);
  drop_directory(folder);
}

}  // namespace nutshell::host
