// who: from a value to its owner, ours or a stranger.
#include <fmt/format.h>

#include "app/cmd.hpp"
#include "app/owners.hpp"
#include "app/settle.hpp"

namespace nutshell {

Exit run_who(const Parsed& args, House& house) {
  const std::string& value = args.word(0, "VALUE");
  settle(house);
  const std::vector<Owner> owners = find_owners(house, value);
  if (owners.empty())
    throw NotFound(
        value.size() <= 5 && value.find_first_not_of("0123456789") == std::string::npos
            ? fmt::format("there is no process {0}, and nobody has a port of that number", value)
            : fmt::format("nobody is known to have {}; `nutshell lease ls` lists what is leased",
                          printable(value)));
  Json list = Json::array();
  std::string text;
  const auto or_null = [](const std::string& words) {
    return words.empty() ? Json() : Json(words);
  };
  for (const Owner& owner : owners) {
    list.push(Json::object({{"what", owner.what},
                            {"value", value},
                            {"cloud", or_null(owner.cloud)},
                            {"machine", or_null(owner.machine)},
                            {"detail", or_null(owner.detail)},
                            {"since", or_null(owner.since)},
                            {"foreign", or_null(owner.foreign)}}));
    text +=
        owner.foreign.empty()
            ? fmt::format(
                  "{}: {}{}{}{}\n", printable(value),
                  owner.machine.empty() ? "" : to_string(MachineName{owner.cloud, owner.machine}),
                  owner.machine.empty() || owner.detail.empty() ? "" : ", ", owner.detail,
                  owner.since.empty() ? "" : ", since " + owner.since)
            : fmt::format("{}: not nutshell's: {}\n", printable(value), owner.foreign);
  }
  house.reporter.answer(Json::object({{"owners", list}}), text);
  return Exit::done;
}

}  // namespace nutshell
