// Text that leaves us: for a terminal (nothing that it would obey), for a shell (one word stays one
// word), and the guess at what a mistyped word was meant to be.
#include <fmt/format.h>

#include <algorithm>

#include "nutshell/values.hpp"

namespace nutshell {
namespace {

constexpr std::size_t longest_guess = 64;

bool is_plain_in_shell(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_@%+=:,./-").find(c) != std::string_view::npos;
}

/// True for well-formed UTF-8 (RFC 3629: no overlong form, no surrogate, nothing past U+10FFFF).
bool is_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = byte(i++);
    if (lead < 0x80) continue;
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || text.size() - i < static_cast<std::size_t>(more))
      return false;
    const unsigned lowest = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned highest = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (byte(i) < lowest || byte(i) > highest) return false;
    for (int k = 1; k < more; ++k)
      if ((byte(i + static_cast<std::size_t>(k)) & 0xc0) != 0x80) return false;
    i += static_cast<std::size_t>(more);
  }
  return true;
}

std::string in_quotes(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) c == '\'' ? quoted += "'\\''" : quoted += c;
  return quoted + "'";
}

/// Edits (insert, drop, change, swap two neighbours) that turn `a` into `b`.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = above;
    above = row;
  }
  return above[b.size()];
}

}  // namespace

std::string printable(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f) {
      shown += fmt::format("\\x{:02x}", byte);
    } else {
      shown += c;
    }
  }
  return shown;
}

std::string text_fault(std::string_view text) {
  for (const char c : text) {
    if (c == '\0') return "it contains a NUL byte, which no argument of a program can";
    if (c == '\n' || c == '\r') return "it contains a newline, which QEMU's options cannot";
    if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f')
      return "it contains a control character, which could rewrite a terminal";
  }
  return is_utf8(text) ? "" : "it is not valid UTF-8, and JSON, which QEMU is told it in, is";
}

std::string shell_quote(std::string_view text) {
  // A word that begins with '=' is looked up as a program by some shells.
  const bool plain = !text.empty() && text.front() != '=' &&
                     std::all_of(text.begin(), text.end(), is_plain_in_shell);
  return plain ? std::string(text) : in_quotes(text);
}

std::string shell_line(const std::vector<std::string>& argv) {
  std::string line;
  for (const std::string& word : argv) {
    // Unquoted, a first word such as A=b would be an assignment.
    const bool assignment = line.empty() && word.find('=') != std::string::npos;
    if (!line.empty()) line += ' ';
    line += assignment ? in_quotes(word) : shell_quote(word);
  }
  return line;
}

std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates) {
  if (word.empty() || word.size() > longest_guess) return std::nullopt;
  const std::string* best = nullptr;
  std::size_t least = 0;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > longest_guess) continue;
    const bool begun = word.size() >= 3 && candidate.compare(0, word.size(), word) == 0;
    const std::size_t edits = begun ? 1 : distance(word, candidate);
    const std::size_t allowed =
        std::max<std::size_t>(1, std::max(word.size(), candidate.size()) / 3);
    if (edits > allowed || edits >= candidate.size()) continue;
    if (!best || edits < least) {
      best = &candidate;
      least = edits;
    }
  }
  return best ? std::optional(*best) : std::nullopt;
}

}  // namespace nutshell
