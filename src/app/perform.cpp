// Steps onto the host, one line each where the host room has the verb. The few that touch the
// registry say so.
#include "app/perform.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "app/change.hpp"
#include "app/guard.hpp"
#include "app/network.hpp"
#include "app/secret.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/macvtap.hpp"
#include "host/network.hpp"
#include "nutshell/error.hpp"

namespace nutshell {
namespace {

constexpr auto kill_limit = std::chrono::seconds(20);

std::optional<host::Identity> find_qemu(House& house, const Uuid& uuid) {
  const auto row = house.registry().machine(uuid);
  if (row && row->run && row->run->pid && row->run->boot_id == house.boot_id)
    return host::Identity{row->run->pid, row->run->start_time};
  const auto pid = host::find_qemu_by_uuid(uuid);
  if (!pid) return std::nullopt;
  return host::Identity{*pid, host::start_time(*pid).value_or(0)};
}

}  // namespace

void stop_qemu(House& house, const Uuid& uuid) {
  const auto deadline = std::chrono::steady_clock::now() + kill_limit;
  // A launcher killed between fork and exec leaves a child that is not QEMU yet: it either dies
  // with its parent or becomes QEMU in a moment.
  while (host::is_held(house.paths.lock(uuid))) {
    if (const auto identity = find_qemu(house, uuid))
      if (const auto pidfd = host::open_checked_pidfd(*identity, uuid)) {
        host::send_signal(*pidfd, SIGKILL);
        host::wait_until_gone(*pidfd, std::chrono::milliseconds(5000));
      }
    if (!host::is_held(house.paths.lock(uuid))) return;
    if (std::chrono::steady_clock::now() > deadline)
      throw Failed(fmt::format(
          "the lock {} is held by a process that is no QEMU of ours; end it and run `nutshell gc`",
          house.paths.lock(uuid)));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

void Performer::operator()(const Step& step) {
  std::visit([this](const auto& one) { perform(one); }, step);
}

void Performer::perform(const HoldMachine& step) { note_networks(house_, step.uuid); }
void Performer::perform(const HoldSpec& step) { note_networks(house_, step.uuid); }

void Performer::perform(const ForgetMachine& step) {
  const auto row = house_.registry().machine(step.uuid);
  if (row && house_.root)
    for (const NicSpec& nic : row->spec.nics)
      if (nic.mac)
        host::forget_neighbours(
            *nic.mac);  // else the next to ask for this MAC would meet our own trace
  Transaction transaction = house_.registry().begin();
  transaction.remove_machine(step.uuid);
  remove_unused_networks(house_, transaction);
  transaction.commit();
  if (!row || !house_.root) return;
  std::vector<std::string> networks;  // whose DNS and DHCP knew it
  for (const NicSpec& nic : row->spec.nics)
    if (nic.kind == NicKind::network) networks.push_back(nic.network);
  tell_networks(house_, networks);
}

void Performer::perform(const FreeRun& step) {
  const auto row = house_.registry().machine(step.uuid);
  if (row && row->run &&
      step.end.empty()) {  // it never ran: its number and its logs are for the next one
    host::drop_file(house_.paths.qemu_log(step.uuid, row->run->boot));
    host::drop_file(house_.paths.serial_log(step.uuid, row->run->boot));
  }
  Transaction transaction = house_.registry().begin();
  transaction.end_run(step.uuid, step.end);
  transaction.commit();
  if (!row || !house_.root) return;
  std::vector<std::string> networks;  // whose DNS and DHCP knew it
  for (const NicSpec& nic : row->spec.nics)
    if (nic.kind == NicKind::network) networks.push_back(nic.network);
  // A start that is undone left its networks while its run still counted: somebody who left them at
  // the same moment took it for one that stays.
  if (step.end.empty())
    for (const std::string& network : networks) leave_network(house_, {step.uuid, network});
  tell_networks(house_, networks);
}

void Performer::perform(const RestoreSpec& step) { restore_spec(house_, step.uuid, step.spec); }
void Performer::perform(const TrimLeases& step) { trim_leases(house_, step.uuid, step.before); }

void Performer::perform(const MakeDirectory& step) {
  host::make_directories(step.path.substr(0, step.path.rfind('/')));
  host::make_directory(step.path);
}

void Performer::perform(const DropDirectory& step) { host::drop_directory(step.path); }

void Performer::perform(const MakeVolume& step) {
  if (const auto slash = step.path.rfind('/'); step.path.substr(0, slash) == house_.paths.volumes())
    host::make_directories(house_.paths.volumes());
  // The user was warned when it was planned.
  (void)host::make_volume(step.path, step.size, step.format, step.backing);
}

void Performer::perform(const DropVolume& step) { host::drop_volume(step.path); }
void Performer::perform(const CopyFile& step) { host::copy_file(step.from, step.to); }
void Performer::perform(const MakeSecret& step) { make_vnc_password(step.path, step.from); }
void Performer::perform(const WriteFile& step) { host::write_file(step.path, step.text); }
void Performer::perform(const DropFile& step) { host::drop_file(step.path); }
void Performer::perform(const EnsureNetwork& step) { ensure_network(house_, step); }
void Performer::perform(const LeaveNetwork& step) { leave_network(house_, step); }

void Performer::perform(const MakeMacvtap& step) {
  host::make_macvtap({step.link, step.uplink, step.mode, step.mac, step.mark, step.mtu});
}

void Performer::perform(const DropMacvtap& step) {
  host::drop_macvtap(step.link, step.mark, step.mac);
}
void Performer::perform(const GuardMachine& step) { guard_machine(house_, step); }
void Performer::perform(const UnguardMachine& step) { unguard_machine(house_, step); }

void Performer::perform(const StartQemu& step) {
  if (!live_) throw Failed("a start cannot be repeated from the journal; run `nutshell start`");
  live_->spawned.emplace(host::spawn_qemu(live_->start));
  const host::Identity identity = live_->spawned->identity();
  house_.registry().set_process(step.uuid, identity.pid, identity.start_time);
}

void Performer::perform(const StopQemu& step) {
  if (live_) live_->spawned.reset();
  stop_qemu(house_, step.uuid);
}

void Performer::perform(const Continue& step) {
  if (!live_ || !live_->spawned)
    throw Failed("a machine that was not started cannot be continued; run `nutshell start`");
  host::StartedQemu started = host::meet_qemu(live_->start, *live_->spawned);
  live_->vnc_socket.reset();
  started.qmp.execute("cont");
  if (live_->consumes_boot_once) house_.registry().set_boot_once_consumed(step.uuid, true);
}

}  // namespace nutshell
