// What every function of this library throws when the kernel says no: the errno, and a sentence
// that names the thing.
#pragma once

#include <stdexcept>
#include <string>

namespace nl {

/// "SUBJECT: cannot OPERATION: REASON", for instance "link br0: cannot set master: no such device".
class Error : public std::runtime_error {
 public:
  /// `code` is a positive errno; `kernel_says` is the kernel's own extended explanation, where it
  /// gave one.
  Error(std::string subject, std::string operation, int code, const std::string& kernel_says = {});

  /// The errno, positive.
  int code() const noexcept { return code_; }
  /// What it happened to: "link br0", "route 10.0.0.0/8".
  const std::string& subject() const noexcept { return subject_; }
  /// What was being done: "set master".
  const std::string& operation() const noexcept { return operation_; }

 private:
  std::string subject_;
  std::string operation_;
  int code_;
};

}  // namespace nl
