// Acceleration and nesting: by evidence, never in silence. And the line that the story's author
// typed.
#include <doctest/doctest.h>

#include "golden/golden.hpp"

using namespace nutshell;

namespace {

Facts host(CpuVendor vendor, bool nested) {
  Facts facts;
  facts.root = true;
  facts.cpu_vendor = vendor;
  facts.kvm.cpu_flag = true;
  facts.kvm.supported_nested = nested;
  return facts;  // no trouble: KVM is usable
}

MachineSpec machine(Nested nested = Nested::automatic, Accel accel = Accel::automatic) {
  MachineSpec spec;
  spec.name.name = "ciab";
  spec.nested = nested;
  spec.accel = accel;
  return spec;
}

}  // namespace

TEST_CASE("nesting follows the host's vendor under KVM") {
  CHECK(decide(machine(), host(CpuVendor::intel, true)).nested_flag == "+vmx");
  CHECK(decide(machine(), host(CpuVendor::amd, true)).nested_flag == "+svm");
  CHECK(decide(machine(Nested::off), host(CpuVendor::intel, true)).nested_flag == "-vmx");
  CHECK(decide(machine(Nested::off), host(CpuVendor::amd, true)).nested_flag == "-svm");
  CHECK(decide(machine(), host(CpuVendor::intel, true)).warnings.empty());
}

TEST_CASE("nesting that the host cannot give is said, and an error when it was asked for") {
  const Decision decision = decide(machine(), host(CpuVendor::intel, false));
  CHECK(decision.nested_flag.empty());
  REQUIRE(decision.warnings.size() == 1);
  CHECK(decision.warnings[0].find("kvm_intel") != std::string::npos);
  CHECK_THROWS_WITH_AS(decide(machine(Nested::on), host(CpuVendor::amd, false)),
                       doctest::Contains("options kvm_amd nested=1"), Failed);
  Facts blind = host(CpuVendor::intel, false);
  blind.kvm.cpu_flag = false;
  CHECK_THROWS_WITH_AS(decide(machine(Nested::on), blind), doctest::Contains("no vmx flag"),
                       Failed);
}

TEST_CASE("TCG is never chosen in silence") {
  const Decision decision = decide(machine(), golden::facts());
  CHECK_FALSE(decision.kvm);
  CHECK(decision.nested_flag == "+svm");
  REQUIRE(decision.warnings.size() == 2);
  CHECK(decision.warnings[0].find("there is no /dev/kvm") != std::string::npos);
  CHECK(decision.warnings[1].find("emulated") != std::string::npos);
  CHECK_THROWS_WITH_AS(decide(machine(Nested::automatic, Accel::kvm), golden::facts()),
                       doctest::Contains("there is no /dev/kvm"), Failed);
  CHECK(decide(machine(Nested::off, Accel::tcg), golden::facts()).warnings.empty());
}

TEST_CASE("by hand, the story's machine on an Intel host is the story's line") {
  MachineSpec spec = golden::machine("ciab");
  const Facts facts = host(CpuVendor::intel, true);
  Places places = golden::places(spec);
  places.qemu = "qemu-system-x86_64";
  places.block_devices = {"/dev/vg01/ciab"};
  const auto by_hand = [&] {
    return shell_line(render_by_hand(spec, decide(spec, facts), places, std::nullopt).argv());
  };
  CHECK(
      by_hand() ==
      "qemu-system-x86_64 -accel kvm -m 2048 -cpu qemu64,+vmx -drive file=/dev/vg01/ciab,if=virtio "
      "-net nic,model=virtio,macaddr=52:54:00:12:34:60 -net bridge,br=br0 -cdrom "
      "/golden/silvereye.iso -boot once=d -vnc :1");
  spec.boot = BootOrder::cdrom;
  CHECK(by_hand().find(" -boot d ") != std::string::npos);
}

TEST_CASE("every part of a line is explained") {
  for (const std::string& name : golden::names()) {
    const MachineSpec spec = golden::machine(name);
    const Decision decision = decide(spec, golden::facts());
    std::vector<Line> lines;
    lines.push_back(render_line(spec, decision, golden::places(spec)));
    lines.push_back(render_by_hand(spec, decision, golden::places(spec), 1));
    for (const Line& line : lines) {
      for (const Arg& arg : line.args) {
        CAPTURE(name);
        CAPTURE(arg.option);
        CHECK_FALSE(arg.meaning.empty());
        CHECK_FALSE(arg.origin.empty());
      }
      CHECK(explain(line).find(line.args.front().meaning) != std::string::npos);
    }
  }
  const MachineSpec spec = golden::machine("ciab");
  CHECK(explain(render_line(spec, decide(spec, golden::facts()), golden::places(spec)))
            .find("ciab.toml:3") != std::string::npos);
}

TEST_CASE("what an option cannot carry is refused") {
  CHECK(escape_option("a,b", "--disk") == "a,,b");
  CHECK_THROWS_AS(escape_option("a\nb", "--disk"), ConfigError);
}
