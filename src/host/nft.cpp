// nft 1.0.6 shows a table's comment in its text alone, not in its JSON, and its handle beside the
// name: so the head of the listing is read. Of the rest it matters only whether it is what it was.
#include "host/nft.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <sstream>

#include "host/tool.hpp"
#include "nutshell/error.hpp"
#include "nutshell/guard.hpp"

namespace nutshell::host {
namespace {

constexpr std::chrono::milliseconds patience{10'000};
/// A second more for each of these: a thousand machines' rules, 4.5 MB, take a slow kernel 15 s.
constexpr Bytes size_of_a_second = 100 * kibi;
constexpr Bytes longest_listing = 64 * mebi;

Tool nft(std::vector<std::string> words, std::string input = "") {
  words.insert(words.begin(), "nft");
  const auto timeout = patience + std::chrono::seconds(input.size() / size_of_a_second);
  return {.argv = std::move(words),
          .input = std::move(input),
          .timeout = timeout,
          .output_limit = longest_listing,
          .environment = {}};
}

/// The line of a transaction that nft could not read, from "/dev/stdin:LINE:..: Error: syntax
/// error"; empty when its complaint is another.
std::string unknown_line(const std::string& transaction, const std::string& complaint) {
  constexpr std::string_view place = "/dev/stdin:";
  const auto at = complaint.find(place);
  if (at == std::string::npos || complaint.find("syntax error") == std::string::npos) return "";
  const unsigned long number = std::strtoul(complaint.c_str() + at + place.size(), nullptr, 10);
  std::istringstream lines(transaction);
  std::string line;
  for (unsigned long i = 0; i < number && std::getline(lines, line); ++i) {}
  line.erase(0, line.find_first_not_of('\t'));
  return line;
}

/// FNV-1a, 64 bits, of all that stands whatever machines run: it only has to differ when that does.
std::string digest_of(const std::string& listing) {
  std::uint64_t value = 0xcbf29ce484222325;
  std::istringstream lines(listing);
  bool passing = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('\t') && !line.starts_with("\t\t") && line != "\t}") {
      std::istringstream words(line);
      std::string kind, name;
      words >> kind >> name;
      passing = comes_and_goes(name);
    }
    if (passing) {
      passing = line != "\t}";
      continue;
    }
    for (const char c : line) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return fmt::format("{:016x}", value);
}

}  // namespace

NftTable parse_table(const std::string& listing) {
  constexpr std::string_view before_handle = "{ # handle ", before_comment = "\n\tcomment \"";
  const std::size_t at = listing.find(before_handle);
  if (at == std::string::npos || at > listing.find('\n'))
    throw Failed("nft lists a table without its handle; this nutshell knows nft from 0.9.3 on");
  NftTable table;
  table.digest = digest_of(listing);
  table.handle = std::strtoull(listing.c_str() + at + before_handle.size(), nullptr, 10);
  const std::size_t line = listing.find('\n');
  if (line != std::string::npos &&
      listing.compare(line, before_comment.size(), before_comment) == 0) {
    const std::size_t from = line + before_comment.size();
    table.comment = listing.substr(from, listing.find('"', from) - from);
  }
  return table;
}

std::optional<NftTable> find_table(const std::string& name, const std::string& family) {
  const Tool tool = nft({"-a", "-s", "-t", "list", "table", family, name});
  const ToolResult result = run(tool);
  if (result.status == 0) return parse_table(result.output);
  if (result.stderr_tail.find("No such file or directory") != std::string::npos)
    return std::nullopt;
  throw CommandFailed(tool.argv, "exited with " + std::to_string(result.status),
                      result.stderr_tail);
}

std::vector<std::string> list_tables(const std::string& of_family) {
  std::istringstream lines(output_of(nft({"list", "tables", of_family})));
  std::vector<std::string> names;
  std::string table, family, name;
  while (lines >> table >> family >> name) names.push_back(name);
  return names;
}

std::string list_table(const std::string& name, const std::string& family) {
  const Tool tool = nft({"list", "table", family, name});
  ToolResult result = run(tool);
  if (result.status == 0) return std::move(result.output);
  if (result.stderr_tail.find("No such file or directory") != std::string::npos) return "";
  throw CommandFailed(tool.argv, "exited with " + std::to_string(result.status),
                      result.stderr_tail);
}

bool bridges_track_connections() {
  return run(nft({"-c", "-f", "-"},
                 "table bridge nutshell-asks { chain c { ct state established accept; }; }\n"))
             .status == 0;
}

void apply_rules(const std::string& transaction) {
  const Tool tool = nft({"-f", "-"}, transaction);
  const ToolResult result = run(tool);
  if (result.status == 0) return;
  if (const std::string line = unknown_line(transaction, result.stderr_tail); !line.empty())
    throw Failed("this nft is too old for `" + line + "`; install nftables 1.0.6 or newer");
  throw CommandFailed(tool.argv, "exited with " + std::to_string(result.status),
                      result.stderr_tail);
}

}  // namespace nutshell::host
