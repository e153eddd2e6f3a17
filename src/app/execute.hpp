// Does what a plan says, and undoes it when it cannot be completed.
#pragma once
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "nutshell/registry.hpp"
#include "nutshell/step.hpp"

namespace nutshell {

/// Where the progress of a journaled plan is recorded.
struct JournalEntry {
  Registry* registry = nullptr;
  std::int64_t id = 0;
};

struct Outcome {
  std::exception_ptr cause;            ///< why it failed; null: it was done
  std::vector<std::string> leftovers;  ///< what could not be undone or taken down
};

using Perform = std::function<void(const Step&)>;
using Progress = std::function<void(const Step&)>;

/// Steps in order. A plan that undoes: at a failure, or an interrupt between two steps, the
/// completed steps are undone in reverse. A plan that keeps going: every step is tried. The journal
/// entry is closed unless something was left behind.
Outcome execute(const Plan& plan, const Perform& perform, const Progress& progress,
                const JournalEntry& journal);

/// Throws the cause of an outcome; with leftovers, an error of exit 5 that lists them.
void rethrow(const Outcome& outcome);

}  // namespace nutshell
