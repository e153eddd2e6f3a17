// Wiring. The environment is read here and nowhere else.
#include "app/house.hpp"

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "app/lost.hpp"
#include "host/files.hpp"

namespace nutshell {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// The environment's word is as good as the option's, for units and errands, too.
GlobalOptions with_root(GlobalOptions options) {
  if (options.root.empty()) options.root = environment("NUTSHELL_ROOT");
  return options;
}

PathChoice choose_paths(const GlobalOptions& options) {
  PathChoice choice;
  choice.root = absolute(options.root);
  choice.config = absolute(options.config);
  choice.is_root = geteuid() == 0;
  choice.uid = geteuid();
  choice.home = environment("HOME");
  choice.xdg_config = environment("XDG_CONFIG_HOME");
  choice.xdg_state = environment("XDG_STATE_HOME");
  choice.xdg_runtime = environment("XDG_RUNTIME_DIR");
  choice.xdg_cache = environment("XDG_CACHE_HOME");
  return choice;
}

std::string read_boot_id() {
  std::string id = host::read_file("/proc/sys/kernel/random/boot_id").value_or("");
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

void fill_random(void* to, std::size_t size) {
  if (getrandom(to, size, 0) != static_cast<ssize_t>(size))
    throw SystemError(errno, "random numbers: cannot be had");
}

std::uint64_t read_number(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

// What makes a registry differ from all others is kept beside it: made anew, it gives the same tag
// to taps and bridges, and so knows those that are there as its own. It is the target of a symbolic
// link, which appears whole or not at all.
std::uint64_t seed_beside(const Paths& paths, bool look) {
  const std::string link = paths.state + "/registry.seed";
  for (int attempt = 0; attempt < 2; ++attempt) {
    std::error_code error;
    const std::string kept = std::filesystem::read_symlink(link, error).string();
    if (!error) return read_number(kept);
    if (look || host::file_exists(paths.registry())) break;  // it has its tag already
    const std::string drawn = fmt::format("{:016x}", draw_random());
    if (symlink(drawn.c_str(), link.c_str()) == 0) return read_number(drawn);
    if (errno != EEXIST) break;
  }
  return draw_random();
}

}  // namespace

House::House(GlobalOptions global, const Command& command)
    : options(with_root(std::move(global))),
      paths(make_paths(choose_paths(options))),
      reporter(options),
      access(command.access) {
  root = geteuid() == 0;
  uid = geteuid();
  boot_id = read_boot_id();
  ssh_connection = environment("SSH_CONNECTION");
  self = {getpid(), host::start_time(getpid()).value_or(0)};
}

void House::read_config() {
  if (const auto text = host::read_file(paths.config_file))
    config = parse_config(*text, paths.config_file);
  else if (!options.config.empty())
    throw NotFound(fmt::format("there is no config file {}; leave --config out, or make it",
                               printable(options.config)));
}

void House::open_for_change() {
  if (options.dry_run || access == Access::change) return;
  access = Access::change;
  registry_.reset();
}

Registry House::open_registry(bool look) {
  if (!look) host::make_directories(paths.state);
  Registry::Options open;
  open.path = paths.registry();
  open.mode = look ? Registry::Mode::look : Registry::Mode::read_write;
  open.pools = effective_pools(config);
  open.waiting = [this](const std::string& what) { reporter.note(what); };
  open.random = seed_beside(paths, look);
  return Registry::open(open);
}

Registry& House::registry() {
  if (!registry_) registry_.emplace(open_registry(access != Access::change || options.dry_run));
  return *registry_;
}

std::int64_t House::kept_now() { return dry() ? open_registry(true).kept() : registry().kept(); }

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

Uuid draw_uuid() {
  std::uint8_t bytes[16];
  fill_random(bytes, sizeof bytes);
  return make_uuid(bytes);
}

std::uint64_t draw_random() {
  std::uint64_t value = 0;
  fill_random(&value, sizeof value);
  return value;
}

std::string absolute(const std::string& path) {
  if (path.empty()) return "";
  std::error_code error;
  const auto full = std::filesystem::absolute(path, error);
  return error ? path : full.lexically_normal().string();
}

std::string canonical(const std::string& path) {
  std::error_code error;
  const auto real = std::filesystem::canonical(path, error);
  return error ? absolute(path) : real.string();
}

MachineRow find_machine(House& house, const std::string& typed) {
  const TypedName name = parse_name(typed);
  if (!name.cloud.empty()) {
    if (auto row = house.registry().machine(MachineName{name.cloud, name.name})) return *row;
  } else {
    if (auto row = house.registry().machine(MachineName{"default", name.name})) return *row;
    const auto rows = house.registry().machines_named(name.name);
    if (rows.size() == 1) return rows.front();
    if (rows.size() > 1) {
      std::string clouds;
      for (const MachineRow& row : rows)
        clouds += (clouds.empty() ? "" : ", ") + to_string(row.name);
      throw Conflict(fmt::format(
          "several clouds have a machine {}: {}; give its name with the cloud", name.name, clouds));
    }
  }
  for (const MachineSpec& spec : lost_machines(house))
    if (spec.name.name == name.name && (name.cloud.empty() || spec.name.cloud == name.cloud))
      throw NotFound(
          fmt::format("the registry has lost the machine {}; `nutshell recover` finds it again",
                      to_string(spec.name)));
  std::vector<std::string> known;
  for (const auto& row : house.registry().summaries()) known.push_back(to_string(row.name));
  const auto meant = nearest(typed, known);
  throw NotFound(fmt::format(
      "there is no machine {}{}", printable(typed),
      meant ? fmt::format("; did you mean {}?", *meant) : "; `nutshell ls` lists them"));
}

}  // namespace nutshell
