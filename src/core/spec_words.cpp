// The words of the spec's enums, each in one table that serves both directions and the error
// sentence, so that what is accepted, what is shown and what is suggested cannot differ.
#include <array>

#include "nutshell/spec.hpp"

namespace nutshell {
namespace {

template <class E>
struct Word {
  E value;
  std::string_view text;
};

constexpr std::array disk_buses{Word{DiskBus::virtio, "virtio"}, Word{DiskBus::ide, "ide"},
                                Word{DiskBus::scsi, "scsi"}, Word{DiskBus::sata, "sata"}};
constexpr std::array disk_formats{Word{DiskFormat::raw, "raw"}, Word{DiskFormat::qcow2, "qcow2"}};
constexpr std::array cache_modes{
    Word{CacheMode::none, "none"}, Word{CacheMode::writeback, "writeback"},
    Word{CacheMode::writethrough, "writethrough"}, Word{CacheMode::directsync, "directsync"},
    Word{CacheMode::unsafe, "unsafe"}};
constexpr std::array aio_modes{Word{AioMode::threads, "threads"}, Word{AioMode::native, "native"},
                               Word{AioMode::io_uring, "io_uring"}};
constexpr std::array nic_models{Word{NicModel::virtio, "virtio"}, Word{NicModel::e1000, "e1000"},
                                Word{NicModel::rtl8139, "rtl8139"}};
constexpr std::array nic_kinds{Word{NicKind::bridge, "bridge"}, Word{NicKind::network, "network"},
                               Word{NicKind::user, "user"}, Word{NicKind::macvtap, "macvtap"}};
constexpr std::array macvtap_modes{
    Word{MacvtapMode::bridge, "bridge"}, Word{MacvtapMode::closed, "private"},
    Word{MacvtapMode::vepa, "vepa"}, Word{MacvtapMode::passthru, "passthru"}};
constexpr std::array firmwares{Word{Firmware::bios, "bios"}, Word{Firmware::uefi, "uefi"}};
constexpr std::array nesteds{Word{Nested::automatic, "auto"}, Word{Nested::on, "on"},
                             Word{Nested::off, "off"}};
constexpr std::array accels{Word{Accel::automatic, "auto"}, Word{Accel::kvm, "kvm"},
                            Word{Accel::tcg, "tcg"}};
constexpr std::array boot_orders{Word{BootOrder::disk, "disk"}, Word{BootOrder::cdrom, "cdrom"},
                                 Word{BootOrder::once_cdrom, "once=cdrom"},
                                 Word{BootOrder::net, "net"}};
constexpr std::array vnc_modes{Word{VncMode::automatic, "auto"}, Word{VncMode::fixed, "fixed"},
                               Word{VncMode::unix_socket, "unix"}, Word{VncMode::off, "off"}};

template <class Table, class E>
std::string text_of(const Table& table, E value) {
  for (const auto& word : table)
    if (word.value == value) return std::string(word.text);
  return "unknown";
}

template <class Table, class E>
bool read(const Table& table, std::string_view text, E& value) {
  for (const auto& word : table) {
    if (word.text != text) continue;
    value = word.value;
    return true;
  }
  return false;
}

template <class Table>
std::string list(const Table& table) {
  std::string words;
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (i > 0) words += i + 1 == table.size() ? " or " : ", ";
    words += table[i].text;
  }
  return words;
}

}  // namespace

std::string to_string(DiskBus value) { return text_of(disk_buses, value); }
std::string to_string(DiskFormat value) { return text_of(disk_formats, value); }
std::string to_string(CacheMode value) { return text_of(cache_modes, value); }
std::string to_string(AioMode value) { return text_of(aio_modes, value); }
std::string to_string(NicModel value) { return text_of(nic_models, value); }
std::string to_string(NicKind value) { return text_of(nic_kinds, value); }
std::string to_string(MacvtapMode value) { return text_of(macvtap_modes, value); }
std::string to_string(Firmware value) { return text_of(firmwares, value); }
std::string to_string(Nested value) { return text_of(nesteds, value); }
std::string to_string(Accel value) { return text_of(accels, value); }
std::string to_string(BootOrder value) { return text_of(boot_orders, value); }
std::string to_string(VncMode value) { return text_of(vnc_modes, value); }

bool from_word(std::string_view word, DiskBus& value) { return read(disk_buses, word, value); }
bool from_word(std::string_view word, DiskFormat& value) { return read(disk_formats, word, value); }
bool from_word(std::string_view word, CacheMode& value) { return read(cache_modes, word, value); }
bool from_word(std::string_view word, AioMode& value) { return read(aio_modes, word, value); }
bool from_word(std::string_view word, NicModel& value) { return read(nic_models, word, value); }
bool from_word(std::string_view word, NicKind& value) { return read(nic_kinds, word, value); }
bool from_word(std::string_view word, MacvtapMode& value) {
  return read(macvtap_modes, word, value);
}
bool from_word(std::string_view word, Firmware& value) { return read(firmwares, word, value); }
bool from_word(std::string_view word, Nested& value) { return read(nesteds, word, value); }
bool from_word(std::string_view word, Accel& value) { return read(accels, word, value); }
bool from_word(std::string_view word, BootOrder& value) { return read(boot_orders, word, value); }
bool from_word(std::string_view word, VncMode& value) { return read(vnc_modes, word, value); }

std::string words_of(DiskBus) { return list(disk_buses); }
std::string words_of(DiskFormat) { return list(disk_formats); }
std::string words_of(CacheMode) { return list(cache_modes); }
std::string words_of(AioMode) { return list(aio_modes); }
std::string words_of(NicModel) { return list(nic_models); }
std::string words_of(MacvtapMode) { return list(macvtap_modes); }
std::string words_of(Firmware) { return list(firmwares); }
std::string words_of(Nested) { return list(nesteds); }
std::string words_of(Accel) { return list(accels); }
std::string words_of(BootOrder) { return list(boot_orders); }

}  // namespace nutshell
