// The functions behind the command table, one file each (cmd_NAME.cpp); what every command file
// needs.
#pragma once
#include <vector>

#include "app/command.hpp"
#include "app/house.hpp"

namespace nutshell {

Exit run_address_allocate(const Parsed& args, House& house);
Exit run_address_associate(const Parsed& args, House& house);
Exit run_address_disassociate(const Parsed& args, House& house);
Exit run_address_ls(const Parsed& args, House& house);
Exit run_address_release(const Parsed& args, House& house);
Exit run_answers(const Parsed& args, House& house);
Exit run_bridge_adopt(const Parsed& args, House& house);
Exit run_bridge_confirm(const Parsed& args, House& house);
Exit run_bridge_create(const Parsed& args, House& house);
Exit run_bridge_ls(const Parsed& args, House& house);
Exit run_bridge_release(const Parsed& args, House& house);
Exit run_bridge_repair(const Parsed& args, House& house);
Exit run_bridge_rm(const Parsed& args, House& house);

Exit run_cdrom(const Parsed& args, House& house);
Exit run_command(const Parsed& args, House& house);
Exit run_completion(const Parsed& args, House& house);
Exit run_console(const Parsed& args, House& house);
Exit run_create(const Parsed& args, House& house);
Exit run_doctor(const Parsed& args, House& house);
Exit run_explain(const Parsed& args, House& house);
Exit run_down(const Parsed& args, House& house);
Exit run_gc(const Parsed& args, House& house);
Exit run_group_authorize(const Parsed& args, House& house);
Exit run_group_create(const Parsed& args, House& house);
Exit run_group_ls(const Parsed& args, House& house);
Exit run_group_revoke(const Parsed& args, House& house);
Exit run_group_rm(const Parsed& args, House& house);
Exit run_kill(const Parsed& args, House& house);
Exit run_launch(const Parsed& args, House& house);
Exit run_lease_ls(const Parsed& args, House& house);
Exit run_lease_release(const Parsed& args, House& house);
Exit run_lease_reserve(const Parsed& args, House& house);
Exit run_log(const Parsed& args, House& house);
Exit run_ls(const Parsed& args, House& house);
Exit run_network_create(const Parsed& args, House& house);
Exit run_network_ls(const Parsed& args, House& house);
Exit run_network_rm(const Parsed& args, House& house);
Exit run_path(const Parsed& args, House& house);
Exit run_pause(const Parsed& args, House& house);
Exit run_plan(const Parsed& args, House& house);
Exit run_pool_add(const Parsed& args, House& house);
Exit run_pool_ls(const Parsed& args, House& house);
Exit run_pool_rm(const Parsed& args, House& house);
Exit run_qmp(const Parsed& args, House& house);
Exit run_recover(const Parsed& args, House& house);
Exit run_restart(const Parsed& args, House& house);
Exit run_resume(const Parsed& args, House& house);
Exit run_rm(const Parsed& args, House& house);
Exit run_screenshot(const Parsed& args, House& house);
Exit run_set(const Parsed& args, House& house);
Exit run_setup(const Parsed& args, House& house);
Exit run_show(const Parsed& args, House& house);
Exit run_start(const Parsed& args, House& house);
Exit run_status(const Parsed& args, House& house);
Exit run_stop(const Parsed& args, House& house);
Exit run_supervise(const Parsed& args, House& house);
Exit run_up(const Parsed& args, House& house);
Exit run_version(const Parsed& args, House& house);
Exit run_vnc(const Parsed& args, House& house);
Exit run_volume_clone(const Parsed& args, House& house);
Exit run_volume_create(const Parsed& args, House& house);
Exit run_volume_import(const Parsed& args, House& house);
Exit run_volume_ls(const Parsed& args, House& house);
Exit run_volume_resize(const Parsed& args, House& house);
Exit run_volume_restore(const Parsed& args, House& house);
Exit run_volume_rm(const Parsed& args, House& house);
Exit run_volume_snapshot(const Parsed& args, House& house);
Exit run_wait(const Parsed& args, House& house);
Exit run_who(const Parsed& args, House& house);

/// The rows of the command table on clouds.
std::vector<Command> cloud_commands();
/// The rows of the command table about volumes.
std::vector<Command> volume_commands();
/// The rows on groups and public addresses.
std::vector<Command> firewall_commands();
/// The rows on whose things are, the way of packets, and the host.
std::vector<Command> sight_commands();
/// The row on what an installer is told.
std::vector<Command> answers_commands();
/// The rows on pools and leases.
std::vector<Command> pool_commands();
/// The rows on bridges.
std::vector<Command> bridge_commands();

}  // namespace nutshell
