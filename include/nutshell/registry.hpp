// The registry: clouds, machines, leases, volumes and the journal, in one SQLite file. The only
// durable state of ours, and disposable: `nutshell recover` rebuilds it from marks and spec files.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nutshell/allocator.hpp"
#include "nutshell/network.hpp"
#include "nutshell/spec.hpp"
#include "nutshell/step.hpp"

namespace nutshell {

/// Of the run that is on, or that has ended and is not yet collected.
struct RunRecord {
  std::string boot_id;              ///< of the host when it started
  int pid = 0;                      ///< 0 until QEMU is there
  std::uint64_t start_time = 0;     ///< field 22 of /proc/PID/stat (proc(5)), with pid an identity
  unsigned boot = 0;                ///< number of this run, counted from 1: names its logs
  std::string since;                ///< UTC, ISO 8601
  std::optional<unsigned> display;  ///< leased VNC display
  std::string vnc_listen;
  std::vector<std::string> taps;     ///< per NIC; empty text: none
  std::string accel;                 ///< what was chosen: "kvm" or "tcg"
  std::vector<std::string> volumes;  ///< "VG/LV" of what it activated, to be deactivated after it
  std::string guests;  ///< guests_to_json() of its NICs as the firewall has them; empty: none
  bool operator==(const RunRecord&) const = default;
};

struct MachineRow {
  Uuid uuid;
  MachineName name;
  MachineSpec spec;
  std::string created;              ///< UTC, ISO 8601
  unsigned boots = 0;               ///< how many runs there have been
  bool boot_once_consumed = false;  ///< `once_cdrom` has had its boot
  std::string last_end;  ///< how the last run ended: "stopped", "crashed", with the reason after a
                         ///< colon; empty: never ran
  std::optional<RunRecord> run;
};

/// What a list of machines shows, without parsing the specs.
struct MachineSummary {
  Uuid uuid;
  MachineName name;
  unsigned cpus = 1;
  Bytes memory = 0;
  unsigned boots = 0;
  std::string last_end;  ///< as in MachineRow
  std::optional<RunRecord> run;
  std::string spec_json;  ///< to_json(spec) as text
};

/// A journaled plan that nobody finished, and how far it came.
struct Unfinished {
  std::int64_t id = 0;
  Plan plan;
  enum class State { untouched, begun, done, undone };
  std::vector<State> steps;  ///< one per step of the plan
  int owner_pid = 0;
  std::uint64_t owner_start_time = 0;
  std::string boot_id;
};

/// A managed network's row; there while it is known, also when no machine runs on it.
struct NetworkRow {
  std::string name, bridge;
  Ipv4Net address;  ///< the bridge's own, with prefix
  Mac bridge_mac;
  std::vector<Uuid> users;  ///< machines that run on it now
  NetworkMode mode = NetworkMode::nat;
  unsigned mtu = usual_mtu;
  std::string ipv6{};    ///< its /64 prefix; empty: none
  bool dns = true;       ///< its machines are found by name
  bool by_hand = false;  ///< made by `network create`: stays when its last machine is gone
};

/// One rule of a security group: what may come in.
struct GroupRule {
  std::string protocol = "all";  ///< tcp, udp, icmp or all
  unsigned low = 0, high = 0;    ///< ports, both included; 0: every port
  std::string from;              ///< "203.0.113.0/24"; empty: from anywhere
  std::string from_group;        ///< machines of that group of the same cloud; empty: `from` says
  auto operator<=>(const GroupRule&) const = default;
};

struct GroupRow {
  std::string cloud, name, description;
  std::vector<GroupRule> rules;  ///< sorted
  bool operator==(const GroupRow&) const = default;
};

/// A public address that a cloud has, and the machine that it leads to.
struct PublicAddress {
  Ipv4 address;
  std::string pool, cloud;
  std::optional<Uuid> machine;
  std::string since;  ///< UTC, ISO 8601
  bool operator==(const PublicAddress&) const = default;
};

/// A cloud that `up` has made, as it was last asked for.
struct CloudRow {
  std::string name;
  std::string file;     ///< absolute path of its cloud.toml
  std::string spec;     ///< to_json(CloudSpec) as text: what of the file has been done
  std::string created;  ///< UTC, ISO 8601
  bool operator==(const CloudRow&) const = default;
};

class Registry;

/// One write transaction (BEGIN IMMEDIATE). Rolls back unless committed.
class Transaction {
 public:
  Transaction(Transaction&&) noexcept;
  ~Transaction();
  [[nodiscard]] Allocator& allocator();
  /// What the holder had before the registry was lost (`recover`), each by value, whatever
  /// nutshell.toml says of the pools by now. Throws as Allocator::take().
  void take_again(const Uuid& holder, const std::vector<Want>& wants);
  /// The same for a reservation by hand.
  void reserve_again(const Lease& lease);

  /// Throws Conflict naming the machine when cloud/name is taken, or (never seen) its uuid's first
  /// 8 digits are.
  void add_machine(const MachineRow& row);
  void change_spec(const Uuid& uuid, const MachineSpec& spec);
  void remove_machine(const Uuid& uuid);  ///< with all its leases and volumes
  void begin_run(const Uuid& uuid, const RunRecord& run);
  void end_run(const Uuid& uuid, const std::string& end);  ///< run leases go back too
  void add_network(const NetworkRow& row);
  void change_network(const NetworkRow& row);  ///< users replaced by row.users
  void remove_network(const std::string& name);
  /// What the firewall has of a run that is on; nothing happens when there is none.
  void change_guests(const Uuid& uuid, const std::string& guests);
  void put_group(const GroupRow& row);  ///< adds it, or takes the place of the one of that name
  void remove_group(const std::string& cloud, const std::string& name);
  void put_address(const PublicAddress& row);  ///< as put_group()
  void remove_address(Ipv4 address);
  void count_kept();                    ///< one more change of what is kept beside the registry
  void put_cloud(const CloudRow& row);  ///< as put_group()
  /// With its pool of public addresses, its ranges and its groups. Throws Conflict when it still
  /// has machines, or public addresses of the pool are allocated.
  void remove_cloud(const std::string& name);
  /// The pool "public:CLOUD", out of which `address allocate` gives, holds these addresses from
  /// now on; none: there is no such pool. Throws Conflict when one that goes is allocated.
  void set_public_pool(const std::string& cloud, const std::vector<AddressRange>& ranges);
  /// Records the plan; its rows are begun()/done() later. Returns the journal id.
  std::int64_t journal(const Plan& plan, int owner_pid, std::uint64_t owner_start_time,
                       const std::string& boot_id);
  /// Takes a journaled plan over from an owner that is gone; false when another command was first
  /// (or finished it).
  bool adopt(std::int64_t id, int dead_pid, std::uint64_t dead_start_time, int owner_pid,
             std::uint64_t owner_start_time, const std::string& boot_id);
  void commit();  ///< durable (one fsync)

 private:
  friend class Registry;
  struct State;
  explicit Transaction(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class Registry {
 public:
  enum class Mode {
    read_write,
    look
  };  ///< look: never creates the file; a missing one is an empty registry in memory. Writes
      ///< nothing.
  struct Options {
    std::string path;
    Mode mode = Mode::read_write;
    std::vector<PoolRange> pools;  ///< effective_pools(config)
    std::function<void(const std::string&)>
        waiting;                      ///< called once when a lock has been waited for over 2 s
    std::uint64_t random = 0;         ///< seeds the MAC start and the tap tag of a new registry
    unsigned wait_limit_ms = 30'000;  ///< how long a lock is waited for, in all
    unsigned wait_notice_ms = 2'000;  ///< after how long `waiting` is called
  };
  /// Throws Failed/Conflict in one sentence: locked (30 s), corrupt, newer than this program,
  /// read-only or full disk.
  static Registry open(const Options& options);
  Registry(Registry&&) noexcept;
  ~Registry();

  [[nodiscard]] std::vector<MachineRow> machines();
  /// The same machines for a list: ten times cheaper, as no spec is parsed. By cloud, then name.
  [[nodiscard]] std::vector<MachineSummary> summaries();
  /// The same one by one, so that not all of them are in memory at once.
  void each_summary(const std::function<void(MachineSummary)>& use);
  /// Those of them that have a run, which costs nothing where there are none.
  [[nodiscard]] std::vector<MachineSummary> runs();
  [[nodiscard]] std::optional<MachineRow> machine(const MachineName& name);
  [[nodiscard]] std::optional<MachineRow> machine(const Uuid& uuid);
  [[nodiscard]] std::vector<MachineRow> machines_named(const std::string& bare_name);
  [[nodiscard]] std::vector<NetworkRow> networks();
  [[nodiscard]] std::optional<NetworkRow> network(const std::string& name);
  /// By cloud and name.
  [[nodiscard]] std::vector<GroupRow> groups();
  [[nodiscard]] std::vector<PublicAddress> addresses();
  /// By name.
  [[nodiscard]] std::vector<CloudRow> clouds();
  [[nodiscard]] std::optional<CloudRow> cloud(const std::string& name);
  [[nodiscard]] std::vector<Lease> leases();
  [[nodiscard]] std::vector<Lease> leases_of(const Uuid& uuid);
  /// Of one pool, by value; none when there is no such pool.
  [[nodiscard]] std::vector<Lease> leases_in(const std::string& pool);
  /// Those made by hand, `lease reserve`.
  [[nodiscard]] std::vector<Lease> reservations();
  /// 4 hex digits that this registry's tap names carry.
  [[nodiscard]] std::string tag();
  /// What tells this registry from one that was here before it and was lost: drawn when it was
  /// made.
  [[nodiscard]] std::string born();
  /// How often what is kept beside this registry has changed (Transaction::count_kept()): an older
  /// copy of it has a smaller number.
  [[nodiscard]] std::int64_t kept();
  struct PoolState {
    PoolRange range;
    std::uint64_t size = 0, leased = 0, reserved = 0;  ///< values; of a subnet pool: subnets
    std::uint64_t foreign = 0;                         ///< marked as held by something not ours
  };
  [[nodiscard]] std::vector<PoolState> pools();

  /// BEGIN IMMEDIATE, waits up to 30 s. With Mode::look the transaction works on what it sees and
  /// cannot be committed.
  [[nodiscard]] Transaction begin();

  // The journal (synchronous=NORMAL: survives kill -9; after a power cut Facts decide).
  void begun(std::int64_t id, std::size_t step);
  void done(std::int64_t id, std::size_t step);
  void undone(std::int64_t id, std::size_t step);
  void finished(std::int64_t id);
  [[nodiscard]] std::vector<Unfinished> unfinished();
  /// The RunRecord of a machine with the identity of its QEMU, or boot-once consumed: small updates
  /// of a running start.
  void set_process(const Uuid& uuid, int pid, std::uint64_t start_time);
  void set_boot_once_consumed(const Uuid& uuid, bool consumed);

 private:
  struct State;
  explicit Registry(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nutshell
