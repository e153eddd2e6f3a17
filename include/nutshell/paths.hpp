// Where everything of ours lies, derived from one choice (DESIGN.md section 6). Pure: makes
// nothing.
#pragma once
#include <string>
#include <vector>

#include "nutshell/values.hpp"

namespace nutshell {

/// The longest path that fits a Unix socket address (sun_path holds 108 bytes with its NUL;
/// unix(7)).
inline constexpr std::size_t longest_socket_path = 107;

/// What decides the layout: --root, else root's system directories, else the user's XDG
/// directories.
struct PathChoice {
  std::string root;  ///< absolute; empty: not given
  bool is_root = false;
  std::string home, xdg_config, xdg_state, xdg_runtime,
      xdg_cache;  ///< of an ordinary user; empty when unset
  unsigned uid = 0;
  std::string config;  ///< --config; empty: the default place
};

struct Paths {
  std::string config_file;  ///< nutshell.toml
  std::string state;        ///< registry, machines, networks
  std::string run;          ///< sockets, locks
  std::string logs;
  std::string cache;  ///< what was learnt of QEMU binaries

  [[nodiscard]] std::string registry() const { return state + "/registry.db"; }
  [[nodiscard]] std::string machines() const { return state + "/machines"; }
  /// Files that are volumes of no machine: volumes/NAME.img and NAME.qcow2.
  [[nodiscard]] std::string volumes() const { return state + "/volumes"; }
  /// Disks, variables and spec.json of one machine: machines/UUID.
  [[nodiscard]] std::string machine(const Uuid& uuid) const { return machines() + "/" + uuid.text; }
  [[nodiscard]] std::string spec_file(const Uuid& uuid) const {
    return machine(uuid) + "/spec.json";
  }
  [[nodiscard]] std::string vnc_password(const Uuid& uuid) const {
    return machine(uuid) + "/vnc-password";
  }
  /// Lives from create to rm, never unlinked while the machine is defined; held by QEMU while it
  /// runs.
  [[nodiscard]] std::string lock(const Uuid& uuid) const { return machine(uuid) + "/lock"; }
  [[nodiscard]] std::string run_dir(const Uuid& uuid) const { return run + "/" + uuid.short_id(); }
  [[nodiscard]] std::string qmp(const Uuid& uuid) const {
    return run_dir(uuid) + "/qmp";
  }  ///< for commands
  [[nodiscard]] std::string watch(const Uuid& uuid) const {
    return run_dir(uuid) + "/watch";
  }  ///< for watching
  [[nodiscard]] std::string qmp_lock(const Uuid& uuid) const { return run_dir(uuid) + "/qmp.lock"; }
  [[nodiscard]] std::string serial(const Uuid& uuid) const { return run_dir(uuid) + "/serial"; }
  [[nodiscard]] std::string agent(const Uuid& uuid) const { return run_dir(uuid) + "/agent"; }
  [[nodiscard]] std::string vnc(const Uuid& uuid) const { return run_dir(uuid) + "/vnc"; }
  [[nodiscard]] std::string log_dir(const Uuid& uuid) const { return logs + "/" + uuid.text; }
  /// Boots are counted from 1; boot N has N.log (QEMU) and N.serial.
  [[nodiscard]] std::string qemu_log(const Uuid& uuid, unsigned boot) const {
    return log_dir(uuid) + "/" + std::to_string(boot) + ".log";
  }
  [[nodiscard]] std::string serial_log(const Uuid& uuid, unsigned boot) const {
    return log_dir(uuid) + "/" + std::to_string(boot) + ".serial";
  }
  [[nodiscard]] std::string network_dir(const std::string& network) const {
    return run + "/net-" + network;
  }
};

/// The layout for a choice. Throws ConfigError when a socket path would be longer than 107 bytes,
/// or the root is relative.
Paths make_paths(const PathChoice& choice);

}  // namespace nutshell
