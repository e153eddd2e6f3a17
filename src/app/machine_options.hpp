// From the options of launch, create and set to a spec; every mistake is collected, none is thrown
// at once.
#pragma once
#include "app/command.hpp"
#include "nutshell/config.hpp"
#include "nutshell/spec.hpp"

namespace nutshell {

/// The options that describe a machine, shared by launch, create and set.
std::span<const Option> machine_options();

/// What --type stands for: CPUs, memory, and a disk where no --disk is given.
void apply_type(MachineSpec& spec, const Parsed& args, const Config& config, Problems& problems);
/// Writes what the options say into the spec, with their origins. `--disk` and `--nic` append.
/// Paths become absolute.
void apply_options(MachineSpec& spec, const Parsed& args, Problems& problems);
/// A password is required where a file of one is named, and beyond the loopback.
void require_vnc_password(VncSpec& vnc);
/// The name of a new machine: the word NAME (or CLOUD/NAME) with --cloud. Throws ConfigError.
MachineName new_name(const Parsed& args);
/// From --boot of start and restart: where this one run boots from. Throws ConfigError.
std::optional<BootOrder> parse_boot_option(const Parsed& args);
/// A number between bounds, or a problem.
unsigned parse_number(const std::string& text, const std::string& where, unsigned low,
                      unsigned high, Problems& problems);

}  // namespace nutshell
