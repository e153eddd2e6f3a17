// qmp, pause, resume, screenshot, cdrom: what is said to a running QEMU.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "app/change.hpp"
#include "app/cmd.hpp"
#include "app/complete.hpp"
#include "app/machine_state.hpp"
#include "app/qmp_access.hpp"
#include "host/fd.hpp"

namespace nutshell {
namespace {

Exit say(const Parsed& args, House& house, const char* command, const char* done) {
  const MachineRow row = find_running(house, args.word(0, "NAME"));
  if (house.dry()) {
    house.reporter.answer(
        Json::object(
            {{"plan", Json::array({Json::object(
                          {{"step", "qmp"},
                           {"description", fmt::format("tell the QEMU of {}: {}",
                                                       to_string(row.name), command)}})})}}),
        fmt::format("would tell the QEMU of {}: {}\n", to_string(row.name), command));
    return Exit::done;
  }
  open_qmp(house, row).execute(command);
  house.reporter.done(fmt::format("{} {}", to_string(row.name), done));
  return Exit::done;
}

}  // namespace

Exit run_pause(const Parsed& args, House& house) { return say(args, house, "stop", "is paused"); }
Exit run_resume(const Parsed& args, House& house) { return say(args, house, "cont", "runs on"); }

Exit run_qmp(const Parsed& args, House& house) {
  const std::string& command = args.word(1, "COMMAND");
  Json arguments;
  if (args.words.size() > 2) {
    const auto parsed = Json::try_parse(args.words[2]);
    if (!parsed || !parsed->is_object())
      throw UsageError(fmt::format("the arguments of {} are no JSON object: {}", printable(command),
                                   printable(args.words[2])));
    arguments = *parsed;
  }
  const MachineRow row = find_running(house, args.word(0, "NAME"));
  if (house.dry()) {
    house.reporter.note(
        fmt::format("would send {} to the QEMU of {}", printable(command), to_string(row.name)));
    return Exit::done;
  }
  const Json result = open_qmp(house, row).execute(command, arguments);
  house.reporter.answer(Json::object({{"return", result}}), result.dump(true) + "\n");
  return Exit::done;
}

namespace {

/// A picture takes the name of what is there, so that has to be a picture, or empty, or nothing.
void check_replaceable(const std::string& file) {
  struct stat status {};
  if (lstat(file.c_str(), &status) != 0) return;
  if (S_ISREG(status.st_mode)) {
    char begin[4] = {};
    const host::Fd there(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    const bool png = there && read(there.get(), begin, sizeof begin) == 4 &&
                     std::string_view(begin, 4) == "\x89PNG";
    if (png || status.st_size == 0) return;
    throw Conflict(fmt::format("{} is there and is no picture; name another file for the picture",
                               printable(file)));
  }
  throw Conflict(fmt::format("{} is {} and is not replaced; name another file for the picture",
                             printable(file),
                             S_ISDIR(status.st_mode) ? "a directory" : "no plain file"));
}

}  // namespace

// The picture is written by QEMU through a descriptor of ours, to a file beside the target, which
// then takes its name.
Exit run_screenshot(const Parsed& args, House& house) {
  const MachineRow row = find_running(house, args.word(0, "NAME"));
  const std::string file = absolute(args.words.size() > 1 ? args.words[1] : row.name.name + ".png");
  check_replaceable(file);
  if (house.dry()) {
    house.reporter.note(
        fmt::format("would save the screen of {} as {}", to_string(row.name), printable(file)));
    return Exit::done;
  }
  const std::string part = fmt::format("{}.{}.part", file, house.self.pid);
  host::Fd out(open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!out) throw SystemError(errno, fmt::format("{}: cannot be written", printable(file)));
  try {
    host::Qmp qmp = open_qmp(house, row);
    const auto set = qmp.execute("add-fd", Json::object({{"opaque", "screenshot"}}), out.get())
                         .at("fdset-id")
                         .as_integer();
    qmp.execute("screendump",
                Json::object({{"filename", fmt::format("/dev/fdset/{}", set)}, {"format", "png"}}));
    qmp.execute("remove-fd", Json::object({{"fdset-id", set}}));
    if (rename(part.c_str(), file.c_str()) != 0)
      throw SystemError(errno, fmt::format("{}: cannot be written", printable(file)));
  } catch (const Error&) {
    unlink(part.c_str());
    throw;
  }
  house.reporter.answer(Json::object({{"file", file}}), fmt::format("{}\n", file));
  return Exit::done;
}

namespace {

void insert_medium(host::Qmp& qmp, const std::string& iso) {
  const host::Fd file(open(iso.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw SystemError(errno, fmt::format("{}: cannot be read", printable(iso)));
  const auto set = qmp.execute("add-fd", Json::object({{"opaque", "cdrom"}}), file.get())
                       .at("fdset-id")
                       .as_integer();
  const std::string node = fmt::format("cd0-image-{}", set);
  try {
    qmp.execute(
        "blockdev-add",
        Json::object({{"driver", "raw"},
                      {"node-name", node},
                      {"read-only", true},
                      {"file", Json::object({{"driver", "file"},
                                             {"filename", fmt::format("/dev/fdset/{}", set)},
                                             {"read-only", true}})}}));
    qmp.execute("blockdev-insert-medium", Json::object({{"id", "cd0"}, {"node-name", node}}));
  } catch (const Error&) {
    qmp.execute("remove-fd", Json::object({{"fdset-id", set}}));
    throw;
  }
}

// The node that is in the drive now, and afterwards nobody's, is deleted; its descriptor set goes
// with it.
void remove_medium(host::Qmp& qmp) {
  std::string node;
  for (const Json& device : qmp.execute("query-block").as_array())
    if (device.text("qdev") == "cd0")
      if (const Json* inserted = device.find("inserted"); inserted && inserted->is_object())
        node = inserted->text("node-name");
  qmp.execute("blockdev-open-tray", Json::object({{"id", "cd0"}, {"force", true}}));
  qmp.execute("blockdev-remove-medium", Json::object({{"id", "cd0"}}));
  if (!node.empty()) qmp.execute("blockdev-del", Json::object({{"node-name", node}}));
}

}  // namespace

Exit run_cdrom(const Parsed& args, House& house) {
  const bool eject = args.has("eject");
  if (eject == (args.words.size() > 1))
    throw UsageError("`nutshell cdrom` wants an ISO or --eject, one of them");
  const std::string iso = eject ? "" : absolute(args.words[1]);
  const MachineRow row = find_machine(house, args.word(0, "NAME"));
  if (!row.spec.has_cdrom_drive())
    throw Conflict(
        fmt::format("{} has no CD-ROM drive; stop it and use `nutshell set {} --cdrom ISO`",
                    to_string(row.name), to_string(row.name)));
  if (!eject) check_iso(iso, "ISO");
  if (house.dry()) {
    house.reporter.note(
        fmt::format("would {} the CD-ROM of {}", eject ? "eject" : "change", to_string(row.name)));
    return Exit::done;
  }
  if (is_alive(house, row.uuid)) {
    host::Qmp qmp = open_qmp(house, find_running(house, to_string(row.name)));
    remove_medium(qmp);
    if (!eject) insert_medium(qmp, iso);
    qmp.execute("blockdev-close-tray", Json::object({{"id", "cd0"}}));
  }
  change_cdrom(house, row, iso);
  house.reporter.done(fmt::format("{}: the CD-ROM drive {}", to_string(row.name),
                                  eject ? "is empty" : "has " + printable(iso)));
  return Exit::done;
}

}  // namespace nutshell
