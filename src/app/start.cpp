// A start has a few milliseconds of its own, so it observes only what it needs: links for the taps,
// what is cached of QEMU and KVM.
#include "app/start.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "app/cloud_facts.hpp"
#include "app/complete.hpp"
#include "app/execute.hpp"
#include "app/lvm_access.hpp"
#include "app/machine_json.hpp"
#include "app/machine_state.hpp"
#include "app/secret.hpp"
#include "app/settle.hpp"
#include "host/files.hpp"
#include "host/observe.hpp"
#include "nutshell/plan.hpp"

namespace nutshell {
namespace {

constexpr unsigned logs_kept = 5;

bool is_block_device(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISBLK(status.st_mode);
}

// The host's end of a tap: the machine's MAC with the first byte fe, so that no bridge ever takes
// it for its own.
Mac host_mac_of(Mac mac) { return {(mac.value & 0xffffffffffULL) | 0xfe0000000000ULL}; }

std::optional<host::RunAs> run_as(const MachineSpec& spec, const Facts& facts) {
  if (!facts.root) return std::nullopt;
  host::RunAs ids;
  if (facts.qemu_user)
    ids = {facts.qemu_user->first, facts.qemu_user->second};
  else if (spec.run_as_uid)
    ids = {*spec.run_as_uid, *spec.run_as_uid};
  else
    throw Failed(fmt::format(
        "{} was made by an ordinary user and has no user id to run with; make it anew as root",
        to_string(spec.name)));
  if (facts.kvm_gid) ids.gid = *facts.kvm_gid;
  return ids;
}

void drop_old_logs(const House& house, const Uuid& uuid, unsigned boot) {
  if (boot <= logs_kept) return;
  host::drop_file(house.paths.qemu_log(uuid, boot - logs_kept));
  host::drop_file(house.paths.serial_log(uuid, boot - logs_kept));
}

}  // namespace

Facts observe_parts(const House& house, unsigned parts, const std::string& qemu) {
  host::ObserveOptions options;
  options.parts = parts;
  options.cache = house.paths.cache;
  options.notes = house.dry() ? host::Notes::nothing : host::Notes::keep;
  options.qemu = qemu.empty() ? house.config.qemu : qemu;
  return host::observe(options);
}

namespace {

// A MAC that was asked for by name may have come to somebody else since create. Those from the pool
// are this registry's own.
bool has_named_mac(const MachineSpec& spec) {
  for (std::size_t i = 0; i < spec.nics.size(); ++i)
    if (spec.nics[i].kind != NicKind::user && !spec.origins.contains(fmt::format("nic.{}.mac", i)))
      return true;
  return false;
}

// Our own machines are no strangers: what they have is in the registry.
Facts observe_with_our_machines(House& house, unsigned parts, const MachineSpec& spec) {
  host::ObserveOptions options;
  options.parts = parts;
  options.cache = house.paths.cache;
  options.notes = house.dry() ? host::Notes::nothing : host::Notes::keep;
  options.qemu = spec.qemu.empty() ? house.config.qemu : spec.qemu;
  if (parts & host::part::macs)
    for (const MachineSummary& summary : house.registry().summaries())
      options.our_uuids.push_back(summary.uuid.text);
  return host::observe(options);
}

}  // namespace

Facts observe_for_start(House& house, const MachineSpec& spec) {
  namespace part = host::part;
  unsigned parts = part::links | part::qemu | part::qemu_user;
  if (spec.accel != Accel::tcg) parts |= part::kvm;
  if (spec.firmware == Firmware::uefi) parts |= part::firmware;
  if (!house.root) parts |= part::helper;
  if (house.dry()) parts |= part::ports;  // otherwise the display is proven by binding it
  if (has_named_mac(spec)) parts |= part::macs;
  if (spec.nested == Nested::off) return observe_with_our_machines(house, parts, spec);
  Facts facts = observe_with_our_machines(house, parts | part::addresses | part::routes, spec);
  facts.outer = outer_line(house, facts, spec.name.cloud);
  return facts;
}

Facts observe_for_create(House& house, const MachineSpec& spec) {
  namespace part = host::part;
  Facts facts =
      observe_with_our_machines(house, house.dry() ? part::all : part::all & ~part::ports, spec);
  add_other_ranges(house, facts, "");
  facts.outer = outer_line(house, facts, spec.name.cloud);
  return facts;
}

Places places_of(const House& house, const MachineSpec& spec, const Facts& facts, unsigned boot,
                 const std::vector<std::string>& taps) {
  Places places;
  places.qemu = facts.qemu ? facts.qemu->path : "qemu-system-x86_64";
  places.lock = house.paths.lock(spec.uuid);
  places.qmp = house.paths.qmp(spec.uuid);
  places.watch = house.paths.watch(spec.uuid);
  places.serial = house.paths.serial(spec.uuid);
  places.serial_log = house.paths.serial_log(spec.uuid, boot);
  places.agent = house.paths.agent(spec.uuid);
  places.ovmf_code = facts.ovmf_code;
  places.taps = taps;
  places.by_bridge_helper = !facts.root;
  places.vhost_net = facts.vhost_net && facts.root;
  places.outer = facts.outer;
  const auto note_block = [&](const std::string& path) {
    if (is_block_device(path)) places.block_devices.push_back(path);
  };
  for (const DiskSpec& disk : spec.disks) {
    if (disk.on_lvm())
      places.block_devices.push_back(disk.path);  // also before it is there
    else if (!disk.ours())
      note_block(disk.path);
    for (const BackingLayer& layer : disk.backing) note_block(layer.path);
  }
  return places;
}

MachineSpec spec_of_next_run(const MachineRow& row) {
  MachineSpec spec = row.spec;
  if (spec.boot == BootOrder::once_cdrom && row.boot_once_consumed) spec.boot = BootOrder::disk;
  return spec;
}

host::PortWish port_wish(const NicSpec& nic) {
  return {nic.vlan, nic.trunk, nic.is_guarded() ? nic.mac : std::nullopt};
}

LiveStart prepare_start(const House& house, const MachineSpec& spec, const Decision& decision,
                        const Facts& facts, RunReservation& reservation) {
  const Places places = places_of(house, spec, facts, reservation.run.boot, reservation.run.taps);
  LiveStart live;
  host::QemuStart& start = live.start;
  start.who = to_string(spec.name);
  start.line = render_line(spec, decision, places);
  for (std::size_t i = 0; i < spec.nics.size(); ++i)
    start.taps.push_back({reservation.run.taps[i], spec.nics[i].bridge,
                          tap_mark(spec.name, static_cast<unsigned>(i)),
                          host_mac_of(spec.nics[i].mac.value_or(Mac{})), spec.nics[i].mtu,
                          spec.nics[i].queues, port_wish(spec.nics[i])});
  start.bridge_helper = facts.bridge_helper;
  start.log = house.paths.qemu_log(spec.uuid, reservation.run.boot);
  start.qmp = {house.paths.qmp(spec.uuid), house.paths.qmp_lock(spec.uuid), start.who};
  start.run_as = run_as(spec, facts);
  start.kvm = decision.kvm;
  if (decision.nested_flag.starts_with("+"))
    start.cpu_flags.push_back(decision.nested_flag.substr(1));
  start.cdrom_bootindex_later = bootindex_after_first_boot(spec);
  start.vnc_unix = spec.vnc.mode == VncMode::unix_socket ? house.paths.vnc(spec.uuid) : "";
  start.vnc_password_file = spec.vnc.password ? house.paths.vnc_password(spec.uuid) : "";
  live.vnc_socket = std::move(reservation.vnc_socket);
  start.vnc_socket = live.vnc_socket.get();
  live.consumes_boot_once = spec.boot == BootOrder::once_cdrom;
  return live;
}

void execute_start(House& house, const Plan& plan, std::int64_t journal_id, LiveStart& live) {
  Performer perform(house, &live);
  const auto show = [&](const Step& step) {
    house.reporter.step(fmt::format("{}: {}", live.start.who, describe(step)));
  };
  const Outcome outcome = execute(plan, std::ref(perform), show, {&house.registry(), journal_id});
  house.reporter.steps_over();
  rethrow(outcome);
}

void report_dry_run(House& house, const std::vector<Step>& steps, const Line& line) {
  Json plan = Json::array(), argv = Json::array();
  std::string text;
  for (const Step& step : steps) {
    plan.push(Json::object({{"step", kind(step)}, {"description", describe(step)}}));
    text += describe(step) + "\n";
  }
  for (const std::string& word : line.argv()) argv.push(word);
  if (!line.program.empty()) text += "\n" + shell_line(line.argv()) + "\n";
  house.reporter.answer(Json::object({{"plan", plan}, {"argv", argv}}), text);
}

namespace {

void refuse_foreign_macs(const MachineSpec& spec, const Facts& facts) {
  for (const NicSpec& nic : spec.nics)
    for (const MacFact& fact : facts.macs)
      if (nic.mac == fact.mac)
        throw Conflict(
            fmt::format("{}: its MAC {} is held by {}; end that, or give the machine another NIC",
                        to_string(spec.name), to_string(fact.mac), fact.holder));
}

}  // namespace

void start_machine(House& house, const MachineRow& given, const std::optional<BootOrder>& boot) {
  const std::string who = to_string(given.name);
  if (!house.dry()) wait_for_others(house, given.uuid, who);
  const MachineRow found = settled_machine(house, given);
  if (found.run && is_alive(house, found.uuid))
    throw Conflict(fmt::format("{} is running already; `nutshell show {}` shows it", who, who));
  MachineSpec spec = spec_of_next_run(found);
  if (boot) spec.boot = *boot;
  if (spec.boot != BootOrder::disk && spec.boot != BootOrder::net && !spec.has_cdrom_drive())
    throw ConfigError(
        "--boot",
        fmt::format(
            "{} has no CD-ROM drive to boot from; give it one with `nutshell set {} --cdrom ISO`",
            who, who));

  Facts facts = observe_for_start(house, spec);
  if (!facts.qemu) throw Failed(facts.qemu_trouble);
  const Decision decision = decide(spec, facts);
  check_before_start(house, facts, spec);
  refuse_foreign_macs(spec, facts);
  const RunVolumes volumes = volumes_of_run(house, spec, Disks::there);
  // From here it is known that the host can do what the spec asks for.
  Transaction transaction = house.registry().begin();
  check_alone(house, spec.uuid, who);
  const auto row = house.registry().machine(spec.uuid);
  if (!row) throw NotFound(fmt::format("{} was removed meanwhile", who));
  if (row->run)
    throw Conflict(fmt::format("{} is {} already; `nutshell show {}` shows it", who,
                               look_at(house, row->uuid, row->run, row->last_end).words, who));
  RunReservation reservation =
      reserve_run(house, transaction, spec, row->boots + 1, facts, decision.kvm);
  reservation.run.volumes = volumes.words;
  const Plan plan = plan_of("start", spec.uuid, OnFailure::undo,
                            steps_to_start(spec, house.paths, row->boots + 1, reservation.networks,
                                           parts_of(reservation.run)));
  LiveStart live = prepare_start(house, spec, decision, facts, reservation);
  live.unmeasured = volumes.unmeasured;
  if (house.dry()) return report_dry_run(house, plan.steps, live.start.line);
  transaction.begin_run(spec.uuid, reservation.run);
  const auto id = transaction.journal(plan, house.self.pid, house.self.start_time, house.boot_id);
  transaction.commit();
  // From here the display, the taps' names and the plan are ours, durably; whatever happens can be
  // undone from the journal.
  for (const std::string& warning : decision.warnings) house.reporter.warn(warning);
  execute_start(house, plan, id, live);
  drop_old_logs(house, spec.uuid, reservation.run.boot);
}

void report_running(House& house, const Uuid& uuid) {
  const auto row = house.registry().machine(uuid);
  if (!row) return;
  const Seen seen = look_at(house, row->uuid, row->run, row->last_end);
  std::string text = fmt::format("{} is {}", to_string(row->name), seen.words);
  for (const NicSpec& nic : row->spec.nics)
    if (nic.ip) text += fmt::format(", address {}", to_string(*nic.ip));
  if (const std::string vnc = vnc_words(house, row->uuid, row->spec.vnc.mode, row->run);
      !vnc.empty())
    text += ", screen at " + vnc;
  house.reporter.answer(machine_details(house, *row, seen), text + "\n");
}

}  // namespace nutshell
