// The seed for cloud-init: its documents, when it counts as worse, and the disk that carries it.
#include <doctest/doctest.h>

#include <random>

#include "core/answers_sample.hpp"

using namespace nutshell;
using namespace sample;

TEST_CASE("the three documents of a machine") {
  Answers answers = ciab();
  answers.ssh_user = "lab";
  const Seed seed = seed_of(answers, answers.machines[0]);
  CHECK(seed.user_data == R"(#cloud-config
# nutshell: ciab/front
hostname: "front"
fqdn: "front.ciab.nutshell"
user: "lab"
ssh_authorized_keys:
  - "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ me@desk"
)");
  CHECK(seed.network_config == R"(version: 2
ethernets:
  nic0:
    match: {macaddress: "52:54:00:00:00:01"}
    dhcp4: false
    addresses: ["10.101.7.2/24"]
    routes: [{to: "0.0.0.0/0", via: "10.101.7.254"}]
    nameservers: {addresses: ["10.101.1.1","10.101.1.2"], search: ["ciab.nutshell"]}
  nic1:
    match: {macaddress: "52:54:00:00:00:02"}
    mtu: 1400
    dhcp4: false
    addresses: ["10.75.3.2/24"]
    nameservers: {addresses: ["10.75.3.1"], search: ["ciab.nutshell"]}
)");
  CHECK(seed.meta_data.starts_with("instance-id: \"4e757473-6865-4c6c-8000-676f6c64656e-"));
  CHECK(seed.meta_data.ends_with("\"\nlocal-hostname: \"front\"\n"));
  CHECK(seed_of(answers, answers.machines[1]).network_config == R"(version: 2
ethernets:
  nic0:
    match: {macaddress: "52:54:00:00:00:07"}
    dhcp4: true
)");
}

TEST_CASE("the instance is another one when anything is, and the same when nothing is") {
  Answers answers = ciab();
  const Seed before = seed_of(answers, answers.machines[0]);
  CHECK(seed_of(answers, answers.machines[0]) == before);
  answers.ssh_keys.push_back("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ you@desk");
  CHECK(seed_of(answers, answers.machines[0]).meta_data != before.meta_data);
  answers = ciab();
  answers.machines[0].nics[0].gateway = ip("10.101.7.253");
  CHECK(seed_of(answers, answers.machines[0]).meta_data != before.meta_data);
}

TEST_CASE("what cannot be known now makes a seed worse; what is said otherwise does not") {
  const Answers answers = ciab();
  const auto changed = [&](auto change) {
    MachineAnswers machine = answers.machines[0];
    change(machine);
    return seed_of(answers, machine);
  };
  const Seed whole = seed_of(answers, answers.machines[0]);
  const Seed no_gateway = changed([](MachineAnswers& m) { m.nics[0].gateway.reset(); });
  const Seed no_servers = changed([](MachineAnswers& m) { m.nics[0].name_servers.clear(); });
  const Seed moved = changed([](MachineAnswers& m) {
    m.nics[0].address = ip("10.101.7.3");
    m.nics[0].gateway.reset();
  });
  const Seed other = changed([](MachineAnswers& m) { m.nics[0].gateway = ip("10.101.7.253"); });
  CHECK(says_less(no_servers, whole));
  CHECK_FALSE(says_less(whole, no_servers));
  CHECK_FALSE(says_less(whole, whole));
  CHECK_FALSE(says_less(moved, whole));
  CHECK_FALSE(says_less(other, whole));
  CHECK_FALSE(says_less(no_servers, no_gateway));
  // Without the first gateway the second interface's is the way out: that is another machine.
  CHECK_FALSE(says_less(no_gateway, whole));
  Answers one_nic = ciab();
  one_nic.machines[0].nics.pop_back();
  const Seed with = seed_of(one_nic, one_nic.machines[0]);
  one_nic.machines[0].nics[0].gateway.reset();
  CHECK(says_less(seed_of(one_nic, one_nic.machines[0]), with));
}

TEST_CASE("an image gives back the seed that it was made of, the same bytes each time") {
  const Answers answers = ciab();
  Seed seed = seed_of(answers, answers.machines[0]);
  const std::string image = seed_image(seed);
  CHECK(image.size() % 2048 == 0);
  CHECK(image == seed_image(seed));
  CHECK(seed_in_image(image) == seed);
  seed.user_data += std::string(5000, 'x');
  seed.network_config.clear();
  seed.meta_data.resize(2048, 'm');
  CHECK(seed_in_image(seed_image(seed)) == seed);
}

TEST_CASE("what is no seed of ours is none, and damaged ones are read within their bounds") {
  const Answers answers = ciab();
  const Seed seed = seed_of(answers, answers.machines[0]);
  const std::string image = seed_image(seed);
  CHECK_FALSE(seed_in_image(""));
  CHECK_FALSE(seed_in_image(std::string(100'000, '\0')));
  CHECK_FALSE(seed_in_image(image.substr(0, 24 * 2048)));
  Seed other = seed;
  other.user_data = "#cloud-config\n";
  CHECK_FALSE(seed_in_image(seed_image(other)));
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = image.substr(0, image.size() - random() % 4096);
    for (int i = 0; i < 4; ++i)  // among the descriptors and folders
      damaged[32768 + random() % (9 * 2048)] = static_cast<char>(random());
    damaged[24 * 2048 + random() % 256] = static_cast<char>(random());
    (void)seed_in_image(damaged);
  }
}

TEST_CASE("a public key is one, and a private key is told so") {
  CHECK(ssh_key_fault("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ me@desk") == "");
  CHECK(ssh_key_fault("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxxxxxxxxxxxx") == "");
  CHECK(ssh_key_fault("-----BEGIN OPENSSH PRIVATE KEY-----").find("private key") !=
        std::string::npos);
  for (const char* text : {"", "ssh-ed25519", "ssh-ed25519 AAAA", "hello",
                           "ssh-rsa BBBBB3NzaC1yc2EAAAADAQABAAABAQ you@desk",
                           "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ you@desk\nroot: x"}) {
    CAPTURE(text);
    CHECK(ssh_key_fault(text) != "");
  }
}
