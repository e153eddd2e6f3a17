// The way back from values to the words that they were read from. What has its default is left
// out, as one would write it.
#include "core/cloud_words.hpp"

#include <fmt/format.h>

namespace nutshell {
namespace {

constexpr std::size_t waits_told = 4;

/// Words between commas; a comma within one is written twice.
class List {
 public:
  void add(std::string_view word) { text_ += (text_.empty() ? "" : ",") + std::string(word); }
  void add(std::string_view key, std::string_view value) {
    add(std::string(key) + "=");
    for (const char c : value) text_.append(c == ',' ? 2 : 1, c);
  }
  [[nodiscard]] std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace

std::string disk_words(const DiskSpec& disk) {
  const DiskSpec usual;
  List list;
  if (disk.size)
    list.add(format_size(*disk.size));
  else
    list.add("path", disk.path);
  if (!disk.vg.empty()) list.add("vg", disk.vg);
  if (!disk.thin.empty()) list.add("thin", disk.thin);
  if (disk.file) list.add("file");
  if (disk.bus != usual.bus) list.add("bus", to_string(disk.bus));
  if (disk.format_named) list.add("format", to_string(disk.format));
  if (disk.cache != usual.cache) list.add("cache", to_string(disk.cache));
  if (disk.aio != usual.aio) list.add("aio", to_string(disk.aio));
  if (!disk.discard) list.add("discard", "off");
  if (disk.read_only) list.add("ro");
  if (!disk.backing.empty()) {
    list.add("backing", disk.backing.front().path);
    list.add("backing_format", to_string(disk.backing.front().format));
  }
  return std::move(list).text();
}

std::string nic_words(const NicSpec& nic) {
  List list;
  if (nic.kind == NicKind::bridge) list.add("bridge", nic.bridge);
  if (nic.kind == NicKind::network && !nic.network.empty()) list.add("network", nic.network);
  if (nic.kind == NicKind::user) list.add("user");
  if (nic.kind == NicKind::macvtap) {
    list.add("macvtap", nic.uplink);
    if (nic.macvtap_mode != MacvtapMode::bridge) list.add("mode", to_string(nic.macvtap_mode));
  }
  if (nic.model != NicModel::virtio) list.add("model", to_string(nic.model));
  if (nic.mac) list.add("mac", to_string(*nic.mac));
  if (nic.ip) list.add("ip", to_string(*nic.ip));
  if (nic.mtu) list.add("mtu", std::to_string(nic.mtu));
  if (nic.queues > 1) list.add("queues", std::to_string(nic.queues));
  if (nic.vlan) list.add("vlan", std::to_string(nic.vlan));
  if (!nic.trunk.empty()) list.add("trunk", to_string(nic.trunk));
  if (nic.antispoof) list.add("antispoof", *nic.antispoof ? "on" : "off");
  if (!nic.also.empty()) list.add("also", to_string(nic.also));
  if (nic.rate) list.add("rate", std::to_string(nic.rate));
  std::string words = std::move(list).text();
  return words.empty() ? "the default" : words;
}

std::string after_words(const std::vector<After>& after) {
  std::string words;
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (i > 0) words += ", ";
    // All but one, as "and 1 more" would be no shorter.
    if (i == waits_told && after.size() > waits_told + 1)
      return words + fmt::format("and {} more", after.size() - i);
    words += after[i].machine;
    if (after[i].condition != "running") words += ":" + after[i].condition;
  }
  return words;
}

}  // namespace nutshell
