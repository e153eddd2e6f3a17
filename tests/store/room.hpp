// What the tests of the store share: a directory that goes away with its test, pools, and values to
// put into a registry.
#pragma once
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "nutshell/error.hpp"
#include "nutshell/registry.hpp"

namespace store_test {

using namespace nutshell;

class Room {
 public:
  explicit Room(const std::string& where = "/tmp") : path_(where + "/nutshell-store-XXXXXX") {
    if (!mkdtemp(path_.data())) throw std::runtime_error("cannot make a directory for the test");
  }
  ~Room() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file() const { return path_ + "/registry.db"; }

 private:
  std::string path_;
};

inline PoolRange pool(const std::string& kind, std::uint64_t low, std::uint64_t high) {
  PoolRange range;
  range.name = range.kind = kind;
  range.low = low;
  range.high = high;
  return range;
}

/// Small pools, so that their ends are near.
inline std::vector<PoolRange> small_pools() {
  PoolRange subnet = pool("subnet", 0x0a4b0000, 0x0a4b0fff);  // 10.75.0.0/20: sixteen of /24
  subnet.prefix = 24;
  PoolRange lan = pool("ipv4", 0x0a000002, 0x0a0000fe);  // 10.0.0.2 to 10.0.0.254
  lan.name = "lan";
  return {pool("mac", 0x525400000000, 0x525400ffffff),
          pool("vnc", 0, 9),
          pool("cid", 3, 1000),
          pool("uid", 200000, 200099),
          subnet,
          lan};
}

inline Registry::Options options(const Room& room,
                                 Registry::Mode mode = Registry::Mode::read_write) {
  Registry::Options made;
  made.path = room.file();
  made.mode = mode;
  made.pools = small_pools();
  made.random = 42;
  return made;
}

/// A UUID whose first 8 digits count.
inline Uuid uuid(unsigned n) {
  char text[40];
  std::snprintf(text, sizeof text, "%08x-1111-4111-8111-111111111111", n);
  return Uuid{text};
}

inline MachineRow row(unsigned n, const std::string& name) {
  MachineRow made;
  made.uuid = uuid(n);
  made.name = {"default", name};
  made.spec.uuid = made.uuid;
  made.spec.name = made.name;
  made.spec.memory = 2 * gibi;
  made.spec.cpus = 2;
  made.created = "2026-11-20T00:00:00Z";
  return made;
}

inline Want any(const std::string& pool, int index = 0, Lifetime lifetime = Lifetime::machine) {
  return {pool, index, lifetime, std::nullopt};
}
inline Want certain(const std::string& pool, const std::string& value, int index = 0,
                    Lifetime lifetime = Lifetime::machine) {
  return {pool, index, lifetime, value};
}

/// The sentence of the error that `body` throws; empty when it throws none.
template <class E, class Body>
std::string error_of(Body&& body) {
  try {
    body();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

inline std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace store_test
