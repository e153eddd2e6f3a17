// The answers of a cloud, gathered from its file, the registry and the host.
#pragma once
#include <string>
#include <vector>

#include "app/house.hpp"
#include "nutshell/answers.hpp"
#include "nutshell/cloud.hpp"

namespace nutshell {

/// What the host shows: links, addresses, routes, name servers, managed networks.
AnswersHost observe_answers_host(House& house);
/// The public keys of a wish: lines as they are, and those of files that are named (a leading ~/ is
/// the home of whoever asks). Throws NotFound, ConfigError at the file's line (a private key, no
/// key), SystemError.
std::vector<std::string> read_ssh_keys(const AnswersWish& wish);
enum class Keys { needed, wanted };
/// Of all machines of a cloud, in the order of its file. What is not known is said in `warnings`,
/// and so are keys that cannot be read where they are only wanted; where they are needed it throws
/// as read_ssh_keys().
Answers gather_answers(House& house, const std::string& cloud, const CloudSpec& spec, Keys keys,
                       std::vector<std::string>& warnings);

}  // namespace nutshell
