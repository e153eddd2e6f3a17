// All output goes through here, so that a pipe never sees a colour or a carriage return, and stdout
// carries the answer alone.
#include "app/report.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "nutshell/error.hpp"
#include "nutshell/values.hpp"

namespace nutshell {
namespace {

bool wants_colour(int fd) {
  const char* term = std::getenv("TERM");
  return isatty(fd) && !std::getenv("NO_COLOR") && term && std::string_view(term) != "dumb";
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EPIPE && fd == STDOUT_FILENO) std::_Exit(0);
    if (n < 0 && fd == STDOUT_FILENO) throw SystemError(errno, "stdout: cannot be written");
    if (n < 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

// A cell may carry colour; its width is what is seen.
std::size_t seen_width(const std::string& cell) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < cell.size(); ++i) {
    if (cell[i] == '\033') {
      while (i < cell.size() && cell[i] != 'm') ++i;
      continue;
    }
    ++width;
  }
  return width;
}

}  // namespace

void print(const std::string& text) { write_all(STDOUT_FILENO, text); }

std::string Table::text(bool bold_headings) const {
  std::vector<std::size_t> widths;
  for (const std::string& heading : headings) widths.push_back(heading.size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i)
      widths[i] = std::max(widths[i], seen_width(row[i]));
  std::string out;
  const auto add = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line += std::string(widths[i] - seen_width(row[i]) + 2, ' ');
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += line + "\n";
  };
  if (bold_headings) out += "\033[1m";
  add(headings);
  if (bold_headings) out += "\033[0m";
  for (const auto& row : rows) add(row);
  return out;
}

void JsonList::push(const Json& item) {
  items_ += items_.empty() ? "\n    " : ",\n    ";
  for (const char c : item.dump(true)) {
    items_ += c;
    if (c == '\n') items_ += "    ";  // a line's end stands between members only, never in a text
  }
}

void JsonList::member(const std::string& name, const Json& value) {
  members_ += fmt::format(",\n  {}: {}", Json(name).dump(), value.dump());
}

std::string JsonList::text() const {
  return fmt::format("{{\n  {}: [{}{}]{}\n}}", Json(name_).dump(), items_,
                     items_.empty() ? "" : "\n  ", members_);
}

Reporter::Reporter(const GlobalOptions& options)
    : json_(options.json),
      quiet_(options.quiet),
      verbose_(options.verbose),
      live_(isatty(STDERR_FILENO) && !options.quiet && !options.verbose && !options.json),
      colour_(wants_colour(STDOUT_FILENO) && !options.json),
      errors_colour_(wants_colour(STDERR_FILENO) && !options.json) {}

void Reporter::answer(const Json& json, const std::string& text) const {
  print(json_ ? json.dump(true) + "\n" : text);
}
void Reporter::answer(const Json& json, const Table& table) const {
  print(json_ ? json.dump(true) + "\n" : table.text(colour_));
}

void Reporter::answer(const JsonList& list, const Table& table) const {
  print(json_ ? list.text() + "\n" : table.text(colour_));
}

void Reporter::step(const std::string& what) {
  if (live_) {
    const std::size_t width = terminal_width() - 1;
    write_all(STDERR_FILENO, "\r\033[K" + (what.size() > width ? what.substr(0, width) : what));
    line_open_ = true;
  } else if (!quiet_ && !json_ && (verbose_ || !isatty(STDERR_FILENO))) {
    write_all(STDERR_FILENO, what + "\n");
  }
}

void Reporter::progress(const std::string& what) {
  if (live_) step(what);
}

void Reporter::steps_over() {
  if (line_open_) write_all(STDERR_FILENO, "\r\033[K");
  line_open_ = false;
}

void Reporter::note(const std::string& sentence) {
  steps_over();
  if (!quiet_ && !json_) write_all(STDERR_FILENO, sentence + "\n");
}

void Reporter::done(const std::string& sentence) {
  if (!json_) return note(sentence);
  print(Json::object({{"done", sentence}}).dump(true) + "\n");
}

void Reporter::warn(const std::string& sentence) {
  steps_over();
  if (quiet_) return;
  if (json_) return write_all(STDERR_FILENO, Json::object({{"warning", sentence}}).dump() + "\n");
  write_all(STDERR_FILENO,
            fmt::format("nutshell: {}warning:{} {}\n", errors_colour_ ? "\033[33m" : "",
                        errors_colour_ ? "\033[0m" : "", sentence));
}

void Reporter::error(const std::string& sentence, int exit) {
  steps_over();
  if (json_)
    return write_all(
        STDERR_FILENO,
        Json::object({{"error", Json::object({{"message", sentence}, {"exit", exit}})}}).dump() +
            "\n");
  write_all(STDERR_FILENO, fmt::format("{}nutshell:{} {}\n", errors_colour_ ? "\033[31m" : "",
                                       errors_colour_ ? "\033[0m" : "", sentence));
}

std::string Reporter::state(const std::string& word) const {
  if (!colour_) return word;
  const char* code = word.starts_with("running")   ? "32"
                     : word.starts_with("crashed") ? "31"
                     : word.starts_with("paused")  ? "33"
                                                   : "2";
  return fmt::format("\033[{}m{}\033[0m", code, word);
}

}  // namespace nutshell
