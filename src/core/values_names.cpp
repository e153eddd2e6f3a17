// Names of machines, clouds and interfaces. A name becomes a directory, a link alias, a DNS label
// and a volume name, so it may hold nothing that any of those reads in its own way; what is wrong
// with one is said in words.
#include "nutshell/error.hpp"
#include "nutshell/values.hpp"

namespace nutshell {
namespace {

constexpr std::size_t longest_name = 32;

bool is_name_byte(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

std::string fault_of_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (c >= 'A' && c <= 'Z') return "capital letters are not allowed";
  if (c == ' ') return "spaces are not allowed";
  if (c == ',') return "commas are not allowed";
  if (c == '/') return "'/' is allowed only once, between cloud and name";
  if (c == '\n' || c == '\r') return "newlines are not allowed";
  if (c == '\x1b') return "escape sequences are not allowed";
  if (c == '\0') return "NUL bytes are not allowed";
  if (byte < 0x20 || byte == 0x7f) return "control characters are not allowed";
  if (byte >= 0x80) return "only ASCII letters are allowed";
  return std::string("'") + c + "' is not allowed";
}

std::string shown(std::string_view text) {
  return "name \"" + printable(text.substr(0, 40)) + (text.size() > 40 ? "...\"" : "\"");
}

[[noreturn]] void refuse(std::string_view text, const std::string& fault) {
  throw ConfigError(shown(text),
                    fault + "; a name is 1 to 32 of a-z, 0-9 and '-', with no '-' at either end");
}

}  // namespace

std::string to_string(const MachineName& name) {
  return name.cloud == "default" ? name.name : name.cloud + "/" + name.name;
}

bool is_name(std::string_view part) { return name_fault(part).empty(); }

std::string name_fault(std::string_view part) {
  if (part.empty()) return "it is empty";
  if (part.find("..") != std::string_view::npos) return "'..' is not allowed";
  for (const char c : part)
    if (!is_name_byte(c)) return fault_of_byte(c);
  if (part.size() > longest_name)
    return "it has " + std::to_string(part.size()) + " characters and at most " +
           std::to_string(longest_name) + " are allowed";
  if (part.front() == '-') return "it may not begin with '-'";
  if (part.back() == '-') return "it may not end with '-'";
  return "";
}

TypedName parse_name(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    if (const std::string fault = name_fault(text); !fault.empty()) refuse(text, fault);
    return {"", std::string(text)};
  }
  const std::string_view cloud = text.substr(0, slash), name = text.substr(slash + 1);
  if (cloud.empty()) refuse(text, "the part before '/' is empty");
  if (name.empty()) refuse(text, "the part after '/' is empty");
  if (const std::string fault = name_fault(cloud); !fault.empty())
    refuse(text, "before '/': " + fault);
  if (const std::string fault = name_fault(name); !fault.empty())
    refuse(text, "after '/': " + fault);
  return {std::string(cloud), std::string(name)};
}

bool is_interface_name(std::string_view text) {
  if (text.empty() || text.size() > 15 || text == "." || text == "..") return false;
  for (const char c : text) {
    // The kernel's isspace also counts 0xa0.
    const bool space = c == ' ' || (c >= '\t' && c <= '\r') || c == '\xa0';
    if (space || c == '/' || c == ':' || c == '%' || c == '\0') return false;
  }
  return true;
}

}  // namespace nutshell
