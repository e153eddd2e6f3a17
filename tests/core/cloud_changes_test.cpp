// An edited file: what differs, what each change takes, and what of it reaches a machine on which
// something was done by hand.
#include <doctest/doctest.h>

#include "core/cloud_words.hpp"
#include "core/problems.hpp"
#include "nutshell/cloud.hpp"

using namespace nutshell;

namespace {

using Takes = FieldChange::Takes;

/// The machine "a" of a file with these keys; others that it may wait for are there.
CloudMachine wish(const std::string& keys) {
  const CloudSpec spec =
      parse_cloud("name = \"lab\"\n[[network]]\nname = \"in\"\n[[machine]]\nname = \"a\"\n" + keys +
                      "\n[[machine]]\nname = \"b\"\n[[machine]]\nname = \"c\"\n",
                  "c.toml", "/lab", effective_types({}));
  return *spec.machine("a");
}

std::string words(Takes takes) {
  return takes == Takes::nothing ? "nothing" : takes == Takes::restart ? "restart" : "new";
}
std::string told(const std::vector<FieldChange>& changes) {
  std::string text;
  for (const FieldChange& change : changes)
    text += (text.empty() ? "" : "\n") + change.field + ": " + change.from + " -> " + change.to +
            " (" + words(change.takes) + ")";
  return text;
}
std::string differences(const std::string& before, const std::string& after) {
  return told(changes_of(wish(before), wish(after)));
}

/// The machine as `up` has made it: leases, paths, the default NIC.
MachineSpec made(const CloudMachine& machine) {
  MachineSpec spec = machine.wish;
  if (spec.nics.empty() && !spec.origins.contains("nic")) {
    spec.nics.emplace_back().network = "nutshell0";
    spec.origins["nic.0"] = "default for root";
  }
  for (std::size_t i = 0; i < spec.disks.size(); ++i)
    if (spec.disks[i].ours()) spec.disks[i].path = "/made/disk" + std::to_string(i);
  for (std::size_t i = 0; i < spec.nics.size(); ++i) {
    NicSpec& nic = spec.nics[i];
    const auto number = static_cast<std::uint32_t>(i + 1);
    const std::string field = "nic." + std::to_string(i) + ".mac";
    if (!nic.mac) spec.origins[field] = "leased from the pool mac";
    if (!nic.mac) nic.mac = Mac{0x525400000000U + number};
    if (nic.kind != NicKind::network) continue;
    nic.bridge = "nb0";
    if (!nic.ip) nic.ip = Ipv4{0x0a090000 + number};
  }
  return spec;
}

std::vector<std::string> disks(const MachineSpec& spec) {
  std::vector<std::string> words;
  for (const DiskSpec& disk : spec.disks) words.push_back(disk_words(disk));
  return words;
}
std::vector<std::string> nics(const MachineSpec& spec) {
  std::vector<std::string> words;
  for (const NicSpec& nic : spec.nics) words.push_back(nic_words(nic));
  return words;
}
using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("the same file says nothing new, wherever its lines are") {
  CHECK(differences("cpus = 2\nmemory = \"2G\"", "\n\nmemory = \"2048M\"\ncpus = 2").empty());
  CHECK(differences("nics = [\"model=virtio\"]", "").empty());
  CHECK(differences("groups = []", "").empty());
}

TEST_CASE("plain fields") {
  CHECK(differences("cpus = 1", "cpus = 2\nmemory = \"1536M\"") ==
        "cpus: 1 -> 2 (restart)\nmemory: the default -> 1536M (restart)");
  CHECK(differences("cdrom = \"x.iso\"\nboot = \"once=cdrom\"", "") ==
        "cdrom: /lab/x.iso ->  (restart)\nboot: once=cdrom -> disk (restart)");
  CHECK(differences("", "firmware = \"uefi\"") == "firmware: bios -> uefi (new)");
  CHECK(differences("", "machine = \"q35\"") == "machine:  -> q35 (new)");
  CHECK(differences("vnc = 3", "vnc = \"unix\"") == "vnc: 3 -> unix (restart)");
  CHECK(differences("groups = [\"a\"]", "groups = [\"a\", \"b\"]") ==
        "groups: a -> a, b (nothing)");
  CHECK(differences("tags = [\"a=1\"]", "tags = [\"a=2\", \"b=\"]") ==
        "tags: a=1 -> a=2, b= (nothing)");
  CHECK(differences("", "publish = [\"80:8080\"]") == "publish:  -> 80:8080 (restart)");
  CHECK(differences("after = [\"b\"]", "after = [\"b:port=22\", \"c\"]\nafter_timeout = 5") ==
        "after: b -> b:port=22, c (nothing)\nafter_timeout: 300 -> 5 (nothing)");
  CHECK(differences("args = [\"-d\", \"int\"]", "args = [\"-d int\"]") ==
        "args: -d int -> '-d int' (restart)");
  CHECK(differences("", "autostart = true") == "autostart: false -> true (nothing)");
  CHECK(differences("", "seed = true") == "seed:  -> true (restart)");
}

TEST_CASE("what is left to the host's default is not what has the usual value") {
  const CloudMachine open = wish(""), said = wish("memory = \"1G\"");
  MachineSpec present = made(open);
  present.memory = 2 * gibi;  // as nutshell.toml says
  CHECK(told(changes_of(open, said, present)) == "memory: the default -> 1G (restart)");
  CHECK(merged(present, open, said).memory == gibi);
  present.memory = gibi;
  CHECK(told(changes_of(open, said, present)) == "memory: the default -> 1G (nothing)");
  CHECK(differences("cpu = \"host\"", "") == "cpu: host -> the default (restart)");
}

TEST_CASE("disks are added, and never lost") {
  CHECK(differences("disks = [\"1G\"]", "disks = [\"1G\", \"2G,bus=ide\"]") ==
        "disks[1]:  -> 2G,bus=ide (restart)");
  CHECK(differences("disks = [\"1G\", \"2G\"]", "disks = [\"2G\"]") ==
        "disks[0]: 1G -> nothing: `nutshell set lab/a --drop-disk 0` drops it (new)");
  CHECK(differences("disks = [\"1G\"]", "disks = [\"3G\"]") ==
        "disks[0]: 1G -> 3G: `nutshell volume resize lab/a:0 3G` grows it (new)");
  CHECK(differences("disks = [\"3G\"]", "disks = [\"1G\"]") ==
        "disks[0]: 3G -> 1G: no disk shrinks (new)");
  CHECK(differences("disks = [\"1G\"]", "disks = [\"1G,cache=none,aio=native\"]") ==
        "disks[0]: 1G -> 1G,cache=none,aio=native (restart)");
  CHECK(differences("disks = [\"1G\"]", "disks = [\"path=d.img\"]") ==
        "disks[0]: 1G -> path=/lab/d.img (new)");
  CHECK(differences("disks = [\"1G\"]", "disks = [\"1G,format=qcow2\"]") ==
        "disks[0]: 1G -> 1G,format=qcow2 (new)");
  CHECK(differences("image = \"x.img\"\nimage_size = \"2G\"",
                    "image = \"y.qcow2\"\nimage_size = \"2G\"") ==
        "image: /lab/x.img (raw) -> /lab/y.qcow2 (qcow2) (new)");
}

TEST_CASE("what was done to disks by hand already takes nothing") {
  const CloudMachine before = wish("disks = [\"1G\", \"2G\"]");
  MachineSpec present = made(before);
  present.disks[0].size = 5 * gibi;
  CHECK(told(changes_of(before, wish("disks = [\"5G\", \"2G\"]"), present)) ==
        "disks[0]: 1G -> 5G (nothing)");
  CHECK(told(changes_of(before, wish("disks = [\"4G\", \"2G\"]"), present)) ==
        "disks[0]: 1G -> 4G: `nutshell volume resize lab/a:0 4G` grows it (new)");
  present = made(before);
  present.disks.erase(present.disks.begin());
  const CloudMachine after = wish("disks = [\"2G\", \"3G\"]");
  CHECK(told(changes_of(before, wish("disks = [\"2G\"]"), present)) ==
        "disks[0]: 1G ->  (nothing)");
  CHECK(told(changes_of(before, wish("disks = [\"1G\"]"), present)) ==
        // It may be the first one, grown by hand.
        "disks[1]: 2G -> nothing: some were dropped by hand, so see in `nutshell show lab/a` which "
        "N it is; `nutshell set lab/a --drop-disk N` drops it (new)");
  CHECK(disks(merged(present, before, wish("disks = [\"2G\"]"))) == Texts{"2G"});
}

TEST_CASE("NICs") {
  CHECK(differences("", "nics = [\"network=in\"]") ==
        "nics[0]: the default -> network=lab-in (restart)");
  CHECK(differences("", "nics = []") == "nics[0]: the default ->  (restart)");
  CHECK(differences("nics = [\"network=in\", \"bridge=br0\", \"user\"]",
                    "nics = [\"network=in\", \"user\"]") == "nics[1]: bridge=br0 ->  (restart)");
  CHECK(differences("nics = [\"network=in\"]", "nics = [\"network=in,model=e1000\"]") ==
        "nics[0]: network=lab-in -> network=lab-in,model=e1000 (restart)");
}

TEST_CASE("only what the file changed is changed") {
  const CloudMachine before =
      wish("cpus = 2\nmemory = \"2G\"\ngroups = [\"web\"]\ntags = [\"a=1\"]");
  MachineSpec present = made(before);
  present.cpus = 8;
  present.append = "by hand";
  present.groups = {"web", "mine"};
  present.tags["mine"] = "x";
  const MachineSpec now = merged(
      present, before,
      wish(
          "cpus = 2\nmemory = \"4G\"\ngroups = [\"db\"]\ntags = [\"a=2\"]\npublish = [\"80:80\"]"));
  CHECK(now.cpus == 8);
  CHECK(now.append == "by hand");
  CHECK(now.memory == 4 * gibi);
  CHECK(now.origins.at("memory") == "c.toml:7");
  CHECK(now.groups == Texts{"mine", "db"});
  CHECK(now.tags == std::map<std::string, std::string>{{"a", "2"}, {"mine", "x"}});
  CHECK(now.publish.size() == 1);
  MachineSpec undone = now;
  undone = merged(undone, wish("memory = \"4G\""), wish(""));
  CHECK_FALSE(undone.origins.contains("memory"));  // the host's default decides again
}

TEST_CASE("nothing changes where the file says nothing new") {
  const CloudMachine before = wish("disks = [\"1G\"]\nnics = [\"network=in\"]\nvnc = 3");
  const MachineSpec present = made(before);
  CHECK(merged(present, before, before) == present);
}

TEST_CASE("disks of the file come before those of the hand") {
  const CloudMachine before = wish("disks = [\"1G\"]");
  MachineSpec present = made(before);
  present.disks.push_back(wish("disks = [\"7G\"]").wish.disks[0]);
  present.origins["disk.1"] = "option --disk";
  const CloudMachine after = wish("disks = [\"1G,cache=none\", \"2G\"]");
  const MachineSpec now = merged(present, before, after);
  CHECK(disks(now) == Texts{"1G,cache=none", "2G", "7G"});
  CHECK(now.disks[0].path == "/made/disk0");
  CHECK(now.disks[1].path.empty());
  CHECK(now.origins.at("disk.1") == "c.toml:6");
  CHECK(now.origins.at("disk.2") == "option --disk");
}

TEST_CASE("a NIC keeps its MAC and address while it stays where it is") {
  const CloudMachine before = wish("nics = [\"network=in\", \"bridge=br0,ip=10.0.0.9\"]");
  MachineSpec present = made(before);
  present.nics.push_back(wish("nics = [\"user\"]").wish.nics[0]);
  const MachineSpec now = merged(
      present, before, wish("nics = [\"network=in,model=e1000\", \"bridge=br0\", \"bridge=br1\"]"));
  CHECK(nics(now) == Texts{"network=lab-in,model=e1000,mac=52:54:00:00:00:01,ip=10.9.0.1",
                           "bridge=br0,mac=52:54:00:00:00:02", "bridge=br1", "user"});
  CHECK(now.nics[0].bridge == "nb0");
  CHECK(now.origins.at("nic.0.mac") == "leased from the pool mac");
  const MachineSpec moved =
      merged(present, before, wish("nics = [\"bridge=br0,mac=52:54:00:00:00:77\"]"));
  CHECK(nics(moved) == Texts{"bridge=br0,mac=52:54:00:00:00:77", "user"});
  CHECK_FALSE(moved.origins.contains("nic.0.mac"));
}

TEST_CASE("a NIC goes from the middle") {
  const CloudMachine before = wish("nics = [\"network=in\", \"bridge=br0\", \"user\"]");
  const MachineSpec now = merged(made(before), before, wish("nics = [\"network=in\", \"user\"]"));
  CHECK(nics(now) ==
        Texts{"network=lab-in,mac=52:54:00:00:00:01,ip=10.9.0.1", "user,mac=52:54:00:00:00:03"});
  CHECK(now.origins.contains("nic.1.mac"));
  CHECK_FALSE(now.origins.contains("nic.2.mac"));
}

TEST_CASE("the default NIC goes and comes back") {
  const CloudMachine open = wish(""), named = wish("nics = [\"network=in\"]"),
                     none = wish("nics = []");
  const MachineSpec now = merged(made(open), open, named);
  CHECK(nics(now) == Texts{"network=lab-in"});
  const MachineSpec without = merged(made(named), named, none);
  CHECK(without.nics.empty());
  CHECK(without.origins.contains("nic"));
  const MachineSpec back = merged(without, none, open);
  CHECK(back.nics.empty());
  CHECK_FALSE(back.origins.contains("nic"));
}

TEST_CASE("words of disks and NICs are read back as they were") {
  for (const char* text : {"100G", "path=/dev/vg01/x,ro", "1536M,vg=vg01,thin=pool0", "5G,file",
                           "2G,bus=scsi,format=qcow2,cache=none,aio=native,discard=off",
                           "2G,backing=/a,,b.img,backing_format=raw",
                           "path=/x,format=qcow2,backing=/y,backing_format=qcow2"}) {
    Problems problems;
    const DiskSpec disk = parse_disk(text, "w", problems);
    const DiskSpec again = parse_disk(disk_words(disk), "w", problems);
    CHECK(problems.empty());
    CHECK(again == disk);
  }
  for (const char* text :
       {"bridge=br0,vlan=5,trunk=7+9-12", "network=lab,model=e1000,ip=10.9.0.4",
        "user,model=rtl8139", "macvtap=em1,mode=private,mtu=1400,queues=4",
        "network=lab,mac=52:54:00:12:34:56,antispoof=on,also=10.0.0.1-10.0.0.9+10.1.0.0/30,rate=8M",
        "model=e1000", "bridge=br0,antispoof=off"}) {
    Problems problems;
    const NicSpec nic = parse_nic(text, "w", problems);
    const NicSpec again = parse_nic(nic_words(nic), "w", problems);
    CAPTURE(text_of(problems));
    CHECK(problems.empty());
    CHECK(again == nic);
  }
  CHECK(nic_words(NicSpec{}) == "the default");
}

TEST_CASE("usage against a quota") {
  Usage usage;
  CHECK(quota_faults(usage, Quota{}).empty());
  add_usage(usage,
            wish("cpus = 2\nmemory = \"2G\"\ndisks = [\"1G\", \"path=x.img\", \"2G\"]").wish);
  add_usage(usage, wish("memory = \"512M\"").wish);
  usage.addresses = 1;
  CHECK(usage.machines == 2);
  CHECK(usage.cpus == 3);
  CHECK(usage.memory == 2560 * mebi);
  CHECK(usage.disk == 3 * gibi);
  Quota quota;
  quota.machines = 2, quota.cpus = 3, quota.addresses = 1;
  quota.memory = 2560 * mebi, quota.disk = 3 * gibi;
  CHECK(quota_faults(usage, quota).empty());
  quota.machines = 1, quota.cpus = 2, quota.addresses = 0;
  quota.memory = gibi, quota.disk = gibi;
  quota.origins["cpus"] = "c.toml:7";
  CHECK(quota_faults(usage, quota) ==
        Texts{"2 machines are more than its quota of 1",
              "3 virtual CPUs are more than its quota of 2 (c.toml:7)",
              "2560M of memory is more than its quota of 1G",
              "3G of disk is more than its quota of 1G",
              "1 public address is more than its quota of 0"});
}

TEST_CASE("an edit made twice, as after one that was cut short, is made once") {
  const CloudMachine before = wish("nics = [\"network=in\"]"), after = wish("nics = [\"user\"]");
  const MachineSpec once = merged(made(before), before, after);
  CHECK(nics(merged(once, before, after)) == nics(once));
}
