// Everything a command may use, made once: options, paths, config, the registry (opened when first
// asked for), the reporter.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "app/options.hpp"
#include "app/report.hpp"
#include "host/proc.hpp"
#include "nutshell/config.hpp"
#include "nutshell/paths.hpp"
#include "nutshell/registry.hpp"

namespace nutshell {

struct House {
  GlobalOptions options;
  Paths paths;
  Config config;
  Reporter reporter;
  bool root = false;  ///< effective uid 0
  unsigned uid = 0;
  std::string boot_id;         ///< of the running host
  std::string ssh_connection;  ///< SSH_CONNECTION: "CLIENT PORT SERVER PORT", or empty
  host::Identity self;         ///< this command, as the owner of journaled plans
  Access access = Access::look;

  /// Reads no file of ours: what has to be put back does not wait for a config file that parses.
  House(GlobalOptions global, const Command& command);
  /// Fills `config`. Throws NotFound, ConfigError.
  void read_config();
  /// Opened at the first call: for looking only where the command changes nothing, or in a dry run.
  Registry& registry();
  /// From here the registry is open for writing, also in a command that only looks (it found
  /// something to take back). Not in a dry run.
  void open_for_change();
  /// How often what is kept beside the registry has changed by now, also where this command sees
  /// the registry as of an earlier moment.
  std::int64_t kept_now();
  /// A command that only looks sees from here what the registry holds by now.
  void look_anew() { registry_.reset(); }
  /// True when this command may not write: a dry run, or a command that looks.
  [[nodiscard]] bool dry() const { return options.dry_run; }

 private:
  Registry open_registry(bool look);
  std::optional<Registry> registry_;
};

/// UTC now, ISO 8601 with seconds.
std::string now_utc();
/// A fresh random UUID, and 64 random bits (getrandom(2)).
Uuid draw_uuid();
std::uint64_t draw_random();
/// An absolute path, seen from the current folder; "" stays "".
std::string absolute(const std::string& path);
/// The same with every link resolved; as absolute() where there is no such file.
std::string canonical(const std::string& path);

/// The one machine that a typed name means: CLOUD/NAME, or NAME in `default`, then everywhere.
/// Throws NotFound with what was probably meant, Conflict listing the clouds when several have it.
MachineRow find_machine(House& house, const std::string& typed);

}  // namespace nutshell
