// Acceleration and nesting, decided by evidence alone (DESIGN.md section 7): what was asked for and
// cannot be had is an error that says which layer lacks it, and nothing falls back in silence.
#include <fmt/format.h>

#include "nutshell/argv.hpp"

namespace nutshell {
namespace {

std::string asked_by(const MachineSpec& spec, const std::string& field) {
  const auto found = spec.origins.find(field);
  return found == spec.origins.end() ? "default" : found->second;
}

void decide_accel(Decision& decision, const MachineSpec& spec, const Facts& facts) {
  const std::string who = to_string(spec.name);
  switch (spec.accel) {
    case Accel::kvm:
      if (!facts.kvm.usable())
        throw Failed(fmt::format(
            "{}: KVM was asked for and cannot be used: {}; use --accel tcg to emulate instead", who,
            facts.kvm.trouble));
      decision = {true, asked_by(spec, "accel"), "", "", {}};
      return;
    case Accel::tcg: decision = {false, asked_by(spec, "accel"), "", "", {}}; return;
    case Accel::automatic:
      if (facts.kvm.usable()) {
        decision = {true, "host: /dev/kvm works", "", "", {}};
        return;
      }
      decision = {false, "host: no usable KVM: " + facts.kvm.trouble, "", "", {}};
      decision.warnings.push_back(fmt::format("{}: emulated by TCG, many times slower than KVM: {}",
                                              who, facts.kvm.trouble));
      return;
  }
}

std::string lacking_nested(const Facts& facts, const std::string& module) {
  if (!facts.kvm.cpu_flag)
    return fmt::format("this host's processor shows no {} flag (not supported, or off in its BIOS)",
                       module == "kvm_intel" ? "vmx" : "svm");
  return fmt::format(
      "nesting is off in the host's {} module; put `options {} nested=1` in "
      "/etc/modprobe.d/kvm.conf and reload the module",
      module, module);
}

void decide_nested(Decision& decision, const MachineSpec& spec, const Facts& facts) {
  const bool intel = facts.cpu_vendor == CpuVendor::intel;
  const std::string flag = decision.kvm && intel ? "vmx" : "svm";
  const std::string asked = spec.nested == Nested::automatic ? "" : asked_by(spec, "nested") + ", ";
  if (spec.nested == Nested::off) {
    decision.nested_flag = "-" + flag;
    decision.nested_origin = asked_by(spec, "nested");
    return;
  }
  if (!decision.kvm) {
    decision.nested_flag = "+svm";
    decision.nested_origin = asked + "TCG emulates SVM, whatever the host's processor is";
    decision.warnings.push_back(
        fmt::format("{}: nested virtualization is SVM emulated by TCG; machines inside will be "
                    "very slow (--nested off leaves it out)",
                    to_string(spec.name)));
    return;
  }
  const std::string module = intel ? "kvm_intel" : "kvm_amd";
  if (!facts.kvm.supported_nested) {
    if (spec.nested == Nested::on)
      throw Failed(fmt::format("{}: --nested on cannot be had: {}", to_string(spec.name),
                               lacking_nested(facts, module)));
    decision.warnings.push_back(fmt::format("{}: no nested virtualization: {}",
                                            to_string(spec.name), lacking_nested(facts, module)));
    return;
  }
  decision.nested_flag = "+" + flag;
  decision.nested_origin = asked + fmt::format("host: {} with nested on", intel ? "Intel" : "AMD");
}

}  // namespace

Decision decide(const MachineSpec& spec, const Facts& facts) {
  Decision decision;
  decide_accel(decision, spec, facts);
  decide_nested(decision, spec, facts);
  return decision;
}

}  // namespace nutshell
