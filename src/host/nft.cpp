// nft 1.0.6 shows a table's comment in its text alone, not in its JSON, and its handle beside the
// name: so the head of the listing is read. Of the rest it matters only whether it is what it was.
#include "host/nft.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <sstream>

#include "host/tool.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr std::chrono::milliseconds patience{10'000};
constexpr Bytes longest_listing = 64 * mebi;

Tool nft(std::vector<std::string> words, std::string input = "") {
  words.insert(words.begin(), "nft");
  return {.argv = std::move(words),
          .input = std::move(input),
          .timeout = patience,
          .output_limit = longest_listing,
          .environment = {}};
}

/// FNV-1a, 64 bits: it only has to differ when the text does.
std::string digest_of(const std::string& text) {
  std::uint64_t value = 0xcbf29ce484222325;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
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

std::optional<NftTable> find_table(const std::string& name) {
  const Tool tool = nft({"-a", "-s", "list", "table", "inet", name});
  const ToolResult result = run(tool);
  if (result.status == 0) return parse_table(result.output);
  if (result.stderr_tail.find("No such file or directory") != std::string::npos)
    return std::nullopt;
  throw CommandFailed(tool.argv, "exited with " + std::to_string(result.status),
                      result.stderr_tail);
}

std::vector<std::string> list_tables() {
  std::istringstream lines(output_of(nft({"list", "tables", "inet"})));
  std::vector<std::string> names;
  std::string table, family, name;
  while (lines >> table >> family >> name) names.push_back(name);
  return names;
}

void apply_rules(const std::string& transaction) { (void)output_of(nft({"-f", "-"}, transaction)); }

}  // namespace nutshell::host
