// Turns an errno into the words of someone who works with links: "File exists" and "Operation not
// supported" are true, but they do not tell the reader of a bridge's name what to do next.
#include "nl/error.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

namespace nl {
namespace {

std::string reason(int code) {
  switch (code) {
    case EEXIST: return "it exists already";
    case EPERM:
    case EACCES: return "not permitted (it needs root, or CAP_NET_ADMIN in this network namespace)";
    case EOPNOTSUPP: return "this kernel does not support it";
    case ENAMETOOLONG: return "the name is longer than 15 bytes";
    case ETIMEDOUT: return "the kernel did not answer in time";
    default: break;
  }
  const char* words = ::strerrordesc_np(code);
  std::string text = words ? words : "error " + std::to_string(code);
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a') text[0] += 'a' - 'A';
  return text;
}

}  // namespace

Error::Error(std::string subject, std::string operation, int code, const std::string& kernel_says)
    : std::runtime_error(subject + ": cannot " + operation + ": " + reason(code) +
                         (kernel_says.empty() ? "" : " (kernel: " + kernel_says + ")")),
      subject_(std::move(subject)),
      operation_(std::move(operation)),
      code_(code) {}

}  // namespace nl
