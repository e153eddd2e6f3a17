// doctor: what this host can do for machines, layer by layer, and what would cure what it cannot.
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "app/bridge_checks.hpp"
#include "app/cloud_facts.hpp"
#include "app/cmd.hpp"
#include "app/guard.hpp"
#include "app/leftovers.hpp"
#include "app/lvm_access.hpp"
#include "app/network.hpp"
#include "app/path_look.hpp"
#include "app/start.hpp"
#include "host/fd.hpp"
#include "host/nft.hpp"
#include "host/observe.hpp"
#include "host/setup.hpp"
#include "host/tool.hpp"
#include "nutshell/volume_rules.hpp"

namespace nutshell {
namespace {

enum class Verdict { good, note, bad };

struct Check {
  std::string name;
  Verdict verdict;
  std::string detail;
  std::string cure = {};  ///< one line for a shell; empty: none
};

const char* words(Verdict verdict) {
  constexpr const char* all[] = {"ok", "note", "bad"};
  return all[static_cast<int>(verdict)];
}

std::string as_root(const Facts& facts, const std::string& command) {
  return facts.root ? command : "sudo " + command;
}

Check check_qemu(const Facts& facts) {
  if (facts.qemu)
    return {"qemu", Verdict::good, fmt::format("{} {}", facts.qemu->path, facts.qemu->version)};
  return {"qemu", Verdict::bad, facts.qemu_trouble};
}

Check check_kvm(const Facts& facts) {
  if (facts.kvm.usable()) return {"kvm", Verdict::good, "/dev/kvm runs a guest"};
  return {"kvm", Verdict::note,
          facts.kvm.trouble + "; machines are emulated by TCG, which is slow"};
}

Check check_nested(const Facts& facts) {
  if (!facts.kvm.usable())
    return {"nested", Verdict::note, "without KVM, nesting is SVM emulated by TCG"};
  if (facts.kvm.supported_nested)
    return {"nested", Verdict::good,
            facts.cpu_vendor == CpuVendor::intel ? "kvm_intel gives vmx to guests"
                                                 : "kvm_amd gives svm to guests"};
  const std::string module = facts.cpu_vendor == CpuVendor::intel ? "kvm_intel" : "kvm_amd";
  return {"nested", Verdict::note, fmt::format("off in the host's module {}", module),
          as_root(facts, "nutshell setup")};
}

Check check_tun(const Facts& facts) {
  const host::Fd tun(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (tun)
    return {"taps", Verdict::good,
            facts.root ? "/dev/net/tun opens"
                       : "/dev/net/tun opens; taps themselves need root or the bridge helper"};
  return {"taps", facts.root ? Verdict::bad : Verdict::note,
          fmt::format("/dev/net/tun: {}; load the module tun with `modprobe tun`",
                      std::strerror(errno))};
}

/// What lets ordinary users onto a bridge, and why they are not.
Check check_helper(const Facts& facts) {
  std::string bridge = "BRIDGE";
  for (const LinkFact& link : facts.links)
    if (link.kind == "bridge" && !is_mark(link.alias)) bridge = link.name;
  Check check{"bridge helper", Verdict::note, "", ""};
  if (facts.bridge_helper.empty()) {
    check.detail = "not here or not setuid; ordinary users have user-mode networking alone";
  } else if (facts.helper_bridges.empty()) {
    check.detail = fmt::format("{} allows no bridge to {}", facts.bridge_helper,
                               facts.root ? "everybody" : "you");
  } else {
    std::string bridges;
    for (const std::string& each : facts.helper_bridges)
      bridges += (bridges.empty() ? "" : ", ") + each;
    check.verdict = Verdict::good;
    check.detail = "allows " + bridges;
    // Of root's own view: what the others may not read, the helper does not read for them.
    if (const std::string trouble = facts.root ? host::acl_trouble("") : ""; !trouble.empty())
      check.detail += "; " + trouble;
    return check;
  }
  const std::string trouble = facts.bridge_helper.empty() ? "" : host::acl_trouble(bridge);
  if (!trouble.empty()) check.detail += "; " + trouble;
  const bool denied = trouble.find("`deny ") != std::string::npos;
  if (facts.root) {
    check.verdict = Verdict::good;
    check.detail = "not needed by root; " + check.detail;
  }
  if (!denied) check.cure = as_root(facts, "nutshell setup --bridge " + bridge);
  return check;
}

Check check_identity(const Facts& facts) {
  if (!facts.root) return {"identity", Verdict::good, "QEMU runs as you"};
  if (facts.qemu_user) return {"identity", Verdict::good, "QEMU runs as the user nutshell-qemu"};
  return {"identity", Verdict::good,
          "each QEMU runs as a user id of its own, with no name and no rights"};
}

Check check_group(const LvmFacts& facts, const VolumeGroupFact& group, unsigned limit) {
  Check check{"volume group", Verdict::good,
              fmt::format("{}: {} free of {}", group.name, format_size_roughly(group.free),
                          format_size_roughly(group.size))};
  for (const LogicalVolumeFact& volume : facts.volumes) {
    if (volume.vg != group.name || volume.kind != VolumeKind::thin_pool) continue;
    check.detail +=
        fmt::format("; thin pool {} of {}", volume.name, format_size_roughly(volume.size));
    if (!volume.data_percent) {
      check.detail += " (not active)";
      continue;
    }
    check.detail += fmt::format(", {:.1f} % of data and {:.1f} % of metadata used",
                                *volume.data_percent, volume.metadata_percent.value_or(0));
  }
  try {
    usable_group(facts, group.name);
    for (const LogicalVolumeFact& volume : facts.volumes)
      if (volume.vg == group.name && volume.kind == VolumeKind::thin_pool)
        usable_pool(facts, {volume.vg, volume.name}, limit);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    check.verdict = Verdict::bad;
    check.detail += fmt::format("; {}", error.what());
  }
  return check;
}

void check_volume_groups(House& house, std::vector<Check>& checks) {
  if (!house.root) {
    checks.push_back({"lvm", Verdict::note, "logical volumes need root"});
    return;
  }
  if (!host::find_program("lvm")) {
    Check check{"lvm", Verdict::note, "not here; disks are files (package lvm2)"};
    for (const MachineRow& row : house.registry().machines())
      for (const DiskSpec& disk : row.spec.disks)
        if (disk.on_lvm())
          check = {"lvm", Verdict::bad,
                   fmt::format("not here, and {} has its disk on {}: install the package lvm2",
                               to_string(row.name), disk.path)};
    checks.push_back(std::move(check));
    return;
  }
  try {
    const LvmFacts facts = observe_all_groups(house);
    if (facts.groups.empty())
      checks.push_back({"lvm", Verdict::good, "there, and no volume group"});
    for (const VolumeGroupFact& group : facts.groups)
      checks.push_back(check_group(facts, group, house.config.thin_limit));
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    checks.push_back({"lvm", Verdict::bad, error.what()});
  }
}

Check check_nft(const Facts& facts) {
  if (!host::find_program("nft"))
    return {"nft", facts.root ? Verdict::bad : Verdict::note,
            "not here; managed networks need it: install the package nftables"};
  if (facts.root) (void)host::list_tables();
  return {"nft", Verdict::good, "there, for the managed networks"};
}

void check_leftovers(House& house, std::vector<Check>& checks) {
  const std::vector<Leftover> leftovers = find_leftovers(house);
  if (leftovers.empty()) checks.push_back({"leftovers", Verdict::good, "none"});
  for (const Leftover& leftover : leftovers)
    if (leftover.kind == Leftover::Kind::unknown_machine)  // gc would keep it
      checks.push_back(
          {"registry", Verdict::bad, fmt::format("{}: {}", leftover.thing, leftover.evidence)});
    else if (leftover.kind == Leftover::Kind::bridge && !leftover.held.empty())
      checks.push_back({"leftover", Verdict::note,
                        fmt::format("{} ({}); {}, then run `nutshell gc`", leftover.thing,
                                    leftover.evidence, leftover.held)});
    // Of another registry, perhaps; or a machine uses it.
    else if (leftover.kind != Leftover::Kind::lost_volume && leftover.held.empty())
      checks.push_back(
          {"leftover", Verdict::note,
           fmt::format("{} ({}); run `nutshell gc`", leftover.thing, leftover.evidence)});
}

/// One that fails is one bad check of that name, and the others still appear. True when it did not.
template <typename Look>
bool look_for(std::vector<Check>& checks, const char* name, const Look& look) {
  try {
    look();
    return true;
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    checks.push_back({name, Verdict::bad, error.what()});
    return false;
  }
}

/// What stands in the way of packets. Of an nft that does not answer no more is asked than it must.
void check_ways(House& house, const Facts& facts, std::vector<Check>& checks) {
  const auto add_ways = [&](const std::vector<WayTrouble>& troubles) {
    for (const WayTrouble& each : troubles)
      checks.push_back({each.name, each.bad ? Verdict::bad : Verdict::note, each.words, each.cure});
  };
  const bool nft = look_for(checks, "nft", [&] { checks.push_back(check_nft(facts)); });
  if (nft && house.root && host::find_program("nft"))
    look_for(checks, "rules", [&] {
      for (const std::string& machine : unguarded_machines(house))
        checks.push_back(
            {"rules", Verdict::bad,
             fmt::format("those of {}, which runs, were taken out of nftables", machine),
             "nutshell gc"});
    });
  look_for(checks, "ranges", [&] { add_ways(range_troubles(house, facts)); });
  look_for(checks, "filters", [&] { add_ways(way_troubles(house)); });
  if (nft) look_for(checks, "old rules", [&] { add_ways(stale_rule_troubles(house)); });
  look_for(checks, "bridges", [&] {
    for (const BridgeTrouble& each : bridge_troubles(house))
      checks.push_back(
          {"bridge " + each.bridge, each.bad ? Verdict::bad : Verdict::note, each.words});
  });
  if (nft)
    look_for(checks, "networks", [&] {
      for (const std::string& trouble : network_rule_troubles(house))
        checks.push_back({"networks", Verdict::bad, trouble});
    });
}

std::vector<Check> all_checks(House& house, const Facts& facts) {
  std::vector<Check> checks{check_qemu(facts), check_kvm(facts),    check_nested(facts),
                            check_tun(facts),  check_helper(facts), check_identity(facts)};
  checks.push_back(facts.vhost_net ? Check{"vhost", Verdict::good, "/dev/vhost-net opens"}
                                   : Check{"vhost", Verdict::note,
                                           "no /dev/vhost-net; networking works, more slowly"});
  checks.push_back(
      facts.dnsmasq
          ? Check{"dnsmasq", Verdict::good, "there, for the managed network"}
          : Check{"dnsmasq", facts.root ? Verdict::bad : Verdict::note,
                  "not here; the managed network needs it: install the package dnsmasq-base"});
  checks.push_back(facts.ovmf_code.empty()
                       ? Check{"uefi", Verdict::note,
                               "no firmware found; install the package ovmf for --firmware uefi"}
                       : Check{"uefi", Verdict::good, facts.ovmf_code});
  checks.push_back({"memory", Verdict::good,
                    fmt::format("{} free of {}", format_size_roughly(facts.memory_available),
                                format_size_roughly(facts.memory_total))});
  checks.push_back({"depth", Verdict::good, depth_words(facts)});
  look_for(checks, "lvm", [&] { check_volume_groups(house, checks); });
  check_ways(house, facts, checks);
  look_for(checks, "networks", [&] {
    for (const std::string& trouble : network_troubles(house))
      checks.push_back({"networks", Verdict::bad, trouble});
  });
  look_for(checks, "leftovers", [&] { check_leftovers(house, checks); });
  return checks;
}

}  // namespace

Exit run_doctor(const Parsed&, House& house) {
  const Facts facts = observe_parts(house, host::part::all);
  Json list = Json::array();
  Table table{{"CHECK", "STATE", "DETAIL"}, {}};
  bool bad = false;
  for (const Check& check : all_checks(house, facts)) {
    list.push(Json::object({{"name", check.name},
                            {"state", words(check.verdict)},
                            {"detail", check.detail},
                            {"cure", check.cure.empty() ? Json() : Json(check.cure)}}));
    table.rows.push_back({check.name, words(check.verdict),
                          check.cure.empty()
                              ? check.detail
                              : fmt::format("{}; cured by `{}`", check.detail, check.cure)});
    bad = bad || check.verdict == Verdict::bad;
  }
  house.reporter.answer(Json::object({{"checks", list}}), table);
  return bad ? Exit::failed : Exit::done;
}

}  // namespace nutshell
