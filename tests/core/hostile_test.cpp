// Random bytes, and valid texts with random damage, into every parser: no crash, and no exception
// but the documented one. The seed is fixed, so that what fails once fails again.
#include <doctest/doctest.h>

#include <random>

#include "core/problems.hpp"
#include "nutshell/cloud.hpp"
#include "nutshell/config.hpp"
#include "nutshell/json.hpp"
#include "nutshell/spec.hpp"
#include "nutshell/step.hpp"

using namespace nutshell;
using namespace std::string_literals;

namespace {

constexpr int rounds = 4000;

class Noise {
 public:
  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(engine_);
  }
  std::string bytes(std::size_t most) {
    std::string text(below(most + 1), '\0');
    for (char& c : text) c = static_cast<char>(below(256));
    return text;
  }
  /// A valid text with a few bytes changed, dropped, doubled or put in; or plain noise.
  std::string text(const std::vector<std::string>& seeds) {
    if (below(4) == 0) return bytes(80);
    std::string text = seeds[below(seeds.size())];
    for (std::size_t changes = below(5); changes-- > 0 && !text.empty();) {
      const std::size_t at = below(text.size());
      static const std::string telling = "\0\n\x1b,=:/.-\"[]{}#09gGzZ \xff\xc3"s;
      const char c = telling[below(telling.size())];
      switch (below(5)) {
        case 0: text[at] = c; break;
        case 1: text.erase(at, 1 + below(4)); break;
        case 2: text.insert(at, 1, c); break;
        case 3: text += text.substr(at); break;
        case 4: text[at] = static_cast<char>(below(256)); break;
      }
    }
    return text;
  }

 private:
  std::mt19937 engine_{20240607};
};

/// Runs a parser on noise; it answers, or throws Expected with a sentence that a terminal can show.
template <class Expected, class Parse>
void feed(const std::vector<std::string>& seeds, Parse parse) {
  Noise noise;
  int answered = 0, refused = 0;
  for (int i = 0; i < rounds; ++i) {
    const std::string text = noise.text(seeds);
    try {
      parse(text);
      ++answered;
    } catch (const Expected& error) {
      ++refused;
      for (const char c : std::string(error.what()))
        if (c != '\n' && (c < 0x20 || c == 0x7f)) FAIL("not printable: ", printable(error.what()));
    } catch (const std::exception& error) {
      FAIL("unexpected exception for ", printable(text), ": ", error.what());
    }
  }
  CHECK(answered > rounds / 100);
  CHECK(refused > rounds / 100);
}

/// The same for a parser that lists its problems.
template <class Parse>
void feed_listing(const std::vector<std::string>& seeds, Parse parse) {
  feed<ConfigError>(seeds, [&](const std::string& text) {
    Problems problems;
    parse(text, problems);
    if (!problems.empty()) throw ConfigError(problems);
  });
}

}  // namespace

TEST_CASE("sizes") {
  feed<ConfigError>({"100G", "1536M", "1.5G", "9223372036854775807", "2GiB"},
                    [](const std::string& text) {
                      const Bytes size = parse_size(text, "--disk");
                      CHECK(parse_size(format_size(size), "") == size);
                    });
}

TEST_CASE("names") {
  feed<ConfigError>(
      {"ciab", "lab/ciab", "a-b-c", "0123456789abcdef0123456789abcdef"},
      [](const std::string& text) {
        const TypedName name = parse_name(text);
        CHECK(is_name(name.name));
        CHECK((name.cloud.empty() ? name.name : name.cloud + "/" + name.name) == text);
      });
}

TEST_CASE("addresses that are accepted are written as they were read") {
  Noise noise;
  for (int i = 0; i < rounds; ++i) {
    const std::string text = noise.text({"10.0.0.7", "255.255.255.255", "52:54:00:12:34:60",
                                         "10.0.0.0/24", "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0"});
    if (const auto ip = parse_ipv4(text)) CHECK(to_string(*ip) == text);
    if (const auto net = parse_ipv4_net(text)) CHECK(to_string(*net) == text);
    if (const auto mac = parse_mac(text)) CHECK(parse_mac(to_string(*mac)) == mac);
    if (const auto uuid = parse_uuid(text)) CHECK(parse_uuid(uuid->text) == uuid);
    CHECK(printable(printable(text)) == printable(text));
  }
}

TEST_CASE("disks") {
  feed_listing({"100G,bus=virtio,cache=none,aio=native", "path=/dev/vg01/ciab,format=raw,ro",
                "10G,backing=/a,,b,backing_format=qcow2"},
               [](const std::string& text, Problems& problems) {
                 const DiskSpec disk = parse_disk(text, "--disk", problems);
                 if (!problems.empty()) return;
                 CHECK(disk.ours() != !disk.path.empty());
                 CHECK(text_fault(disk.path).empty());
                 MachineSpec spec;
                 spec.disks = {disk};
                 CHECK(spec_from_json(Json::parse(to_json(spec).dump())) == spec);
               });
}

TEST_CASE("NICs and displays") {
  feed_listing({"bridge=br0,model=virtio,mac=52:54:00:12:34:60,ip=10.0.0.7", "network=lab",
                "user,model=e1000"},
               [](const std::string& text, Problems& problems) {
                 const NicSpec nic = parse_nic(text, "--nic", problems);
                 if (problems.empty() && nic.mac) CHECK_FALSE(nic.mac->is_multicast());
               });
  feed_listing({"auto", "7", ":59635", "unix"}, [](const std::string& text, Problems& problems) {
    VncSpec vnc;
    parse_vnc(text, "--vnc", vnc, problems);
    CHECK(vnc.display <= 59635);
  });
}

TEST_CASE("JSON") {
  feed<Failed>(
      {R"({"a":[1,2.5,"x\u00e9"],"b":null,"c":{"d":true}})", "[[[[]]]]", "18446744073709551616"},
      [](const std::string& text) {
        const Json json = Json::parse(text);
        CHECK(Json::parse(json.dump()) == json);
      });
}

TEST_CASE("kept specs and journals") {
  MachineSpec spec;
  spec.disks.resize(1);
  spec.nics.resize(1);
  feed<Failed>({to_json(spec).dump()},
               [](const std::string& text) { spec_from_json(Json::parse(text)); });
  const Plan plan{"launch",
                  {},
                  OnFailure::undo,
                  {MakeDirectory{"/d"}, MakeVolume{"/v", 1, DiskFormat::raw, {}}}};
  feed<Error>({to_json(plan).dump()},
              [](const std::string& text) { plan_from_json(Json::parse(text)); });
}

TEST_CASE("config files and machines") {
  feed<ConfigError>({"qemu = \"x\"\nmemory = \"2G\"\n[[pool]]\nname = \"vnc\"\nrange = "
                     "\"0-9\"\nexclude = [\"7\"]\n",
                     "network = \"10.0.0.0/24\"\n",
                     "[[pool]]\nname = \"p\"\nkind = \"ipv4\"\nrange = \"192.0.2.0/24\"\n"},
                    [](const std::string& text) { effective_pools(parse_config(text, "n.toml")); });
  feed<ConfigError>({"name = \"a\"\ndisks = [\"1G\"]\nnics = [\"user\"]\nvnc = 1\n",
                     "cpus = 2\nmemory = \"1G\"\nboot = \"disk\"\n"},
                    [](const std::string& text) {
                      const MachineSpec spec = parse_machine(text, "m.toml");
                      CHECK(check(spec).empty());
                    });
}

TEST_CASE("clouds, as files and as kept") {
  const std::string file =
      "name = "
      "\"lab\"\n[public]\ncount=4\n[private]\nsubnet=\"10.0.0.0/9\"\n[quota]\ncpus=9\n"
      "[[network]]\nname=\"n\"\nrange=\"private\"\n[[group]]\nname=\"g\"\nrules=[\"tcp 1-2 "
      "from group g\",\"icmp\"]\n[[machine]]\nname=\"a\"\ncount=2\nafter=[\"b:port=1\"]\n"
      "nics=[\"network=n\"]\ntags={a=\"b\"}\n[[machine]]\nname=\"b\"\ntype=\"m1.small\"\n"
      "image=\"x.img\"\n[answers]\ndns=[\"1.2.3.4\"]\n";
  const auto types = effective_types({});
  feed<ConfigError>({file, "name=\"a\"\n"}, [&](const std::string& text) {
    const CloudSpec spec = parse_cloud(text, "c.toml", "/f", types);
    CHECK(cloud_from_json(Json::parse(to_json(spec).dump())) == spec);
    for (const CloudMachine& machine : spec.machines) CHECK(check(machine.wish).empty());
  });
  feed<Failed>({to_json(parse_cloud(file, "c.toml", "/f", types)).dump()},
               [](const std::string& text) { cloud_from_json(Json::parse(text)); });
}
