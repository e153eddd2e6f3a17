// The row of the table on what an installer is told.
#include "app/cmd.hpp"

namespace nutshell {
namespace {

constexpr Option answers_options[] = {
    {"format", "text|env|json|eucalyptus|cloud-init", "for whom they are (default: text)"},
    {"seed", "FILE", "write the machine's seed for cloud-init, a disk, to this file"},
    {"force", "", "with --seed: also over a file that is no seed"}};

}  // namespace

std::vector<Command> answers_commands() {
  return {{"answers", "Clouds", "what the installer of a cloud will ask, answered",
           "CLOUD [MACHINE]", 1, 2, answers_options,
           "nutshell answers ciab\nnutshell answers ciab --format eucalyptus\nnutshell answers "
           "ciab front --seed front.iso\n",
           Access::look, run_answers}};
}

}  // namespace nutshell
