// The command line: globals anywhere, commands of one or two words, and what was probably meant.
#include "app/options.hpp"

#include <doctest/doctest.h>

#include "app/command.hpp"

using namespace nutshell;

TEST_CASE("global options stand before or after the command") {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--json", "--root", "/r", "show", "ciab"},
        {"show", "--root=/r", "ciab", "--json"},
        {"show", "ciab", "--json", "--root", "/r"}}) {
    const CommandLine line = parse_command_line(words);
    REQUIRE(line.command);
    CHECK(line.command->name == "show");
    CHECK(line.global.json);
    CHECK(line.global.root == "/r");
    CHECK(line.parsed.words == std::vector<std::string>{"ciab"});
  }
}

TEST_CASE("commands of two words, repeated options, and what is QEMU's") {
  CHECK(parse_command_line({"lease", "reserve", "vnc", ":5"}).command->name == "lease reserve");
  const CommandLine line =
      parse_command_line({"launch", "a", "--disk", "1G", "--disk=2G", "--", "-rtc", "--json"});
  CHECK(line.parsed.values("disk") == std::vector<std::string>{"1G", "2G"});
  CHECK(line.parsed.rest == std::vector<std::string>{"-rtc", "--json"});
  CHECK_FALSE(line.global.json);
}

TEST_CASE("what is wrong is said, with what was probably meant") {
  const auto says = [](const std::vector<std::string>& words, const char* part) {
    CAPTURE(part);
    CHECK_THROWS_WITH_AS(parse_command_line(words), doctest::Contains(part), UsageError);
  };
  says({"lunch", "x"}, "'lunch'; did you mean `launch`");
  says({"launch", "x", "--memroy", "1G"}, "did you mean --memory");
  says({"launch"}, "wants NAME");
  says({"show", "a", "b"}, "'b'");
  says({"launch", "x", "--memory"}, "--memory");
  says({"xyzzyplugh"}, "'; `nutshell --help` lists them");
  says({"lease"}, "reserve");
  says({}, "--help");
  says({"ls", "--quiet", "--verbose"}, "contradict");
  says({"ls", "--", "x"}, "after --");
  says({"launch", "--mem", "1G", "x"}, "--mem");  // no guessing of shortened options
}

TEST_CASE("a group without its verb has help, too") {
  for (const char* group : {"pool", "lease"}) {
    const CommandLine line = parse_command_line({group, "--help"});
    CHECK(line.global.help);
    CHECK_FALSE(line.command);
  }
}

TEST_CASE("every command has its words, and its help shows them") {
  for (const Command& command : commands()) {
    const std::string help = help_text(command);
    CAPTURE(help);
    CHECK(help.find(command.summary) != std::string::npos);
    CHECK_FALSE(command.examples.empty());
    for (const Option& option : command.options)
      CHECK(help.find("--" + std::string(option.name)) != std::string::npos);
    CHECK(help_text().find("  " + std::string(command.name) + " ") != std::string::npos);
    CHECK(completion_script().find("'" + std::string(command.name) + "'") != std::string::npos);
  }
}
