// log: what QEMU said and how it ended, or with --serial what the guest wrote; -f follows.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "app/cmd.hpp"
#include "app/interrupt.hpp"
#include "app/machine_options.hpp"
#include "app/machine_state.hpp"
#include "host/fd.hpp"
#include "host/log_file.hpp"
#include "nutshell/ending.hpp"

namespace nutshell {
namespace {

void copy_all(const host::Fd& file) {
  char buffer[65536];
  for (ssize_t n; (n = read(file.get(), buffer, sizeof buffer)) > 0;)
    print(std::string(buffer, static_cast<std::size_t>(n)));
}

std::string rest_of(const host::Fd& file) {
  std::string text;
  char buffer[65536];
  for (ssize_t n; (n = read(file.get(), buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  return text;
}

unsigned chosen_boot(const Parsed& args, const MachineRow& row) {
  const unsigned latest = row.run ? row.run->boot : row.boots;
  const auto text = args.value("boot");
  if (!text) return latest;
  Problems problems;
  const unsigned boot = parse_number(*text, "--boot", 1, 1000000, problems);
  if (!problems.empty()) throw ConfigError(problems);
  return boot;
}

}  // namespace

Exit run_log(const Parsed& args, House& house) {
  if (house.reporter.json() && args.has("follow"))
    throw UsageError("--json wants the whole log and --follow never has it; give one of them");
  const MachineRow row = find_machine(house, args.word(0, "NAME"));
  const unsigned boot = chosen_boot(args, row);
  if (boot == 0)
    throw NotFound(
        fmt::format("{} has not run yet, so it has no log; `nutshell start {}` starts it",
                    to_string(row.name), to_string(row.name)));
  const std::string path = args.has("serial") ? house.paths.serial_log(row.uuid, boot)
                                              : house.paths.qemu_log(row.uuid, boot);
  const host::Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    if (errno == ENOENT)
      throw NotFound(fmt::format("{} has no log of boot {}; the last five are kept",
                                 to_string(row.name), boot));
    throw SystemError(errno, fmt::format("{}: cannot be read", path));
  }
  lseek(file.get(), host::start_of_log(file.get()), SEEK_SET);
  if (house.reporter.json()) {
    house.reporter.answer(Json::object({{"log", path}, {"text", rest_of(file)}}), "");
    return Exit::done;
  }
  copy_all(file);
  while (args.has("follow") && !interrupted()) {
    const bool over = !is_alive(house, row.uuid);
    copy_all(file);
    if (over) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return Exit::done;
}

}  // namespace nutshell
