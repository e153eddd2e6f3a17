// The QEMU command line, rendered from a spec and from decisions already taken. Pure. Each part
// knows what it means and where it came from, so that `command`, `explain` and the start itself can
// never disagree.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "nutshell/facts.hpp"
#include "nutshell/registry.hpp"
#include "nutshell/spec.hpp"

namespace nutshell {

/// One option with its value ("" when it has none), what it means in plain words, and where it came
/// from.
struct Arg {
  std::string option;
  std::string value;
  std::string meaning;
  std::string origin;  ///< "option --memory", "cloud.toml:7", "default", "host: ..."
  bool operator==(const Arg&) const = default;
};

/// A descriptor that QEMU is handed, open at number `fd` when it starts (DESIGN.md section 4).
struct Handle {
  enum class What {
    lock,           ///< the liveness lock, inherited for life
    read,           ///< `path` opened O_RDONLY
    read_write,     ///< `path` opened O_RDWR
    append,         ///< `path` opened O_WRONLY|O_CREAT|O_APPEND, 0600
    memory_copy,    ///< the content of `path` in a memfd (kernel, initrd)
    listen_unix,    ///< a listening stream socket bound at `path`
    tap,            ///< the tap of NIC `nic`, named `path`
    macvtap,        ///< a queue of the macvtap link `path`, which is there already
    vhost_net,      ///< /dev/vhost-net, one for each tap
    bridge_helper,  ///< the tap that qemu-bridge-helper gives for bridge `path` (ordinary users)
  };
  What what = What::read;
  int fd = -1;
  std::string path;
  unsigned nic = 0;
  bool operator==(const Handle&) const = default;
};

struct Line {
  std::string program;
  std::vector<Arg> args;
  std::vector<Handle> handles;
  std::vector<std::string> before;  ///< by hand: commands that must have run
  std::string redirections;         ///< by hand: what a shell must open for it, after the last word
  /// program and args as one list.
  [[nodiscard]] std::vector<std::string> argv() const;
};

/// What the host decided about acceleration and nesting, with the reason in words.
struct Decision {
  bool kvm = false;
  std::string accel_origin;  ///< "host: /dev/kvm works", "option --accel"
  std::string nested_flag;   ///< "+vmx", "+svm" or ""
  std::string nested_origin;
  std::vector<std::string> warnings;  ///< said to the user at start
};
/// Decides by evidence. Throws Failed when kvm was asked for and cannot be had (which layer lacks),
/// or --nested on cannot be.
Decision decide(const MachineSpec& spec, const Facts& facts);

/// What is true of the host and of this run, and shows in the line.
struct Places {
  std::string qemu;  ///< the program
  std::string lock, qmp, watch, serial, serial_log, agent;
  std::string ovmf_code;
  std::vector<std::string> taps;  ///< per NIC: the tap's name; empty where there is none
  bool by_bridge_helper = false;  ///< an ordinary user's bridge NICs
  bool vhost_net = false;
  std::string outer;  ///< told to a machine that can run others: encode_outer(); empty: nothing is
  std::vector<std::string>
      block_devices;  ///< those of the spec's paths that are block devices, not files
};

/// The exact line: descriptors, JSON, sandbox, one bootindex for each device. Throws ConfigError
/// for what cannot be expressed.
Line render_line(const MachineSpec& spec, const Decision& decision, const Places& places);
/// The bootindex that the CD-ROM moves to before `cont` when it is to boot once; nullopt otherwise.
std::optional<int> bootindex_after_first_boot(const MachineSpec& spec);
/// The QOM path of the CD-ROM device: "/machine/peripheral/cd0".
std::string cdrom_qom_path();

/// The line for a shell, in the blog's form: no descriptor of ours, and no more than the machine
/// needs.
Line render_by_hand(const MachineSpec& spec, const Decision& decision, const Places& places,
                    std::optional<unsigned> display);

/// A text for people: each part, what it means, where it came from.
std::string explain(const Line& line);

/// Doubles the commas, as QEMU's option parser wants (qemu-options: "use ',,'"). Throws ConfigError
/// for a NUL or newline.
std::string escape_option(std::string_view value, const std::string& where);

}  // namespace nutshell
