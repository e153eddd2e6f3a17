// From a spec and a reservation to a running machine; shared by launch, start, restart and
// supervise.
#pragma once
#include <string>
#include <vector>

#include "app/house.hpp"
#include "app/perform.hpp"
#include "app/reserve.hpp"
#include "host/vlans.hpp"
#include "nutshell/argv.hpp"
#include "nutshell/facts.hpp"

namespace nutshell {

/// The parts of the host that are asked for (host::part bits), with this house's cache; a dry run
/// leaves no note of what it learns.
Facts observe_parts(const House& house, unsigned parts, const std::string& qemu = "");
/// As much of the host as a create or a start needs; a start reads little, it has milliseconds.
Facts observe_for_create(House& house, const MachineSpec& spec);
Facts observe_for_start(House& house, const MachineSpec& spec);

/// What shows in the line of this machine.
Places places_of(const House& house, const MachineSpec& spec, const Facts& facts, unsigned boot,
                 const std::vector<std::string>& taps);
/// The spec of the next run: boot once that has had its boot boots the disk.
MachineSpec spec_of_next_run(const MachineRow& row);

/// What the NIC's port on its bridge is given.
host::PortWish port_wish(const NicSpec& nic);

/// Line, taps, identity and secrets for StartQemu.
LiveStart prepare_start(const House& house, const MachineSpec& spec, const Decision& decision,
                        const Facts& facts, RunReservation& reservation);

/// Executes a journaled plan with its live half, shows the steps, throws what went wrong.
void execute_start(House& house, const Plan& plan, std::int64_t journal_id, LiveStart& live);
/// What a dry run prints: the plan and the line.
void report_dry_run(House& house, const std::vector<Step>& steps, const Line& line);

/// Starts a machine that exists. `boot` overrides where this run boots from.
void start_machine(House& house, const MachineRow& row, const std::optional<BootOrder>& boot);
/// Says that it runs, and how to reach it.
void report_running(House& house, const Uuid& uuid);

}  // namespace nutshell
