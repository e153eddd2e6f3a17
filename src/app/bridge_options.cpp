// Limits are the kernel's (br_set_forward_delay and its neighbours), told before it says ERANGE.
#include "app/bridge_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "app/adoption.hpp"
#include "core/spec_options.hpp"

namespace nutshell {
namespace {

struct Limits {
  unsigned low, high;
};

std::optional<unsigned> number(const Parsed& args, const std::string& name, Limits limits,
                               Problems& problems) {
  const auto text = args.value(name);
  if (!text) return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value < limits.low ||
      value > limits.high) {
    problems.push_back({"--" + name, fmt::format("{} is no number from {} to {}", printable(*text),
                                                 limits.low, limits.high)});
    return std::nullopt;
  }
  return value;
}

bool on_off(const Parsed& args, const std::string& name, Problems& problems) {
  const auto text = args.value(name);
  if (!text || *text == "off") return false;
  if (*text != "on")
    problems.push_back({"--" + name, fmt::format("{} is neither on nor off", printable(*text))});
  return *text == "on";
}

}  // namespace

host::NewBridge parse_new_bridge(const Parsed& args) {
  Problems problems;
  host::NewBridge wish;
  wish.name = args.word(0, "BRIDGE");
  check_new_bridge_name(wish.name);
  for (const std::string& text : args.values("address")) {
    const auto address = host::interface_address(text);
    if (address &&
        std::find(wish.addresses.begin(), wish.addresses.end(), *address) != wish.addresses.end())
      problems.push_back({"--address", printable(text) + " is named twice"});
    else if (address)
      wish.addresses.push_back(*address);
    else
      problems.push_back(
          {"--address", fmt::format("{} is no address of a host with its prefix, such "
                                    "as 10.0.0.1/24",
                                    printable(text))});
  }
  wish.stp = on_off(args, "stp", problems);
  wish.mtu = number(args, "mtu", {least_mtu, largest_mtu_of_tap}, problems);
  wish.forward_delay = number(args, "forward-delay", {wish.stp ? 2U : 0U, 30}, problems);
  wish.hello = number(args, "hello", {1, 10}, problems);
  wish.max_age = number(args, "max-age", {6, 40}, problems);
  wish.vlan_filtering = args.has("vlan-filtering");
  wish.isolated = args.has("isolated");
  if (!problems.empty()) throw ConfigError(problems);
  return wish;
}

AdoptOptions parse_adopt(const Parsed& args) {
  Problems problems;
  AdoptOptions options;
  options.bridge = args.word(0, "BRIDGE");
  check_new_bridge_name(options.bridge);
  options.uplink = args.value("uplink").value_or("");
  if (options.uplink.empty())
    throw UsageError("`nutshell bridge adopt` wants --uplink LINK, the link whose addresses move");
  if (options.uplink == options.bridge)
    problems.push_back({"--uplink", "is the bridge itself; name the link that has the cable"});
  options.timeout = number(args, "timeout", {5, 3600}, problems).value_or(60);
  options.stp = on_off(args, "stp", problems);
  options.persist = args.has("persist");
  options.force = args.has("force");
  if (!problems.empty()) throw ConfigError(problems);
  return options;
}

}  // namespace nutshell
