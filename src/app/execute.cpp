// The heart: one loop forward, one loop back. It knows nothing of what a step does.
#include "app/execute.hpp"

#include <fmt/format.h>

#include "app/interrupt.hpp"
#include "nutshell/error.hpp"
#include "nutshell/plan.hpp"

namespace nutshell {
namespace {

void record(const JournalEntry& journal, void (Registry::*mark)(std::int64_t, std::size_t),
            std::size_t step) {
  if (journal.registry) (journal.registry->*mark)(journal.id, step);
}

// A journal that cannot be written (the disk is full) must not stop an undo, nor make it count as
// failed: whoever recovers takes what is gone already for done.
void record_undone(const JournalEntry& journal, std::size_t step) {
  try {
    record(journal, &Registry::undone, step);
  } catch (const std::exception&) {}
}

using Numbered = std::pair<std::size_t, Step>;

// What is there to be undone: the steps that were completed, and those whose effect was committed
// with the plan, however early it failed.
std::vector<Numbered> way_back(const Plan& plan, std::size_t completed) {
  std::vector<Numbered> back;
  for (std::size_t i = 0; i < plan.steps.size(); ++i)
    if (i < completed || is_held(plan.steps[i]))
      if (auto step = inverse(plan.steps[i])) back.emplace_back(i, *std::move(step));
  return back;
}

// Newest first. What could not be undone is tried once more at the end, when the rest of the undo
// may have made the room that it needs.
void undo(const std::vector<Numbered>& steps, const Perform& perform, const Progress& progress,
          const JournalEntry& journal, Outcome& outcome) {
  std::vector<Numbered> left(steps.rbegin(), steps.rend());
  for (const bool last : {false, true}) {
    std::vector<Numbered> failed;
    for (const Numbered& numbered : left) {
      const auto& [number, step] = numbered;
      try {
        progress(step);
        perform(step);
        record_undone(journal, number);
      } catch (const std::exception& error) {
        if (last) outcome.leftovers.push_back(fmt::format("{}: {}", describe(step), error.what()));
        failed.push_back(numbered);
      }
    }
    left = std::move(failed);
  }
}

}  // namespace

Outcome execute(const Plan& plan, const Perform& perform, const Progress& progress,
                const JournalEntry& journal) {
  Outcome outcome;
  std::size_t completed = 0;
  OnFailure on_failure = plan.on_failure;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    try {
      if (on_failure == OnFailure::undo) check_interrupt();
      record(journal, &Registry::begun, i);
      progress(step);
      perform(step);
      completed = i + 1;
      record(journal, &Registry::done, i);
      if (std::holds_alternative<Commit>(step)) on_failure = OnFailure::keep_going;
    } catch (const std::exception& error) {
      // What is finished, never undone, goes on with the next command, from the journal.
      if (plan.on_failure == OnFailure::keep_going && dynamic_cast<const Interrupted*>(&error)) {
        outcome.cause = std::make_exception_ptr(
            Interrupted(fmt::format("interrupted; the {} goes on with the next command",
                                    plan.verb.substr(plan.verb.rfind(' ') + 1))));
        return outcome;
      }
      if (on_failure == OnFailure::keep_going) {
        outcome.leftovers.push_back(fmt::format("{}: {}", describe(step), error.what()));
        continue;
      }
      outcome.cause = std::current_exception();
      undo(way_back(plan, completed), perform, progress, journal, outcome);
      break;
    }
  }
  if (outcome.leftovers.empty() && journal.registry) {
    try {
      journal.registry->finished(journal.id);
    } catch (const std::exception&) {
      if (!outcome.cause) outcome.cause = std::current_exception();
    }
  }
  return outcome;
}

void rethrow(const Outcome& outcome) {
  if (outcome.leftovers.empty()) {
    if (outcome.cause) std::rethrow_exception(outcome.cause);
    return;
  }
  std::string text;
  if (outcome.cause) {
    try {
      std::rethrow_exception(outcome.cause);
    } catch (const std::exception& error) {
      text = std::string(error.what()) + "; and ";
    }
  }
  text += fmt::format("{} thing{} left behind, run `nutshell gc`:", outcome.leftovers.size(),
                      outcome.leftovers.size() == 1 ? " was" : "s were");
  for (const std::string& leftover : outcome.leftovers) text += "\n  " + leftover;
  throw Error(Exit::left_behind, text);
}

}  // namespace nutshell
