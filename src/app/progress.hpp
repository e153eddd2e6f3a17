// How far a long copy is: a live line on a terminal, nothing through a pipe.
#pragma once
#include <chrono>
#include <string>

#include "app/report.hpp"
#include "host/lvm.hpp"
#include "nutshell/values.hpp"

namespace nutshell {

/// " 42 %  [########            ]  118M/s  0:31 left  zeroing /dev/vg01/x", from what has been done
/// of all in a time. Pure.
std::string progress_words(const std::string& title, Bytes done, Bytes total,
                           std::chrono::milliseconds elapsed);

/// What host's long works call as they go; throws Interrupted after Ctrl-C, which ends them.
host::Progress progress_on(Reporter& reporter, const std::string& title);

}  // namespace nutshell
