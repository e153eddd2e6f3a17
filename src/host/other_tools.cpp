// Only as much of XML is understood as libvirt itself writes: tags with quoted attributes, and
// comments. It writes these files anew at each change, so nothing else is in them.
#include "host/other_tools.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>

#include "host/files.hpp"
#include "nutshell/error.hpp"
#include "nutshell/json.hpp"

namespace nutshell::host {
namespace {

constexpr const char* libvirt_folder = "/etc/libvirt/qemu/networks";
constexpr const char* docker_file = "/etc/docker/daemon.json";
constexpr const char* docker_state = "/var/lib/docker/network";
constexpr Ipv4Net docker_usual{{0xac110000}, 16};  // of docker0, where nobody says otherwise

RangeFact range_of(const Ipv4Net& net, std::string holder) {
  return {net.first(), net.last(), std::move(holder), false};
}

std::string without_comments(std::string_view xml) {
  std::string text;
  while (true) {
    const std::size_t begin = xml.find("<!--");
    text += xml.substr(0, begin);
    if (begin == std::string_view::npos) return text;
    const std::size_t end = xml.find("-->", begin + 4);
    if (end == std::string_view::npos) return text;
    xml.remove_prefix(end + 3);
  }
}

std::string attribute(std::string_view tag, std::string_view name) {
  for (std::size_t at = tag.find(name); at != std::string_view::npos; at = tag.find(name, at + 1)) {
    const std::size_t after = at + name.size();
    if (at == 0 || std::string_view(" \t\n\r").find(tag[at - 1]) == std::string_view::npos)
      continue;
    if (after + 1 >= tag.size() || tag[after] != '=') continue;
    const char quote = tag[after + 1];
    const std::size_t end = tag.find(quote, after + 2);
    if ((quote != '\'' && quote != '"') || end == std::string_view::npos) continue;
    return std::string(tag.substr(after + 2, end - after - 2));
  }
  return "";
}

// Where neither a prefix nor a netmask is told libvirt goes by the old classes (RFC 791).
unsigned prefix_by_class(Ipv4 address) {
  if (address.value < 0x80000000U) return 8;
  return address.value < 0xc0000000U ? 16 : 24;
}

std::optional<unsigned> prefix_of(std::string_view tag, Ipv4 address) {
  if (const std::string text = attribute(tag, "prefix"); !text.empty()) {
    unsigned prefix = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), prefix);
    if (error != std::errc() || end != text.data() + text.size() || prefix > 32)
      return std::nullopt;
    return prefix;
  }
  if (const std::string text = attribute(tag, "netmask"); !text.empty()) {
    const auto mask = parse_ipv4(text);
    if (!mask || std::popcount(mask->value) != std::countl_one(mask->value)) return std::nullopt;
    return static_cast<unsigned>(std::popcount(mask->value));
  }
  return prefix_by_class(address);
}

std::string name_in(const std::string& xml, const std::string& otherwise) {
  constexpr std::string_view open = "<name>";
  const std::size_t begin = xml.find(open);
  if (begin == std::string::npos) return otherwise;
  const std::size_t end = xml.find("</name>", begin);
  if (end == std::string::npos) return otherwise;
  return xml.substr(begin + open.size(), end - begin - open.size());
}

bool is_docker_bridge(std::string_view name) {
  if (name == "docker0") return true;
  constexpr std::string_view stem = "br-";
  return name.size() == stem.size() + 12 && name.starts_with(stem) &&
         name.find_first_not_of("0123456789abcdef", stem.size()) == std::string_view::npos;
}

bool is_libvirt_bridge(std::string_view name) {
  constexpr std::string_view stem = "virbr";
  return name.size() > stem.size() && name.starts_with(stem) &&
         name.find_first_not_of("0123456789", stem.size()) == std::string_view::npos;
}

// A file that cannot be read is none: what other tools wrote never stops a command of ours.
std::optional<std::string> text_of(const std::string& path) {
  try {
    return read_file(path);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::vector<RangeFact> libvirt_ranges(std::string_view xml, const std::string& name) {
  const std::string text = without_comments(xml);
  const std::string holder =
      fmt::format("libvirt's network {}", printable(name_in(text, name).substr(0, 64)));
  std::vector<RangeFact> ranges;
  for (std::size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at + 1)) {
    const std::size_t end = text.find('>', at);
    if (end == std::string::npos) break;
    const std::string_view tag = std::string_view(text).substr(at + 1, end - at - 1);
    const std::string_view word = tag.substr(0, tag.find_first_of(" \t\r\n/"));
    if (word != "ip" && word != "route") continue;
    const auto address = parse_ipv4(attribute(tag, "address"));
    if (!address) continue;
    const auto prefix = prefix_of(tag, *address);
    if (prefix && *prefix != 0) ranges.push_back(range_of({*address, *prefix}, holder));
  }
  return ranges;
}

std::vector<RangeFact> docker_ranges(std::string_view json) {
  std::vector<RangeFact> ranges;
  const auto tree = Json::try_parse(json);
  if (!tree) return ranges;
  const auto add = [&](const std::string& text, const char* holder) {
    const auto net = parse_ipv4_net(text);
    if (net && net->prefix != 0) ranges.push_back(range_of(*net, holder));
  };
  add(tree->text("bip"), "Docker's network docker0");
  if (const Json* pools = tree->find("default-address-pools"); pools && pools->is_array())
    for (const Json& pool : pools->as_array()) add(pool.text("base"), "Docker's pool of networks");
  return ranges;
}

std::vector<RangeFact> observe_other_tools() {
  std::vector<RangeFact> ranges;
  const auto add = [&](std::vector<RangeFact> more) {
    ranges.insert(ranges.end(), more.begin(), more.end());
  };
  constexpr std::string_view ending = ".xml";
  for (const std::string& name : names_in(libvirt_folder))
    if (name.ends_with(ending))
      if (const auto text = text_of(fmt::format("{}/{}", libvirt_folder, name)))
        add(libvirt_ranges(*text, name.substr(0, name.size() - ending.size())));
  const auto text = text_of(docker_file);
  if (text) add(docker_ranges(*text));
  if (ranges.end() ==
          std::find_if(ranges.begin(), ranges.end(),
                       [](const RangeFact& each) { return each.holder.starts_with("Docker"); }) &&
      file_exists(docker_state))
    add({range_of(docker_usual, "Docker's network docker0")});
  return ranges;
}

std::vector<RangeFact> tool_bridges(const Facts& facts) {
  std::vector<RangeFact> ranges;
  for (const LinkFact& link : facts.links) {
    const char* tool = is_docker_bridge(link.name)    ? "Docker"
                       : is_libvirt_bridge(link.name) ? "libvirt"
                                                      : nullptr;
    if (!tool || link.kind != "bridge") continue;
    for (const AddressFact& address : facts.addresses)
      if (address.link == link.index && address.net.prefix != 0)
        ranges.push_back(range_of(address.net, fmt::format("{}'s network ({})", tool, link.name)));
  }
  return ranges;
}

}  // namespace nutshell::host
