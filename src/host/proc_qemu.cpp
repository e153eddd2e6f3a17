// What a QEMU uses, read off its argv, whoever wrote it: option lists (with doubled commas), JSON,
// and the old short options. Only what can collide is looked for: MACs, VNC displays, disks.
#include <algorithm>
#include <charconv>
#include <string_view>

#include "host/proc.hpp"

namespace nutshell::host {
namespace {

/// The value after each occurrence of `key` in an option list or a JSON text. `key` is followed by
/// '=' there, and by quotes, a colon and quotes here.
std::vector<std::string> values_of(std::string_view text, std::string_view key) {
  std::vector<std::string> found;
  for (std::size_t at = text.find(key); at != std::string_view::npos;
       at = text.find(key, at + key.size())) {
    const bool starts =
        at == 0 || text[at - 1] == ',' || text[at - 1] == '"' || text[at - 1] == '.';
    std::size_t next = at + key.size();
    if (!starts || next >= text.size()) continue;
    std::string value;
    if (text[next] == '=') {
      for (++next; next < text.size(); ++next) {
        if (text[next] == ',' && (next + 1 >= text.size() || text[next + 1] != ',')) break;
        if (text[next] == ',') ++next;
        value += text[next];
      }
    } else if (text[next] == '"') {
      next = text.find_first_not_of(" \t", next + 1);
      if (next == std::string_view::npos || text[next] != ':') continue;
      next = text.find_first_not_of(" \t", next + 1);
      if (next == std::string_view::npos || text[next] != '"') continue;
      for (++next; next < text.size() && text[next] != '"'; ++next) {
        if (text[next] == '\\' && next + 1 < text.size()) ++next;
        value += text[next];
      }
    } else {
      continue;
    }
    found.push_back(std::move(value));
  }
  return found;
}

void add_display(std::string_view vnc, std::vector<unsigned>& displays) {
  vnc = vnc.substr(0, vnc.find(','));
  if (vnc.starts_with("unix:") || vnc == "none") return;
  const std::size_t colon = vnc.rfind(':');
  if (colon == std::string_view::npos) return;
  const std::string_view digits = vnc.substr(colon + 1);
  unsigned display = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), display);
  if (!digits.empty() && parsed.ptr == digits.data() + digits.size()) displays.push_back(display);
}

template <typename T>
void drop_doubles(std::vector<T>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

}  // namespace

QemuProcess parse_qemu(const std::vector<std::string>& argv) {
  QemuProcess qemu;
  for (std::size_t i = 1; i + 1 < argv.size(); ++i) {
    std::string_view option = argv[i];
    if (option.size() < 2 || option[0] != '-') continue;
    option.remove_prefix(option[1] == '-' ? 2 : 1);  // QEMU takes --option as well
    const std::string& value = argv[i + 1];
    if (option == "uuid") {
      if (const auto uuid = parse_uuid(value)) qemu.uuid = uuid->text;
    } else if (option == "device" || option == "net" || option == "nic" || option == "netdev") {
      for (const char* key : {"mac", "macaddr"})
        for (const std::string& text : values_of(value, key))
          if (const auto mac = parse_mac(text)) qemu.macs.push_back(*mac);
    } else if (option == "vnc") {
      add_display(value, qemu.displays);
    } else if (option == "display" && value.starts_with("vnc=")) {
      add_display(std::string_view(value).substr(4), qemu.displays);
    } else if (option == "drive" || option == "blockdev") {
      for (const char* key : {"file", "filename"})
        for (std::string& path : values_of(value, key)) qemu.disks.push_back(std::move(path));
    } else if (option == "cdrom" || (option.size() == 3 && option.starts_with("hd") &&
                                     option[2] >= 'a' && option[2] <= 'd')) {
      qemu.disks.push_back(value);
    }
  }
  drop_doubles(qemu.macs);
  drop_doubles(qemu.displays);
  drop_doubles(qemu.disks);
  return qemu;
}

}  // namespace nutshell::host
