// Rows of the command table on clouds; commands.cpp puts them among the others.
#include "app/cmd.hpp"

namespace nutshell {
namespace {

constexpr Option restart_option{"restart", "",
                                "also do what machines must be stopped and started again for"};
constexpr Option moved_option{"moved", "",
                              "the cloud came from another file; from now on this one is its file"};
constexpr Option no_start_option{"no-start", "", "define the machines, and start none"};
constexpr Option plan_options[] = {restart_option, no_start_option, moved_option};
constexpr Option up_options[] = {
    restart_option,
    no_start_option,
    moved_option,
    {"timeout", "SECONDS",
     "how long a machine that is to stop may take, before it is killed (default: 60)"},
    {"autostart", "", "start those alone that come up at boot (what the systemd unit runs)"}};
constexpr Option down_options[] = {
    {"purge", "", "then remove the machines with their volumes, and give everything back"},
    {"force", "", "kill what does not power off in time"},
    {"timeout", "SECONDS", "how long each machine may take to power off (default: 60)"}};

}  // namespace

std::vector<Command> cloud_commands() {
  const char* clouds = "Clouds";
  return {
      {"plan", clouds, "what `up` would do, and every QEMU line", "FILE", 1, 1, plan_options,
       "nutshell plan cloud.toml\n", Access::look, run_plan},
      {"up", clouds, "make a cloud what its file says, and start its machines", "FILE", 1, 1,
       up_options, "nutshell up cloud.toml\nnutshell up cloud.toml --restart\n", Access::change,
       run_up},
      {"down", clouds, "stop the machines of a cloud, in the reverse of their order", "CLOUD", 1, 1,
       down_options, "nutshell down alpha\nnutshell down alpha --purge\n", Access::change,
       run_down},
      {"status",
       clouds,
       "the clouds, or one of them with its machines",
       "[CLOUD]",
       0,
       1,
       {},
       "nutshell status\nnutshell status alpha\n",
       Access::look,
       run_status},
  };
}

}  // namespace nutshell
