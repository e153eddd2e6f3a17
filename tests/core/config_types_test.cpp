// Instance types and quotas of nutshell.toml, and the tags and ports that a machine's file may
// have.
#include <doctest/doctest.h>

#include <algorithm>

#include "core/problems.hpp"
#include "nutshell/config.hpp"

using namespace nutshell;

namespace {

std::string refused(const std::string& text) {
  return refusal([&] { parse_config(text, "n.toml"); });
}
std::string refused_machine(const std::string& text) {
  return refusal([&] { parse_machine(text, "m.toml"); });
}
InstanceType type(const std::string& config, const std::string& name) {
  const auto types = effective_types(parse_config(config, "n.toml"));
  const auto found = std::find_if(types.begin(), types.end(),
                                  [&](const InstanceType& each) { return each.name == name; });
  REQUIRE(found != types.end());
  return *found;
}

}  // namespace

TEST_CASE("the built-in types, from the smallest to the largest") {
  CHECK(effective_types({}).size() == 18);
  CHECK(type("", "m1.small") == InstanceType{"m1.small", 1, 256 * mebi, 5 * gibi});
  CHECK(type("", "m3.xlarge") == InstanceType{"m3.xlarge", 4, 2 * gibi, 15 * gibi});
  CHECK(type("", "hs1.8xlarge") == InstanceType{"hs1.8xlarge", 48, 117 * gibi, 24000 * gibi});
}

TEST_CASE("the file's types join the built-in ones, or take their place") {
  const std::string file =
      "[[type]]\nname = \"m1.small\"\ncpus = 2\nmemory = \"1G\"\ndisk = \"8G\"\n"
      "[[type]]\nname = \"node\"\ncpus = 4\nmemory = \"1536M\"\ndisk = \"100G\"\n";
  CHECK(type(file, "m1.small") == InstanceType{"m1.small", 2, gibi, 8 * gibi, "n.toml:1"});
  CHECK(type(file, "node") == InstanceType{"node", 4, 1536 * mebi, 100 * gibi, "n.toml:6"});
  CHECK(effective_types(parse_config(file, "n.toml")).size() == 19);
}

TEST_CASE("mistakes in types") {
  CHECK(contains(refused("[[type]]\ncpus = 1\nmemory = \"1G\"\ndisk = \"1G\""),
                 "n.toml:1: a type needs a name"));
  const std::string said = refused("[[type]]\nname = \"a b\"\nmemory = \"1\"\ncpu = 2\n");
  CHECK(contains(said, "n.toml:2: type name \"a b\" is wrong"));
  CHECK(contains(said, "n.toml:1: type \"a b\" needs cpus: cpus = 1"));
  CHECK(contains(said, "n.toml:1: type \"a b\" needs disk: disk = \"10G\""));
  CHECK(contains(said, "n.toml:3: memory = \"1\" is not a whole number of M"));
  CHECK(contains(said, "n.toml:4: unknown key \"cpu\"; did you mean cpus?"));
  const std::string one = "[[type]]\nname = \"a\"\ncpus = 1\nmemory = \"1G\"\ndisk = \"1G\"\n";
  CHECK(contains(refused(one + one), "n.toml:6: type a was declared already (n.toml:1)"));
  CHECK(contains(refused("type = 1"), "should be written [[type]]"));
}

TEST_CASE("a quota") {
  const auto quota = parse_config("[quota]\nmachines = 3\ndisk = \"1T\"\n", "n.toml").quota;
  REQUIRE(quota);
  CHECK(quota->machines == 3U);
  CHECK(quota->disk == tebi);
  CHECK_FALSE(quota->memory);
  CHECK(quota->origins.at("disk") == "n.toml:3");
  CHECK_FALSE(parse_config("", "n.toml").quota);
  CHECK(contains(refused("[quota]\nmachines = -1"), "n.toml:2: machines = -1 is not possible"));
  CHECK(contains(refused("[quota]\nmemory = 5"), "n.toml:2: memory = 5 has no unit"));
  CHECK(contains(refused("[quota]\nmachine = 5"), "did you mean machines?"));
  CHECK(contains(refused("quota = 3"), "should be a table, which begins with [quota]"));
}

TEST_CASE("tags, groups and ports of a machine's file") {
  const MachineSpec spec = parse_machine(
      "tags = { role = \"node\", \"lab/owner\" = \"ann, or bob\", empty = \"\" }\n"
      "groups = [\"web\", \"web\"]\npublish = [\"80:8080\", \"192.0.2.1:5353:53/udp\"]\n",
      "m.toml");
  CHECK(spec.tags == std::map<std::string, std::string>{
                         {"role", "node"}, {"lab/owner", "ann, or bob"}, {"empty", ""}});
  CHECK(spec.groups == std::vector<std::string>{"web"});
  CHECK(spec.publish.size() == 2);
  CHECK(spec.origins.at("tags") == "m.toml:1");
  CHECK(parse_machine("tags = [\"a=b=c\", \"x=\"]", "m").tags ==
        std::map<std::string, std::string>{{"a", "b=c"}, {"x", ""}});
}

TEST_CASE("mistakes in tags") {
  CHECK(contains(refused_machine("tags = [\"role\"]"), "is not KEY=VALUE"));
  CHECK(contains(refused_machine("tags = [\"=x\"]"), "is not KEY=VALUE"));
  CHECK(contains(refused_machine("tags = [\"a b=x\"]"), "the tag's key \"a b\" is not possible"));
  CHECK(contains(refused_machine("tags = [\"a=1\", \"a=2\"]"), "is given twice"));
  CHECK(contains(refused_machine("tags = { a = 1 }"), "should be a text in quotes"));
  CHECK(contains(refused_machine("tags = { a = \"x\\ny\" }"), "cannot be used"));
  CHECK(contains(refused_machine("tags = \"a=1\""), "should be a list of texts"));
  CHECK(refused_machine("tags = [\"" + std::string(63, 'k') + "=" + std::string(255, 'v') + "\"]")
            .empty());
  CHECK(contains(refused_machine("tags = [\"" + std::string(64, 'k') + "=v\"]"), "at most 63"));
  CHECK(contains(refused_machine("tags = [\"k=" + std::string(256, 'v') + "\"]"), "at most 255"));
}

TEST_CASE("tags are kept, and a spec of an earlier version has none") {
  const MachineSpec spec = parse_machine("tags = [\"a=1\", \"b=\"]", "m");
  CHECK(spec_from_json(Json::parse(to_json(spec).dump())) == spec);
  CHECK_FALSE(to_json(MachineSpec()).find("tags"));
  CHECK(spec_from_json(to_json(MachineSpec())).tags.empty());
  Json wrong = to_json(spec);
  wrong.set("tags", Json::array({"a=1"}));
  CHECK_THROWS_AS(spec_from_json(wrong), Failed);
}
