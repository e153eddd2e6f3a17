// Text for terminals and shells, and the guess at what was meant. Quoting is proven by a real
// shell.
#include <doctest/doctest.h>

#include <array>
#include <cstdio>

#include "core/problems.hpp"
#include "nutshell/values.hpp"

using namespace nutshell;

namespace {

/// What /bin/sh makes of the words of that line, each ended by a '|'.
std::string as_read_by_a_shell(const std::string& words) {
  const std::string command = "printf '%s|' " + words;
  FILE* pipe = popen(command.c_str(), "re");
  REQUIRE(pipe != nullptr);
  std::string out;
  std::array<char, 4096> buffer{};
  for (std::size_t got; (got = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    out.append(buffer.data(), got);
  REQUIRE(pclose(pipe) == 0);
  return out;
}

}  // namespace

TEST_CASE("printable shows every byte that a terminal could obey") {
  CHECK(printable("plain 'text' \\ ~") == "plain 'text' \\ ~");
  CHECK(printable("\x1b[31m\n\x7f\xc3\xa9") == "\\x1b[31m\\x0a\\x7f\\xc3\\xa9");
  CHECK(printable(std::string("\0", 1)) == "\\x00");
  for (int byte = 0; byte < 256; ++byte)
    for (const char c : printable(std::string(1, static_cast<char>(byte))))
      CHECK((c >= 0x20 && c < 0x7f));
}

TEST_CASE("a shell reads each quoted word back as it was") {
  std::vector<std::string> words{"",      "a",           "a b",  "it's", "''",  "$HOME", "`id`",
                                 "$(id)", "a;b",         "a&b",  "a|b",  "*",   "~",     "!x",
                                 "\"",    "\\",          "a\nb", "\t",   "-n",  "=x",    "{a,b}",
                                 "#x",    "caf\xc3\xa9", "x=~",  "(",    "[a]", "?"};
  std::string everything;
  for (int byte = 1; byte < 256; ++byte) everything += static_cast<char>(byte);
  words.push_back(everything);
  std::string line, expected;
  for (const std::string& word : words) {
    line += shell_quote(word) + " ";
    expected += word + "|";
  }
  CHECK(as_read_by_a_shell(line) == expected);
}

TEST_CASE("words that need no quotes have none, and a first word is never an assignment") {
  CHECK(shell_quote("file=/dev/vg01/ciab,if=virtio") == "file=/dev/vg01/ciab,if=virtio");
  CHECK(shell_quote("qemu64,+vmx") == "qemu64,+vmx");
  CHECK(shell_line({"qemu", "-m", "2048", "a b"}) == "qemu -m 2048 'a b'");
  CHECK(shell_line({"A=b", "x=y"}) == "'A=b' x=y");
  CHECK(shell_line({}).empty());
}

TEST_CASE("what QEMU and JSON cannot carry is named") {
  for (const std::string text :
       {"", "/a b,c'd\"e", "caf\xc3\xa9", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xee\x80\x80"})
    CHECK(text_fault(text).empty());
  CHECK(contains(text_fault("a\nb"), "newline"));
  CHECK(contains(text_fault("a\rb"), "newline"));
  CHECK(contains(text_fault(std::string("a\0b", 3)), "NUL"));
  CHECK(contains(text_fault("\x1b[2J"), "control"));
  CHECK(contains(text_fault("\x7f"), "control"));
  for (const std::string text : {"\x80", "\xff", "\xc3", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf",
                                 "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
                                 "\xf5\x80\x80\x80", "\xe2\x82", "a\xc3(", "\xf0\x9f\x98"})
    CHECK_MESSAGE(contains(text_fault(text), "UTF-8"), printable(text));
}

TEST_CASE("did you mean") {
  const std::vector<std::string> keys{"bus", "cache", "format", "read_only", "size", "memory"};
  CHECK(nearest("chache", keys) == "cache");
  CHECK(nearest("bsu", keys) == "bus");
  CHECK(nearest("readonly", keys) == "read_only");
  CHECK(nearest("read-only", keys) == "read_only");
  CHECK(nearest("mem", keys) == "memory");
  CHECK(nearest("memroy", keys) == "memory");
  CHECK_FALSE(nearest("xyzzy", keys));
  CHECK_FALSE(nearest("", keys));
  CHECK_FALSE(nearest("q", {"a"}));
  CHECK_FALSE(nearest(std::string(1000000, 'x'), keys));
  CHECK_FALSE(nearest("cache", {}));
}
