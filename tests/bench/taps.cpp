// How long do many taps take: made, named, given a MAC, enslaved and up? Ours, in one process over
// netlink, against `ip -batch` doing the very same in one process, each pair of runs in a fresh
// network namespace, in alternating order. The median of the pairs' ratios may be 1.25.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "netns/namespace.hpp"
#include "nl/bridge.hpp"
#include "nl/link.hpp"
#include "nl/tap.hpp"

namespace {

constexpr double limit = 1.25;

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

std::string tap_name(int i) { return std::string("tap").append(std::to_string(i)); }

nl::Mac mac_of(int i) {
  return {0xfe, 0x54, 0, 0, static_cast<std::uint8_t>(i / 256), static_cast<std::uint8_t>(i % 256)};
}

double ours(int count) {
  double took = 0;
  netns::in_new_netns([&] {
    nl::Socket setup;
    nl::make_bridge(setup, "br0", {.mac = nl::Mac{0x52, 0x54, 0, 0, 0, 1}, .up = true});
    std::vector<nl::Tap> taps;
    const auto start = Clock::now();
    nl::Socket socket;
    const int bridge = nl::link_index(socket, "br0");
    for (int i = 0; i < count; ++i) {
      const std::string name = tap_name(i);
      taps.push_back(nl::open_tap(name));
      nl::change_link(socket, name,
                      {.up = true,
                       .mtu = 1400,
                       .master = bridge,
                       .alias = "nutshell:bench/" + name,
                       .mac = mac_of(i)});
    }
    took = since(start);
    if (nl::list_ports(socket, bridge).size() != taps.size())
      throw std::runtime_error("not every tap is a port");
  });
  return took;
}

double batch(int count, const std::string& file) {
  std::ofstream lines(file);
  for (int i = 0; i < count; ++i) {
    const std::string name = tap_name(i);
    lines << "tuntap add mode tap vnet_hdr name " << name << "\nlink set " << name
          << " master br0 mtu 1400 address " << nl::to_text(mac_of(i)) << " alias nutshell:bench/"
          << name << " up\n";
  }
  lines.close();
  double took = 0;
  netns::in_new_netns([&] {
    nl::Socket setup;
    nl::make_bridge(setup, "br0", {.mac = nl::Mac{0x52, 0x54, 0, 0, 0, 1}, .up = true});
    const auto start = Clock::now();
    const int status = std::system(("ip -batch " + file).c_str());
    took = since(start);
    if (status != 0) throw std::runtime_error("ip -batch failed");
    if (nl::list_ports(setup, "br0").size() != static_cast<std::size_t>(count)) {
      throw std::runtime_error("ip: not every tap is a port");
    }
  });
  return took;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 200;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  if (count < 1 || count > 10000 || rounds < 1 || rounds > 1000) {
    std::fprintf(stderr, "usage: bench_taps [TAPS [ROUNDS]]\n");
    return 2;
  }
  char folder[] = "/tmp/bench-taps-XXXXXX";
  if (!::mkdtemp(folder)) return std::perror("mkdtemp"), 1;
  const std::string file = std::string(folder) + "/batch";
  std::vector<double> mine, theirs;
  int status = 0;
  try {
    for (int round = 0; round < rounds; ++round) {
      if (round % 2) theirs.push_back(batch(count, file));
      mine.push_back(ours(count));
      if (round % 2 == 0) theirs.push_back(batch(count, file));
    }
    std::vector<double> ratios;
    for (std::size_t i = 0; i < mine.size(); ++i) ratios.push_back(mine[i] / theirs[i]);
    const double ratio = median(ratios);
    std::printf(
        "%d taps made, enslaved and up: ours %.1f ms, ip -batch %.1f ms, ratio %.2f (medians of "
        "%d pairs)\n",
        count, median(mine), median(theirs), ratio, rounds);
    if (ratio > limit) {
      std::fprintf(stderr, "bench_taps: the ratio is %.2f, and %.2f is the limit\n", ratio, limit);
      status = 1;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_taps: %s\n", error.what());
    status = 1;
  }
  ::unlink(file.c_str());
  ::rmdir(folder);
  return status;
}
