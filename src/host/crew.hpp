// Several errands of ours at once: commands of this very program, each begun when those that it
// waits for have ended well.
#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace nutshell::host {

struct Errand {
  std::vector<std::string> words;  ///< of the command line, without the program
  std::vector<std::size_t> after;  ///< errands that must have ended with 0 before
  bool idle = false;               ///< it only waits, and does not count among those at work
  /// Asked where it fails: true when another command has done meanwhile what it was to do, so that
  /// it has ended well.
  std::function<bool()> is_done{};
};

struct ErrandEnd {
  enum class How { ended, never_begun, killed } how = How::never_begun;
  int status = 0;      ///< its exit status, where it ended
  std::string output;  ///< its stdout
  std::string errors;  ///< its stderr
  [[nodiscard]] bool done() const { return how == How::ended && status == 0; }
};

/// Runs them, at most `most` at work at a time, and tells `ended` of each as it comes; of one that
/// was never begun, too. An errand of a command that is killed gets SIGTERM, and undoes what it had
/// begun. SIGINT or SIGTERM to this process passes on to those that run, which are waited for;
/// nothing more is begun, nor anything at all where `stopped` says that such a signal has come
/// before. Throws SystemError where no process can be made.
void run_errands(const std::vector<Errand>& errands, std::size_t most,
                 const std::function<void(std::size_t, const ErrandEnd&)>& ended,
                 const std::function<bool()>& stopped);

}  // namespace nutshell::host
