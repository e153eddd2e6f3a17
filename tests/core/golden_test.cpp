// Every golden machine renders to the line, the line for a shell and the plan that lie beside it.
#include "golden/golden.hpp"

#include <doctest/doctest.h>

using namespace nutshell;

namespace {

void compare(const std::string& file, const std::string& now) {
  const auto path = golden::folder() / file;
  if (std::getenv("NUTSHELL_ACCEPT")) std::ofstream(path) << now;
  const std::string before = golden::read(path);
  INFO("file: ", file, " (NUTSHELL_ACCEPT=1 writes it anew)");
  CHECK(before == now);
}

}  // namespace

TEST_CASE("golden machines") {
  REQUIRE(golden::names().size() >= 15);
  for (const std::string& name : golden::names()) {
    const MachineSpec spec = golden::machine(name);
    CAPTURE(name);
    CHECK(check(spec).empty());
    const Decision decision = decide(spec, golden::facts());
    const Line line = render_line(spec, decision, golden::places(spec));
    compare(name + ".argv", golden::handles(line) + golden::lines(line));
    compare(name + ".hand", golden::lines(render_by_hand(spec, decision, golden::places(spec), 1)));
    compare(name + ".plan", golden::plan(spec));
  }
}

TEST_CASE("each queue has its own descriptors, of the tap and of vhost") {
  const MachineSpec spec = golden::machine("nic_forms");
  Places places = golden::places(spec);
  places.vhost_net = true;
  const std::string line = golden::lines(render_line(spec, decide(spec, golden::facts()), places));
  CHECK(line.find(R"("fds":"11:12","vhost":true,"vhostfds":"13:14"})") != std::string::npos);
  CHECK(line.find(R"("fd":"15","vhost":true,"vhostfd":"16"})") != std::string::npos);
  places.vhost_net = false;
  places.by_bridge_helper = true;
  CHECK_THROWS_WITH_AS(render_line(spec, decide(spec, golden::facts()), places),
                       doctest::Contains("queues= needs root"), ConfigError);
}

TEST_CASE("a spec goes through JSON unchanged") {
  for (const std::string& name : golden::names()) {
    const MachineSpec spec = golden::machine(name);
    CHECK(spec_from_json(Json::parse(to_json(spec).dump())) == spec);
  }
}
