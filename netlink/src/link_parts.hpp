// What several nouns of this library need of links: parsing one, naming it in an error, making one.
// Private.
#pragma once

#include <functional>
#include <string>

#include "message.hpp"
#include "nl/link.hpp"
#include "wire.hpp"

namespace nl {

/// The link in an RTM_NEWLINK message.
Link parse_link(nlmsghdr* message);
/// "link br0": asks for the name where only an index is known. For error paths; never throws.
std::string link_subject(Socket& socket, const LinkRef& link);
/// Throws nl::Error for `operation` on `link` if `answer` is one.
void check(Socket& socket, const Answer& answer, const LinkRef& link, const std::string& operation);
/// Throws if `name` cannot be a link's.
void require_name(const std::string& name, const std::string& operation);
/// The raw RTM_NEWLINK message of one link, given to `each`; false if there is none.
bool get_link(Socket& socket, const LinkRef& link, const std::function<void(nlmsghdr*)>& each);
/// Makes a link of `kind`, exclusively; `attributes` and `data` fill the message and its
/// IFLA_INFO_DATA.
void make_link(Socket& socket, const std::string& name, const std::string& kind,
               const std::function<void(Message&)>& attributes,
               const std::function<void(Message&)>& data);

}  // namespace nl
