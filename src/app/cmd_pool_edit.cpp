// pool add, pool rm: nutshell.toml is the host's owner's own text. So it is not written anew from
// what was understood of it: lines are put in or taken out, all others keep their bytes, and what
// comes out is read again and compared before anybody sees it.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <tuple>

#include "app/cmd.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"

namespace nutshell {
namespace {

using Lines = std::vector<std::string>;

/// Each with its newline, as far as it has one.
Lines lines_of(const std::string& text) {
  Lines lines;
  for (std::size_t at = 0, end = 0; at < text.size(); at = end) {
    end = std::min(text.find('\n', at), text.size() - 1) + 1;
    lines.push_back(text.substr(at, end - at));
  }
  return lines;
}

std::string text_of(const Lines& lines) {
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

bool is_blank(const std::string& line) { return line.find_first_not_of(" \t\r\n") == line.npos; }
bool begins(const std::string& line, std::string_view with) {
  const auto first = line.find_first_not_of(" \t");
  return first != line.npos && line.compare(first, with.size(), with) == 0;
}

/// The line that an origin, FILE:LINE, names, counted from 0.
std::size_t line_of(const std::string& origin) {
  return std::strtoul(origin.c_str() + origin.rfind(':') + 1, nullptr, 10) - 1;
}

const PoolRange* find_pool(const Config& config, const std::string& name) {
  const auto found = std::find_if(config.pools.begin(), config.pools.end(),
                                  [&](const PoolRange& pool) { return pool.name == name; });
  return found == config.pools.end() ? nullptr : &*found;
}

/// What a config says, without where it says it; `but` is left out of the pools.
bool same_but(Config one, Config other, const std::string& but) {
  for (Config* config : {&one, &other}) {
    std::erase_if(config->pools, [&](const PoolRange& pool) { return pool.name == but; });
    for (PoolRange& pool : config->pools) pool.origin.clear();
    for (InstanceType& type : config->types) type.origin.clear();
    if (config->quota) config->quota->origins.clear();
  }
  const auto rest = [](const Config& c) {
    return std::tie(c.qemu, c.cpu, c.vg, c.thin, c.thin_limit, c.memory, c.network,
                    c.isolate_clouds, c.pools, c.types, c.quota);
  };
  return rest(one) == rest(other);
}

/// What changes between the two, which differ in one place: the lines taken out and put in.
struct Change {
  std::string before, after;
  std::size_t line = 0;  ///< counted from 0
  Lines out, in;
};

std::string shown(const std::string& file, const Change& change) {
  std::string text = fmt::format("{}:{}\n", printable(file), change.line + 1);
  for (const auto& [sign, lines] : {std::pair{'-', &change.out}, {'+', &change.in}})
    for (std::string line : *lines) {
      while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
      text += fmt::format("{}{}\n", sign, printable(line));
    }
  return text;
}

/// False when whoever was asked said no.
bool is_agreed(const Parsed& args, const std::string& file) {
  if (args.has("yes")) return true;
  if (!isatty(STDIN_FILENO))
    throw UsageError(fmt::format(
        "{} is not changed unasked, and there is no terminal to ask on; look at the change with "
        "--dry-run, then say --yes",
        printable(file)));
  std::fputs("change it? [y/N] ", stderr);
  char answer[8] = "";
  if (!std::fgets(answer, sizeof answer, stdin)) return false;
  return std::string_view(answer) == "y\n" || std::string_view(answer) == "yes\n";
}

/// While it is held, no other `pool add` or `pool rm` changes the file.
host::Lock lock_config(const House& house) {
  constexpr auto patience = std::chrono::seconds(60);
  host::make_directories(house.paths.state);
  return host::Lock::exclusive(house.paths.state + "/pools.lock", patience,
                               printable(house.paths.config_file));
}

/// Where nobody is asked: the lock from before the file is read until it is written. A person may
/// take their time, so there it is held for writing alone, and who came in between is noticed.
std::optional<host::Lock> lock_and_read(const Parsed& args, House& house) {
  if (house.dry() || !args.has("yes")) return std::nullopt;
  host::Lock lock = lock_config(house);
  house.config = {};
  house.read_config();
  return lock;
}

Exit apply(const Parsed& args, House& house, const Change& change, const std::string& what) {
  const std::string& file = house.config.file;
  const bool quiet = house.options.quiet && (args.has("yes") || house.dry());
  if (house.dry()) {
    house.reporter.answer(Json::object({{"file", file}, {"diff", shown(file, change)}}),
                          shown(file, change));
    return Exit::done;
  }
  if (!quiet && !house.reporter.json()) print(shown(file, change));
  if (!is_agreed(args, file)) {
    house.reporter.note("nothing is changed");
    return Exit::done;
  }
  std::optional<host::Lock> lock;
  if (!args.has("yes")) lock = lock_config(house);
  if (host::read_file(file).value_or("") != change.before)
    throw Conflict(fmt::format("{} was changed meanwhile; run the command again", printable(file)));
  host::rewrite_file(file, change.after);
  house.reporter.done(what);
  return Exit::done;
}

std::string quoted_text(const std::string& text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == '"' || c == '\\')
      throw ConfigError("pool add", fmt::format("'{}' is no name, kind or range", printable(text)));
  return "\"" + text + "\"";
}

Lines table_of(const Parsed& args) {
  const auto kind = args.value("kind"), range = args.value("range"), prefix = args.value("prefix");
  if (!kind || !range)
    throw UsageError("pool add needs --kind ipv4 or subnet, and --range FIRST-LAST or a.b.c.d/n");
  if (*kind != "ipv4" && *kind != "subnet")
    throw ConfigError("--kind", fmt::format("'{}' is no pool that can be added; use ipv4 or subnet",
                                            printable(*kind)));
  Lines lines{"[[pool]]\n", "name = " + quoted_text(args.word(0, "NAME")) + "\n",
              "kind = " + quoted_text(*kind) + "\n", "range = " + quoted_text(*range) + "\n"};
  std::string excluded;
  for (const std::string& one : args.values("exclude"))
    excluded += (excluded.empty() ? "" : ", ") + quoted_text(one);
  if (!excluded.empty()) lines.push_back("exclude = [" + excluded + "]\n");
  if (prefix) {
    if (prefix->empty() || prefix->find_first_not_of("0123456789") != prefix->npos)
      throw ConfigError("--prefix", fmt::format("'{}' is no number", printable(*prefix)));
    lines.push_back("prefix = " + *prefix + "\n");
  }
  return lines;
}

/// Reads the text as it would be; mistakes are the command line's, as the file had none.
Config read_again(const std::string& text, const std::string& file, const std::string& command) {
  try {
    return parse_config(text, file);
  } catch (const ConfigError& error) {
    Problems problems = error.problems();
    for (Problem& problem : problems) problem.where = command;
    throw ConfigError(std::move(problems));
  }
}

}  // namespace

Exit run_pool_add(const Parsed& args, House& house) {
  const std::string& name = args.word(0, "NAME");
  const auto lock = lock_and_read(args, house);
  std::string& file = house.config.file;
  if (file.empty()) file = house.paths.config_file;
  if (const PoolRange* pool = find_pool(house.config, name))
    throw Conflict(
        fmt::format("pool {} is there already ({}); take it out first with "
                    "`nutshell pool rm {}`",
                    printable(name), pool->origin, printable(name)));
  Change change;
  change.before = host::read_file(file).value_or("");
  change.after = change.before;
  change.line = lines_of(change.before).size();
  if (!change.before.empty()) change.in.emplace_back("\n");
  for (const std::string& line : table_of(args)) change.in.push_back(line);
  if (!change.before.empty() && change.before.back() != '\n') change.after += '\n';
  change.after += text_of(change.in);
  const Config now = read_again(change.after, file, "pool add");
  if (!find_pool(now, name) || !same_but(house.config, now, name))
    throw Failed(fmt::format("{} cannot be added to without changing what else it says; edit it",
                             printable(file)));
  if (!house.dry()) host::make_directories(file.substr(0, file.rfind('/')));
  return apply(args, house, change, fmt::format("pool {} is in {}", name, file));
}

Exit run_pool_rm(const Parsed& args, House& house) {
  const std::string& name = args.word(0, "NAME");
  const auto lock = lock_and_read(args, house);
  const std::string& file = house.config.file;
  const PoolRange* pool = find_pool(house.config, name);
  if (!pool)
    throw NotFound(fmt::format("{} has no pool {}; `nutshell pool ls` lists what there is",
                               printable(house.paths.config_file), printable(name)));
  for (const Lease& lease : house.registry().leases_in(name))
    if (lease.foreign.empty())
      throw Conflict(
          fmt::format("pool {} still has leases ({} is one); `nutshell lease ls --pool {}` lists "
                      "them",
                      name, lease.value, name));
  Change change;
  change.before = host::read_file(file).value_or("");
  Lines lines = lines_of(change.before);
  std::size_t first = line_of(pool->origin);
  if (first >= lines.size() || !begins(lines[first], "[[pool]]"))
    throw Failed(fmt::format("pool {} is not written as a [[pool]] of its own ({}); edit the file",
                             name, pool->origin));
  std::size_t end = first + 1;
  while (end < lines.size() && !begins(lines[end], "[")) ++end;
  // What stands before the next table is about that one.
  while (end < lines.size() && (is_blank(lines[end - 1]) || begins(lines[end - 1], "#"))) --end;
  const bool blank_after = end == lines.size() || is_blank(lines[end]);
  if (first > 0 && is_blank(lines[first - 1]) && blank_after) --first;
  const auto at = [&](std::size_t n) { return lines.begin() + static_cast<std::ptrdiff_t>(n); };
  change.line = first;
  change.out.assign(at(first), at(end));
  lines.erase(at(first), at(end));
  change.after = text_of(lines);
  const Config now = read_again(change.after, file, "pool rm");
  if (find_pool(now, name) || !same_but(house.config, now, name))
    throw Failed(
        fmt::format("pool {} cannot be taken out of {} without changing what else it says; edit it",
                    name, printable(file)));
  return apply(args, house, change, fmt::format("pool {} is no longer in {}", name, file));
}

}  // namespace nutshell
