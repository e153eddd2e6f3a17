// vnc: where the screen of a machine is, how to reach it from afar, and with --view a viewer on it.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "app/cmd.hpp"
#include "app/machine_json.hpp"
#include "app/qmp_access.hpp"

namespace nutshell {
namespace {

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

// The viewer takes our place, so nothing of ours stays.
[[noreturn]] void view(const std::string& where) {
  static constexpr const char* viewers[] = {"vncviewer", "xtigervncviewer", "gvncviewer",
                                            "remote-viewer"};
  for (const char* viewer : viewers) {
    const std::string target = std::string(viewer) == "remote-viewer" ? "vnc://" + where : where;
    execlp(viewer, viewer, target.c_str(), static_cast<char*>(nullptr));
    if (errno != ENOENT) throw SystemError(errno, fmt::format("{}: cannot be started", viewer));
  }
  throw NotFound(
      "there is no VNC viewer on this host; install tigervnc-viewer, or connect from elsewhere");
}

}  // namespace

Exit run_vnc(const Parsed& args, House& house) {
  const MachineRow row = find_running(house, args.word(0, "NAME"));
  const std::string where = vnc_words(house, row.uuid, row.spec.vnc.mode, row.run);
  if (where.empty())
    throw Conflict(
        fmt::format("{} has no screen; `nutshell set {} --vnc auto` gives it one at its next start",
                    to_string(row.name), to_string(row.name)));
  if (args.has("view")) view(where);
  const std::string password = row.spec.vnc.password ? house.paths.vnc_password(row.uuid) : "";
  Json json = Json::object({{"listen", Json()},
                            {"display", Json()},
                            {"port", Json()},
                            {"socket", Json()},
                            {"password_file", password.empty() ? Json() : Json(password)},
                            {"ssh", Json()}});
  std::string text, ssh;
  if (row.run->display) {
    const unsigned port = 5900 + *row.run->display;
    const bool loopback = row.run->vnc_listen.starts_with("127.") || row.run->vnc_listen == "::1";
    const std::string address = row.run->vnc_listen.find(':') == std::string::npos
                                    ? row.run->vnc_listen
                                    : "[" + row.run->vnc_listen + "]";
    text = fmt::format("{}:{}   (display :{})\n", address, port, *row.run->display);
    if (loopback) ssh = fmt::format("ssh -L {}:{}:{} {}", port, address, port, host_name());
    json.set("listen", row.run->vnc_listen).set("display", *row.run->display).set("port", port);
  } else {
    const std::string socket = house.paths.vnc(row.uuid);
    text = fmt::format("{}\n", socket);
    ssh = fmt::format("ssh -L 5900:{} {}", socket, host_name());
    json.set("socket", socket);
  }
  if (!ssh.empty()) {
    json.set("ssh", ssh);
    text += fmt::format("from elsewhere: {}\n", ssh);
  }
  if (!password.empty()) text += fmt::format("password: in {}\n", password);
  house.reporter.answer(json, text);
  return Exit::done;
}

}  // namespace nutshell
