// Runs a command again and again and prints what it took: median and 90th percentile of the time
// from fork to exit in milliseconds, and the largest resident set of all runs in KiB, as the kernel
// accounts them (wait4). The command's own output goes nowhere.
//
// usage: bench_measure RUNS COMMAND [ARGUMENT...]
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

int main(int argc, char** argv) {
  using Clock = std::chrono::steady_clock;
  const int runs = argc > 2 ? std::atoi(argv[1]) : 0;
  if (runs < 1) {
    std::fprintf(stderr, "usage: bench_measure RUNS COMMAND [ARGUMENT...]\n");
    return 2;
  }
  std::vector<double> times, busy;
  long largest = 0;
  for (int i = 0; i < runs; ++i) {
    const auto start = Clock::now();
    const pid_t child = fork();
    if (child == 0) {
      const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
      dup2(nowhere, STDOUT_FILENO);
      execvp(argv[2], argv + 2);
      _exit(127);
    }
    int status = 0;
    rusage usage{};
    if (child < 0 || wait4(child, &status, 0, &usage) != child) return 1;
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    const auto milliseconds = [](const timeval& time) {
      return 1e3 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_usec);
    };
    busy.push_back(milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      std::fprintf(stderr, "bench_measure: %s failed (status %d)\n", argv[2], status);
      return 1;
    }
    largest = std::max(largest, usage.ru_maxrss);
  }
  const auto at = [](std::vector<double>& values, double share) {
    std::sort(values.begin(), values.end());
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
  };
  std::printf("%.2f %.2f %.2f %ld\n", at(times, 0.5), at(times, 0.9), at(busy, 0.5), largest);
}
