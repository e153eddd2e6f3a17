// The rate is that of the whole work so far: a copy has no reason to hurry towards its end.
#include "app/progress.hpp"

#include <fmt/format.h>

#include <memory>

#include "app/interrupt.hpp"

namespace nutshell {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto shown_every = std::chrono::milliseconds(100);
constexpr unsigned width = 20;

std::string clock_words(Bytes seconds) {
  if (seconds < 3600) return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

}  // namespace

std::string progress_words(const std::string& title, Bytes done, Bytes total,
                           std::chrono::milliseconds elapsed) {
  done = std::min(done, total);
  const double share = total ? static_cast<double>(done) / static_cast<double>(total) : 1.0;
  const auto filled = static_cast<unsigned>(share * width);
  std::string line = fmt::format("{:3} %  [{}{}]", static_cast<unsigned>(share * 100),
                                 std::string(filled, '#'), std::string(width - filled, ' '));
  const double seconds = static_cast<double>(elapsed.count()) / 1000;
  if (done > 0 && seconds > 0) {
    const double rate = static_cast<double>(done) / seconds;
    line += fmt::format("  {}/s", format_size_roughly(static_cast<Bytes>(rate)));
    if (done < total)
      line += fmt::format(
          "  {} left", clock_words(static_cast<Bytes>(static_cast<double>(total - done) / rate)));
  }
  // Last, because a narrow terminal cuts the end off.
  line += "  " + title;
  return line;
}

host::Progress progress_on(Reporter& reporter, const std::string& title) {
  const auto start = Clock::now();
  auto next = std::make_shared<Clock::time_point>(start);
  return [&reporter, title, start, next](Bytes done, Bytes total) {
    check_interrupt();
    const auto now = Clock::now();
    if (now < *next && done < total) return;
    *next = now + shown_every;
    reporter.progress(progress_words(
        title, done, total, std::chrono::duration_cast<std::chrono::milliseconds>(now - start)));
  };
}

}  // namespace nutshell
