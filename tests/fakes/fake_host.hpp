// A host with memory: it records every step, and fails at the one that it is told to.
#pragma once
#include <string>
#include <vector>

#include "nutshell/error.hpp"
#include "nutshell/step.hpp"

namespace fakes {

class FakeHost {
 public:
  /// From 1; 0 never fails.
  explicit FakeHost(std::vector<int> fails_at = {}) : fails_at_(std::move(fails_at)) {}
  void operator()(const nutshell::Step& step) {
    ++count_;
    for (const int at : fails_at_)
      if (at == count_) throw nutshell::Failed("step " + std::to_string(at) + " fails");
    done.push_back(nutshell::describe(step));
  }
  std::vector<std::string> done;

 private:
  std::vector<int> fails_at_;
  int count_ = 0;
};

}  // namespace fakes
