// An independent witness: what iproute2 says about the same namespace, and what an nl::Error said.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <thread>

#include "nl/error.hpp"
#include "nl/link.hpp"

namespace witness {

/// Standard output of a shell command that has to succeed; it runs in the calling thread's
/// namespace.
inline std::string output_of(const std::string& command) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "re"),
                                                       [](std::FILE*) { return 0; });
  if (!pipe) throw std::runtime_error("cannot run " + command);
  std::string out;
  char buffer[4096];
  while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe.get()))
    out.append(buffer, got);
  if (::pclose(pipe.release()) != 0) throw std::runtime_error("failed: " + command);
  return out;
}

/// `ip -j ARGUMENTS`, parsed. An empty answer is an empty array.
inline nlohmann::json ip(const std::string& arguments) {
  const std::string out = output_of("ip -j " + arguments);
  return out.find_first_not_of(" \n") == std::string::npos ? nlohmann::json::array()
                                                           : nlohmann::json::parse(out);
}

/// `bridge -j ARGUMENTS`, parsed.
inline nlohmann::json bridge(const std::string& arguments) {
  const std::string out = output_of("bridge -j " + arguments);
  return out.find_first_not_of(" \n") == std::string::npos ? nlohmann::json::array()
                                                           : nlohmann::json::parse(out);
}

struct Refusal {
  int code = 0;
  std::string words;
};

/// The nl::Error that `act` throws; code 0 if it throws none.
template <class Act>
Refusal refusal(Act act) {
  try {
    act();
  } catch (const nl::Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

/// Lets `look` happen at a moment in which `see` says the same before and after, and returns that:
/// the kernel adds some things, IPv6 multicast above all, in its own time.
template <class See, class Look>
auto quiet_moment(See see, Look look) {
  auto before = see();
  for (int i = 0; i < 100; ++i) {
    look();
    auto after = see();
    if (after == before) return after;
    before = std::move(after);
  }
  throw std::runtime_error("the namespace never comes to rest");
}

/// Waits until packets can pass over `link`, which is up and has a carrier; the kernel's link watch
/// may take a second to see it.
inline void wait_running(nl::Socket& socket, const nl::LinkRef& link) {
  const auto ready = [&] {
    const auto found = nl::find_link(socket, link);
    return found && found->running && found->operstate == nl::OperState::up;
  };
  for (int i = 0; i < 1000 && !ready(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  REQUIRE(ready());
}

}  // namespace witness
