// The words of the enums: each goes out and comes back, and what is listed is what is accepted.
#include <doctest/doctest.h>

#include "nutshell/spec.hpp"

using namespace nutshell;

namespace {
template <class E>
void round_trips(std::initializer_list<E> values) {
  for (const E value : values) {
    E back = value == *values.begin() ? *(values.end() - 1) : *values.begin();
    CHECK(from_word(to_string(value), back));
    CHECK(back == value);
  }
  E untouched = *values.begin();
  for (const char* wrong : {"", "x", "RAW", "virtio ", "once"})
    CHECK_FALSE(from_word(wrong, untouched));
  CHECK(untouched == *values.begin());
}
}  // namespace

TEST_CASE("every word goes out and comes back, unknown ones change nothing") {
  round_trips({DiskBus::virtio, DiskBus::ide, DiskBus::scsi, DiskBus::sata});
  round_trips({DiskFormat::raw, DiskFormat::qcow2});
  round_trips({CacheMode::none, CacheMode::writeback, CacheMode::writethrough,
               CacheMode::directsync, CacheMode::unsafe});
  round_trips({AioMode::threads, AioMode::native, AioMode::io_uring});
  round_trips({NicModel::virtio, NicModel::e1000, NicModel::rtl8139});
  round_trips({NicKind::bridge, NicKind::network, NicKind::user});
  round_trips({Firmware::bios, Firmware::uefi});
  round_trips({Nested::automatic, Nested::on, Nested::off});
  round_trips({Accel::automatic, Accel::kvm, Accel::tcg});
  round_trips({BootOrder::disk, BootOrder::cdrom, BootOrder::once_cdrom, BootOrder::net});
  round_trips({VncMode::automatic, VncMode::fixed, VncMode::unix_socket, VncMode::off});
}

TEST_CASE("the lists read as a sentence") {
  CHECK(words_of(DiskBus{}) == "virtio, ide, scsi or sata");
  CHECK(words_of(DiskFormat{}) == "raw or qcow2");
  CHECK(words_of(BootOrder{}) == "disk, cdrom, once=cdrom or net");
  CHECK(words_of(CacheMode{}) == "none, writeback, writethrough, directsync or unsafe");
  CHECK(words_of(AioMode{}) == "threads, native or io_uring");
  CHECK(words_of(NicModel{}) == "virtio, e1000 or rtl8139");
  CHECK(words_of(Firmware{}) == "bios or uefi");
  CHECK(words_of(Nested{}) == "auto, on or off");
  CHECK(words_of(Accel{}) == "auto, kvm or tcg");
}
