// Three programs know a part each: nft shows what goes through nftables, iptables-nft-save what of
// that nft leaves out, and iptables-legacy has tables of its own in the kernel, which
// are asked for only where the kernel says that there are some (asking would make them).
#include "host/ruleset.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "host/files.hpp"
#include "host/tool.hpp"
#include "nutshell/error.hpp"

#include <fmt/format.h>

namespace nutshell::host {
namespace {

constexpr std::chrono::milliseconds patience{10'000};
constexpr Bytes longest_listing = 64 * mebi;

std::string listing(std::vector<std::string> words) {
  return output_of({.argv = std::move(words),
                    .input = {},
                    .timeout = patience,
                    .output_limit = longest_listing,
                    .environment = {}});
}

struct LegacyFamily {
  const char *names, *program, *family;
};
constexpr LegacyFamily legacy_families[] = {
    {"/proc/net/ip_tables_names", "iptables-legacy-save", "ip"},
    {"/proc/net/ip6_tables_names", "ip6tables-legacy-save", "ip6"},
};

void add_legacy(SeenRules& seen) {
  for (const LegacyFamily& each : legacy_families) {
    std::string names = read_file(each.names).value_or("");
    if (names.empty()) continue;
    while (!names.empty() && names.back() == '\n') names.pop_back();
    std::replace(names.begin(), names.end(), '\n', ' ');
    if (find_program(each.program))
      merge_iptables(seen.ruleset, listing({each.program, "-c"}), each.family, true);
    else
      seen.trouble = fmt::format(
          "iptables-legacy has tables here ({}) that only {} shows, which is not installed", names,
          each.program);
  }
}

}  // namespace

SeenRules observe_ruleset() {
  SeenRules seen;
  seen.iptables = find_program("iptables").has_value();
  if (::geteuid() != 0) {
    seen.trouble = "what filters sit on it, only root sees";
    return seen;
  }
  try {
    if (find_program("nft"))
      seen.ruleset = parse_nft_ruleset(listing({"nft", "-j", "list", "ruleset"}));
    else
      seen.trouble = missing_program("nft");
    if (seen.ruleset.flagged)
      unhook_dormant(seen.ruleset, listing({"nft", "-t", "list", "ruleset"}));
    if (std::any_of(seen.ruleset.chains.begin(), seen.ruleset.chains.end(),
                    [](const FilterChain& chain) { return chain.family == "netdev"; }))
      add_devices(seen.ruleset, listing({"nft", "list", "chains", "netdev"}));
    for (const auto& [family, program] :
         {std::pair{"ip", "iptables-nft-save"}, std::pair{"ip6", "ip6tables-nft-save"}})
      if (seen.ruleset.has_iptables(family) && find_program(program))
        merge_iptables(seen.ruleset, listing({program, "-c"}), family, false);
    add_legacy(seen);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    seen.trouble = fmt::format("its filters could not be read: {}", error.what());
  }
  return seen;
}

bool bridge_meets_ip_filters(const std::string& bridge) {
  if (setting("net/bridge/bridge-nf-call-iptables") == "1") return true;
  const auto own =
      read_file(fmt::format("/sys/class/net/{}/bridge/nf_call_iptables", bridge)).value_or("");
  return own.starts_with("1");
}

std::string setting(const std::string& path) {
  const std::string text = read_file("/proc/sys/" + path).value_or("");
  return text.substr(0, text.find('\n'));
}

int reverse_path_filter(const std::string& link) {
  const auto value = [](const std::string& name) {
    const std::string text = setting(fmt::format("net/ipv4/conf/{}/rp_filter", name));
    int number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  };
  return std::max(value("all"), value(link));
}

std::uint64_t reverse_path_drops() {
  // Two lines for each group: the names, then the numbers.
  std::istringstream lines(read_file("/proc/net/netstat").value_or(""));
  for (std::string names, numbers; std::getline(lines, names) && std::getline(lines, numbers);) {
    std::istringstream name(names), number(numbers);
    for (std::string what, count; name >> what && number >> count;)
      if (what == "IPReversePathFilter") return std::strtoull(count.c_str(), nullptr, 10);
  }
  return 0;
}

}  // namespace nutshell::host
