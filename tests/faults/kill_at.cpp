// Loaded into a command by LD_PRELOAD, it kills the command at the N-th commit to the registry:
// SQLite marks the last frame of a commit in its log with the new size of the database (bytes 4 to
// 7 of the frame's head, sqlite.org/fileformat2.html). An odd NUTSHELL_KILL_AT kills before that
// frame is written, so the row is lost; an even one after it, so the row is there and nothing that
// comes after it has been done. What the command starts is not haunted.
#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace {

constexpr size_t frame_head = 24;

using Write = ssize_t (*)(int, const void*, size_t, off64_t);
Write real_write() {
  static const auto found = reinterpret_cast<Write>(dlsym(RTLD_NEXT, "pwrite64"));
  return found;
}

/// The commit at which to die, counted from 1; 0: none. Taken out of the environment at once.
struct Order {
  long at = 0;
  const char* report = nullptr;
  Order() {
    if (const char* text = std::getenv("NUTSHELL_KILL_AT")) at = std::strtol(text, nullptr, 10);
    if (const char* text = std::getenv("NUTSHELL_KILL_COUNT")) report = strdup(text);
    for (const char* name : {"LD_PRELOAD", "NUTSHELL_KILL_AT", "NUTSHELL_KILL_COUNT"})
      unsetenv(name);
  }
};
const Order order;
long moments = 0;

bool is_log(int fd) {
  char link[64], name[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, name, sizeof name);
  constexpr char end[] = "/registry.db-wal";
  return length >= static_cast<ssize_t>(sizeof end) - 1 &&
         std::memcmp(name + length - (sizeof end - 1), end, sizeof end - 1) == 0;
}

bool ends_commit(const void* data, size_t size) {
  if (size < frame_head) return false;
  const auto* bytes = static_cast<const unsigned char*>(data);
  return (bytes[4] | bytes[5] | bytes[6] | bytes[7]) != 0;
}

/// One more moment at which the command could be killed.
void pass_moment() {
  ++moments;
  if (order.report) {
    if (FILE* file = std::fopen(order.report, "we")) {
      std::fprintf(file, "%ld\n", moments);
      std::fclose(file);
    }
  }
  if (moments == order.at) raise(SIGKILL);
}

}  // namespace

extern "C" ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  static bool page_follows = false;
  static int log = -1;
  // The head of the log itself (32 bytes at 0) has a page size where a frame has its mark.
  const bool head = size == frame_head && offset > 0 && is_log(fd);
  if (head && ends_commit(data, size)) {
    pass_moment();
    page_follows = true;
    log = fd;
    return real_write()(fd, data, size, offset);
  }
  const ssize_t put = real_write()(fd, data, size, offset);
  if (page_follows && fd == log && !head) {
    page_follows = false;
    pass_moment();
  }
  return put;
}
