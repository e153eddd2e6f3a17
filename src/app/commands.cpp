// The table: every command, its words, its options. Help, completion and the man page's check are
// made from it.
#include <algorithm>

#include "app/cmd.hpp"
#include "app/commands_network.hpp"
#include "app/machine_options.hpp"
#include "app/options.hpp"

namespace nutshell {
namespace {

constexpr Option wait_option{"wait", "CONDITION",
                             "then wait for running, stopped, serial=REGEX, port=N or agent"};
constexpr Option timeout_option{"timeout", "SECONDS", "how long to wait"};
constexpr Option force_option{"force", "", "kill it when it does not power off, or runs"};
constexpr Option boot_option{"boot", "WHERE",
                             "where this one run boots from: disk, cdrom, once=cdrom or net"};
constexpr Option by_hand_option{"by-hand", "",
                                "a line for any shell, without nutshell, in its shortest form"};

constexpr Option type_option{
    "type", "TYPE",
    "an instance type, such as m1.small: CPUs, memory and a disk (nutshell.toml(5))"};
constexpr Option ls_options[] = {
    {"tag", "KEY[=VALUE]", "only machines with that tag; may be repeated", true},
    {"cloud", "CLOUD", "only machines of that cloud"}};

constexpr Option stop_options[] = {force_option, timeout_option};
constexpr Option restart_options[] = {boot_option, force_option, timeout_option};
constexpr Option start_options[] = {boot_option, wait_option, timeout_option};
constexpr Option rm_options[] = {{"force", "", "kill it first if it runs"},
                                 {"keep-volumes", "", "leave its disks where they are"},
                                 {"wipe", "", "zero its volumes first"}};
constexpr std::span<const Option> no_options{};
constexpr Option by_hand_options[] = {by_hand_option};
constexpr Option wait_options[] = {{"timeout", "SECONDS", "how long to wait (default: 120)"}};
constexpr Option log_options[] = {{"follow", "", "go on until the machine stops (also -f)"},
                                  {"serial", "", "what the guest wrote to its serial line"},
                                  {"boot", "N", "of boot N, counted from 1 (default: the last)"}};
constexpr Option vnc_options[] = {{"view", "", "start a VNC viewer"}};
constexpr Option cdrom_options[] = {{"eject", "", "leave the drive empty"}};
constexpr Option gc_options[] = {
    {"volumes", "", "also delete volumes of machines that nobody knows"}};
constexpr Option supervise_options[] = {
    {"restart", "no|on-crash|always", "what to do when it ends (default: no)"},
    {"timeout", "SECONDS", "how long a stop may take (default: 60)"}};

std::vector<Option> joined(std::span<const Option> first, std::initializer_list<Option> second) {
  std::vector<Option> all(first.begin(), first.end());
  all.insert(all.end(), second);
  return all;
}

const std::vector<Option>& launch_options() {
  static const auto all = joined(machine_options(), {type_option, wait_option, timeout_option});
  return all;
}
const std::vector<Option>& create_options() {
  static const auto all = joined(machine_options(), {type_option});
  return all;
}
const std::vector<Option>& set_options() {
  static const auto all = joined(
      machine_options(),
      {{"drop-disk", "N", "take disk N away; a volume of ours is deleted"},
       {"drop-nic", "N", "take NIC N away"},
       {"drop-tag", "KEY", "take a tag away; may be repeated", true},
       {"drop-group", "GROUP", "leave a security group; may be repeated", true},
       {"drop-publish", "PORTS", "a published port, as it was given; may be repeated", true}});
  return all;
}

std::vector<Command> make_table() {
  const char *machines = "Machines", *line = "The QEMU line", *host = "Host";
  const auto change = Access::change;
  const auto look = Access::look;
  return {
      {"launch", machines, "create a machine and start it", "NAME", 1, 1, launch_options(),
       "nutshell launch demo --cdrom demo.iso --disk 1G\n"
       "nutshell launch ciab --cdrom silvereye.iso --memory 2G --disk 100G --nic bridge=br0 --boot "
       "once=cdrom\n"
       "nutshell launch node --kernel vmlinuz --initrd initrd.img --append console=ttyS0 --wait "
       "serial='login:'\n"
       "nutshell --dry-run launch demo --disk 1G\n",
       change, run_launch},
      {"create", machines, "create a machine without starting it", "NAME", 1, 1, create_options(),
       "nutshell create web --disk 10G,format=qcow2 --memory 2G\n", change, run_create},
      {"set", machines, "change a machine; it takes effect at its next start", "NAME", 1, 1,
       set_options(),
       "nutshell set ciab --memory 4G --cpus 2\nnutshell set ciab --disk 20G --nic "
       "bridge=br1\nnutshell set ciab --drop-nic 1\n",
       change, run_set},
      {"start", machines, "start a machine", "NAME", 1, 1, start_options,
       "nutshell start ciab\nnutshell start ciab --boot once=cdrom\n", change, run_start},
      {"stop", machines, "press the power button and wait until it is off", "NAME", 1, 1,
       stop_options, "nutshell stop ciab\nnutshell stop ciab --timeout 10 --force\n", change,
       run_stop},
      {"restart", machines, "stop and start again", "NAME", 1, 1, restart_options,
       "nutshell restart ciab\n", change, run_restart},
      {"kill",
       machines,
       "end a machine at once, as pulling the plug does",
       "NAME",
       1,
       1,
       {},
       "nutshell kill ciab\n",
       change,
       run_kill},
      {"pause",
       machines,
       "let the guest stand still",
       "NAME",
       1,
       1,
       {},
       "nutshell pause ciab\n",
       look,
       run_pause},
      {"resume",
       machines,
       "let a paused guest go on",
       "NAME",
       1,
       1,
       {},
       "nutshell resume ciab\n",
       look,
       run_resume},
      {"rm", machines, "remove a machine and what it owns", "NAME", 1, 1, rm_options,
       "nutshell rm ciab\nnutshell rm ciab --force --keep-volumes\n", change, run_rm},
      {"ls", machines, "list the machines", "", 0, 0, ls_options,
       "nutshell ls\nnutshell ls --tag role=node\nnutshell ls --json | jq '.machines[].name'\n",
       look, run_ls},
      {"show",
       machines,
       "all that is known of one machine",
       "NAME",
       1,
       1,
       {},
       "nutshell show ciab\n",
       look,
       run_show},
      {"wait", machines, "wait until a machine is as asked", "NAME CONDITION", 2, 2, wait_options,
       "nutshell wait ciab stopped --timeout 600\nnutshell wait ciab serial='login:'\nnutshell "
       "wait ciab port=22\n",
       look, run_wait},
      {"console",
       machines,
       "its serial line on this terminal; leave with Ctrl-]",
       "NAME",
       1,
       1,
       {},
       "nutshell console ciab\n",
       look,
       run_console},
      {"log", machines, "what QEMU said, or with --serial the guest", "NAME", 1, 1, log_options,
       "nutshell log ciab --serial --follow\nnutshell log -f ciab\n", look, run_log},
      {"screenshot",
       machines,
       "save its screen as a PNG",
       "NAME [FILE.png]",
       1,
       2,
       {},
       "nutshell screenshot ciab screen.png\n",
       look,
       run_screenshot},
      {"vnc", machines, "where its screen is, and how to reach it", "NAME", 1, 1, vnc_options,
       "nutshell vnc ciab\nnutshell vnc ciab --view\n", look, run_vnc},
      {"cdrom", machines, "put another ISO into its drive, or none", "NAME [ISO]", 1, 2,
       cdrom_options, "nutshell cdrom ciab tools.iso\nnutshell cdrom ciab --eject\n", change,
       run_cdrom},
      {"qmp",
       machines,
       "send a QMP command to its QEMU",
       "NAME COMMAND [JSON]",
       2,
       3,
       {},
       "nutshell qmp ciab query-block\nnutshell qmp ciab human-monitor-command "
       "'{\"command-line\":\"info network\"}'\n",
       look,
       run_qmp},
      {"supervise", machines, "start it, stay, and clean up when it ends (for systemd units)",
       "NAME", 1, 1, supervise_options, "nutshell supervise ciab --restart on-crash\n", change,
       run_supervise},
      {"command", line, "the exact QEMU line of a machine", "NAME", 1, 1, by_hand_options,
       "nutshell command ciab\nnutshell command ciab --by-hand\n", look, run_command},
      {"explain", line, "what each part of that line means, and where it came from", "NAME", 1, 1,
       by_hand_options, "nutshell explain ciab\nnutshell explain ciab --by-hand\n", look,
       run_explain},
      {"gc", host, "put right what was cut short, and show the evidence", "", 0, 0, gc_options,
       "nutshell gc\nnutshell --dry-run gc\n", change, run_gc},
      {"recover", host, "make the registry anew from what is on the disks and what runs", "", 0, 0,
       no_options, "nutshell recover\n", Access::none, run_recover},
      {"version",
       host,
       "the version",
       "",
       0,
       0,
       {},
       "nutshell version\n",
       Access::none,
       run_version},
      {"completion",
       host,
       "the completion script of a shell",
       "SHELL",
       1,
       1,
       {},
       "nutshell completion bash > /etc/bash_completion.d/nutshell\n",
       Access::none,
       run_completion},
  };
}

}  // namespace

std::span<const Command> commands() {
  static const std::vector<Command> table = [] {
    std::vector<Command> all = make_table();
    for (const auto& [before, rows] :
         {std::pair{"gc", pool_commands()}, std::pair{"pool ls", cloud_commands()},
          std::pair{"pool ls", answers_commands()}, std::pair{"gc", sight_commands()},
          std::pair{"pool ls", network_commands()}, std::pair{"doctor", volume_commands()},
          std::pair{"pool ls", firewall_commands()}, std::pair{"doctor", bridge_commands()}})
      all.insert(std::find_if(all.begin(), all.end(),
                              [name = before](const Command& each) { return each.name == name; }),
                 rows.begin(), rows.end());
    return all;
  }();
  return table;
}

const Command* find_command(std::string_view name) {
  for (const Command& command : commands())
    if (command.name == name) return &command;
  return nullptr;
}

}  // namespace nutshell
