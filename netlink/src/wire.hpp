// One netlink socket and the conversation on it. Private to the library.
#pragma once

#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "message.hpp"
#include "nl/error.hpp"

struct nl_sock;

namespace nl {

/// How a request ended.
struct Answer {
  int error = 0;            ///< positive errno, 0 when it was done
  std::string kernel_says;  ///< the kernel's own explanation (extended ack), often empty
  bool consistent = true;   ///< false when a dump was overtaken by a change and must be asked again
};

class Wire {
 public:
  /// Opens a socket of `protocol` (NETLINK_ROUTE, NETLINK_SOCK_DIAG) in the thread's current
  /// namespace.
  explicit Wire(int protocol);

  /// Sends `message`, gives each message of the answer to `each`, returns when the kernel says that
  /// it is over. Throws nl::Error only where the socket itself fails or the kernel stays silent for
  /// ten seconds.
  Answer exchange(Message& message, const std::function<void(nlmsghdr*)>& each = {});

  /// A dump as values: `parse(message, out)` appends to `out`. Asked again, up to a limit, while it
  /// was overtaken.
  template <class T, class Parse>
  std::vector<T> dump(Message& message, const char* subject, Parse parse) {
    for (int attempt = 0; attempt < 100; ++attempt) {
      std::vector<T> out;
      const Answer answer = exchange(message, [&](nlmsghdr* part) { parse(part, out); });
      if (answer.error == EAFNOSUPPORT)
        return {};  // a kernel without IPv6 has nothing of it to show
      if (answer.error) throw Error(subject, "list", answer.error, answer.kernel_says);
      if (answer.consistent) return out;
    }
    throw Error(subject, "list while others keep changing them", EAGAIN);
  }

  int fd() const;

 private:
  struct Close {
    void operator()(nl_sock* socket) const;
  };
  std::unique_ptr<nl_sock, Close> socket_;
};

}  // namespace nl
