// answers: what the installer of a cloud will ask, as a person, a shell, Eucalyptus or cloud-init
// wants it.
#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_answers.hpp"
#include "app/cloud_file.hpp"
#include "app/cloud_seed.hpp"
#include "app/cmd.hpp"
#include "app/settle.hpp"

namespace nutshell {
namespace {

/// A cloud that `up` made, or one that has machines and no file.
struct Asked {
  std::string cloud;
  CloudSpec spec;
  std::optional<CloudRow> row;
};

Asked asked_cloud(House& house, const std::string& typed) {
  if (is_name(typed) && !house.registry().cloud(typed)) {
    const auto all = house.registry().summaries();
    if (std::any_of(all.begin(), all.end(),
                    [&](const MachineSummary& each) { return each.name.cloud == typed; }))
      return {typed, {}, std::nullopt};
  }
  const CloudRow row = find_cloud(house, typed);
  return {row.name, spec_of(row), row};
}

/// The answers are those of the cloud as it is, and its file may say otherwise by now.
void warn_of_changes(House& house, const Asked& asked) {
  if (!asked.row) return;
  const std::string& file = asked.row->file;
  try {
    if (read_cloud_file(house, file).spec != asked.spec)
      house.reporter.warn(fmt::format(
          "{} says otherwise than what is there; these answers are of what is there, and `nutshell "
          "up {}` makes it so",
          printable(file), shell_quote(file)));
  } catch (const NotFound&) {
    return;  // the cloud stands without it
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    house.reporter.warn(
        fmt::format("{} cannot be read any more: {}", printable(file), error.what()));
  }
}

void keep_machine(Answers& answers, const std::string& typed) {
  const TypedName name = parse_name(typed);
  std::erase_if(answers.machines, [&](const MachineAnswers& each) {
    return each.name != name.name || (!name.cloud.empty() && name.cloud != answers.cloud);
  });
  if (answers.machines.empty())
    throw NotFound(fmt::format("cloud {} has no machine {}; `nutshell ls` lists them",
                               answers.cloud, printable(typed)));
}

const MachineAnswers& one_machine(const Answers& answers, const std::string& what) {
  if (answers.machines.empty())
    throw NotFound(fmt::format("cloud {} has no machine, and {} is of one", answers.cloud, what));
  if (answers.machines.size() > 1) {
    std::string names;
    for (const MachineAnswers& each : answers.machines) names += " " + each.name;
    throw UsageError(fmt::format("{} is of one machine; name it after the cloud:{}", what, names));
  }
  return answers.machines.front();
}

struct Format {
  const char* word;
  std::string (*render)(const Answers&);
};
constexpr Format formats[] = {
    {"text", answers_text},
    {"env", answers_env},
    {"json", [](const Answers& answers) { return answers_json(answers).dump(true) + "\n"; }},
    {"eucalyptus", answers_eucalyptus},
    {"cloud-init", nullptr},
};

const Format& format_of(const Parsed& args) {
  const std::string word = args.value("format").value_or("text");
  for (const Format& format : formats)
    if (word == format.word) return format;
  throw UsageError(
      fmt::format("--format: '{}' is not known; use text, env, json, eucalyptus or cloud-init",
                  printable(word)));
}

void write_one(const Parsed& args, House& house, const Answers& answers) {
  const std::string path = absolute(*args.value("seed"));
  const MachineAnswers& machine = one_machine(answers, "a seed");
  const std::string words = fmt::format("the seed of {}", machine.name);
  if (house.dry()) return house.reporter.done(fmt::format("{} would be in {}", words, path));
  write_seed_to(path, seed_image(seed_of(answers, machine)), args.has("force"));
  house.reporter.done(fmt::format("{} is in {}; attach it with --disk path={},read_only=on", words,
                                  printable(path), printable(path)));
}

}  // namespace

Exit run_answers(const Parsed& args, House& house) {
  const Format& format = format_of(args);
  settle(house);
  const Asked asked = asked_cloud(house, args.word(0, "CLOUD"));
  std::vector<std::string> warnings;
  const bool for_cloud_init = args.has("seed") || !format.render;
  Answers answers = gather_answers(house, asked.cloud, asked.spec,
                                   for_cloud_init ? Keys::needed : Keys::wanted, warnings);
  if (args.words.size() > 1) keep_machine(answers, args.words[1]);
  warn_of_changes(house, asked);
  if (answers.public_ranges.empty() && !for_cloud_init)
    warnings.push_back(fmt::format(
        "cloud {} has no public range; `public` in its file gives it one", answers.cloud));
  for (const std::string& warning : warnings) house.reporter.warn(warning);

  if (args.has("seed")) {
    write_one(args, house, answers);
  } else if (!format.render) {
    const Seed seed = seed_of(answers, one_machine(answers, "what cloud-init is told"));
    house.reporter.answer(Json::object({{"user_data", seed.user_data},
                                        {"meta_data", seed.meta_data},
                                        {"network_config", seed.network_config}}),
                          seed_text(seed));
  } else {
    house.reporter.answer(answers_json(answers), format.render(answers));
  }
  return Exit::done;
}

}  // namespace nutshell
