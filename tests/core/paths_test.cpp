// The three layouts, and the one limit that they have.
#include "nutshell/paths.hpp"

#include <doctest/doctest.h>

#include "core/problems.hpp"

using namespace nutshell;

namespace {
const Uuid uuid = *parse_uuid("0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0");
PathChoice user() {
  PathChoice choice;
  choice.home = "/home/ann";
  choice.uid = 1000;
  return choice;
}
std::string refused(const PathChoice& choice) {
  return refusal([&] { make_paths(choice); });
}
PathChoice rooted(const std::string& root) {
  PathChoice choice;
  choice.root = root;
  return choice;
}
}  // namespace

TEST_CASE("root has the system's directories") {
  PathChoice choice;
  choice.is_root = true;
  const Paths paths = make_paths(choice);
  CHECK(paths.config_file == "/etc/nutshell/nutshell.toml");
  CHECK(paths.state == "/var/lib/nutshell");
  CHECK(paths.run == "/run/nutshell");
  CHECK(paths.logs == "/var/log/nutshell");
  CHECK(paths.cache == "/var/cache/nutshell");
}

TEST_CASE("--root holds everything, and wins over root and the home") {
  PathChoice choice = user();
  choice.root = "/srv/t//";
  choice.is_root = true;
  const Paths paths = make_paths(choice);
  CHECK(paths.config_file == "/srv/t/etc/nutshell.toml");
  CHECK(paths.state == "/srv/t/state");
  CHECK(paths.run == "/srv/t/run");
  CHECK(paths.logs == "/srv/t/log");
  CHECK(paths.cache == "/srv/t/cache");
  CHECK(paths.qmp(uuid) == "/srv/t/run/0f1e2d3c/qmp");
  CHECK(paths.spec_file(uuid) == "/srv/t/state/machines/" + uuid.text + "/spec.json");
  CHECK(paths.qemu_log(uuid, 2) == "/srv/t/log/" + uuid.text + "/2.log");
  CHECK(make_paths(rooted("/")).state == "/state");
}

TEST_CASE("others have the XDG directories, or what stands for them") {
  Paths paths = make_paths(user());
  CHECK(paths.config_file == "/home/ann/.config/nutshell/nutshell.toml");
  CHECK(paths.state == "/home/ann/.local/state/nutshell");
  CHECK(paths.run == "/home/ann/.local/state/nutshell/run");
  CHECK(paths.logs == "/home/ann/.local/state/nutshell/logs");
  CHECK(paths.cache == "/home/ann/.cache/nutshell");
  PathChoice choice = user();
  choice.xdg_config = "/c/";
  choice.xdg_state = "/s";
  choice.xdg_runtime = "/run/user/1000";
  choice.xdg_cache = "/k";
  paths = make_paths(choice);
  CHECK(paths.config_file == "/c/nutshell/nutshell.toml");
  CHECK(paths.state == "/s/nutshell");
  CHECK(paths.run == "/run/user/1000/nutshell");
  CHECK(paths.logs == "/s/nutshell/logs");
  CHECK(paths.cache == "/k/nutshell");
  choice.xdg_config = choice.xdg_runtime = "relative";
  paths = make_paths(choice);
  CHECK(paths.config_file == "/home/ann/.config/nutshell/nutshell.toml");
  CHECK(paths.run == "/s/nutshell/run");
}

TEST_CASE("--config replaces the file alone") {
  PathChoice choice = rooted("/srv/t");
  choice.config = "my.toml";
  CHECK(make_paths(choice).config_file == "my.toml");
  CHECK(make_paths(choice).state == "/srv/t/state");
}

TEST_CASE("a place that is none is refused") {
  CHECK(contains(refused(rooted("relative")), "--root: \"relative\" is a relative path"));
  CHECK(contains(refused(rooted("/a\nb")), "newline"));
  CHECK(contains(refused(PathChoice()), "HOME: it is not set"));
  PathChoice choice;
  choice.home = "ann";
  CHECK(contains(refused(choice), "HOME"));
}

TEST_CASE("a socket's path fits to the byte") {
  const std::string tail = "/run/XXXXXXXX/serial";
  const std::string fits = "/" + std::string(longest_socket_path - tail.size() - 1, 'd');
  CHECK(make_paths(rooted(fits)).serial(uuid).size() == longest_socket_path);
  const std::string said = refused(rooted(fits + "d"));
  CHECK(contains(said,
                 "--root: a socket's path would be " + fits + "d/run/XXXXXXXX/serial (108 bytes)"));
  CHECK(contains(said, "at most 107; give a shorter directory with --root"));
  PathChoice choice = user();
  choice.xdg_runtime = "/" + std::string(100, 'r');
  CHECK(contains(refused(choice), "XDG_RUNTIME_DIR: "));
  choice.xdg_runtime = "";
  choice.home = "/" + std::string(100, 'h');
  CHECK(contains(refused(choice), "HOME: "));
}

TEST_CASE("no socket is longer than the one that is checked") {
  const Paths paths = make_paths(rooted("/t"));
  for (const std::string& path :
       {paths.qmp(uuid), paths.watch(uuid), paths.agent(uuid), paths.vnc(uuid)})
    CHECK(path.size() <= paths.serial(uuid).size());
}
