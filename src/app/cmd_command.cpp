// command and explain: the QEMU line of a machine, exact or for a shell, and why each part of it is
// there.
#include <fmt/format.h>

#include "app/cmd.hpp"
#include "app/machine_state.hpp"
#include "app/settle.hpp"
#include "app/start.hpp"
#include "host/proc.hpp"

namespace nutshell {
namespace {

// By hand one types the program's name where PATH finds it.
std::string short_program(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string folder = path.substr(0, slash == std::string::npos ? 0 : slash);
  return folder == "/usr/bin" || folder == "/bin" || folder == "/usr/local/bin"
             ? path.substr(slash + 1)
             : path;
}

struct Rendered {
  MachineRow row;
  Line line;
};

Rendered render(const Parsed& args, House& house) {
  const MachineRow row = find_machine(house, args.word(0, "NAME"));
  const MachineSpec spec = spec_of_next_run(row);
  const Facts facts = observe_for_start(house, spec);
  if (!facts.qemu) throw Failed(facts.qemu_trouble);
  Decision decision = decide(spec, facts);
  const bool runs = row.run && is_alive(house, row.uuid);
  Places places = places_of(house, spec, facts, row.run ? row.run->boot : row.boots + 1,
                            row.run ? row.run->taps : std::vector<std::string>(spec.nics.size()));
  if (args.has("by-hand")) {
    places.qemu = short_program(places.qemu);
    return {row, render_by_hand(spec, decision, places, row.run ? row.run->display : std::nullopt)};
  }
  Rendered rendered{row, render_line(runs ? row.spec : spec, decision, places)};
  return rendered;
}

// The line by hand is for whoever goes on without us, and a logical volume is active only while its
// machine runs.
void say_how_to_activate(House& house, const MachineRow& row) {
  std::string volumes;
  for (const DiskSpec& disk : row.spec.disks)
    if (disk.on_lvm()) volumes += fmt::format(" {}/{}", disk.vg, disk.lv());
  if (volumes.empty() || (row.run && is_alive(house, row.uuid))) return;
  house.reporter.note(fmt::format("its volumes are activated by `lvchange -ay -K{}`", volumes));
}

}  // namespace

Exit run_command(const Parsed& args, House& house) {
  const Rendered rendered = render(args, house);
  std::vector<std::string> argv = rendered.line.argv();
  // Of a machine that runs, the process itself says what its line is.
  if (!args.has("by-hand") && rendered.row.run && is_alive(house, rendered.row.uuid))
    if (const auto real = host::command_line(rendered.row.run->pid); !real.empty()) argv = real;
  if (args.has("by-hand")) say_how_to_activate(house, rendered.row);
  Json json = Json::array();
  for (const std::string& word : argv) json.push(word);
  Json before = Json::array();
  std::string text;
  for (const std::string& command : rendered.line.before) {
    before.push(command);
    text += command + "\n";
  }
  text += shell_line(argv);
  if (!rendered.line.redirections.empty()) text += " " + rendered.line.redirections;
  house.reporter.answer(
      Json::object(
          {{"argv", json}, {"before", before}, {"redirections", rendered.line.redirections}}),
      text + "\n");
  return Exit::done;
}

Exit run_explain(const Parsed& args, House& house) {
  const Rendered rendered = render(args, house);
  Json parts = Json::array();
  for (const Arg& arg : rendered.line.args)
    parts.push(Json::object({{"option", arg.option},
                             {"value", arg.value},
                             {"meaning", arg.meaning},
                             {"origin", arg.origin}}));
  Json before = Json::array();
  for (const std::string& command : rendered.line.before) before.push(command);
  house.reporter.answer(Json::object({{"program", rendered.line.program},
                                      {"parts", parts},
                                      {"before", before},
                                      {"redirections", rendered.line.redirections}}),
                        explain(rendered.line));
  return Exit::done;
}

}  // namespace nutshell
