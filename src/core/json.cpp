// The only file that knows the JSON library. Text is parsed by its event interface straight into
// our own value, so that the nesting is counted before it can exhaust the stack, and a name that
// stands twice in one object is refused instead of one of the two being dropped in silence.
#include "nutshell/json.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "nutshell/error.hpp"
#include "nutshell/values.hpp"

namespace nutshell {
namespace {

using Foreign = nlohmann::ordered_json;
constexpr std::size_t deepest = 200;

bool has_twin(const Json::Object& members) {
  std::vector<std::string_view> names;
  names.reserve(members.size());
  for (const auto& [name, value] : members) names.push_back(name);
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}

/// Receives the parser's events and builds the value; returning false stops the parser.
class Builder {
 public:
  Json result;
  std::string fault;

  bool null() { return add(Json()); }
  bool boolean(bool value) { return add(Json(value)); }
  bool number_integer(std::int64_t value) { return add(Json(value)); }
  bool number_unsigned(std::uint64_t value) {
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
    return add(value > most ? Json(static_cast<double>(value)) : Json(value));
  }
  bool number_float(double value, const std::string&) { return add(Json(value)); }
  bool string(std::string& value) { return add(Json(std::move(value))); }
  bool binary(Foreign::binary_t&) { return false; }
  bool start_object(std::size_t) { return open(Json(Json::Object())); }
  bool start_array(std::size_t) { return open(Json(Json::Array())); }
  bool key(std::string& name) {
    open_.back().next = std::move(name);
    return true;
  }
  bool end_object() {
    if (has_twin(open_.back().value.as_object())) {
      fault = "a name stands twice in one object";
      return false;
    }
    return close();
  }
  bool end_array() { return close(); }
  bool parse_error(std::size_t position, const std::string&, const std::exception& error) {
    std::string_view why = error.what();
    if (const auto end = why.find("] "); end != std::string_view::npos) why.remove_prefix(end + 2);
    fault = "byte " + std::to_string(position) + ": " + printable(why);
    return false;
  }

 private:
  struct Open {
    Json value;
    std::string next;  ///< the name that the next member of an object gets
  };
  std::vector<Open> open_;

  bool open(Json empty) {
    if (open_.size() >= deepest) {
      fault = "it is nested more than " + std::to_string(deepest) + " deep";
      return false;
    }
    open_.push_back({std::move(empty), {}});
    return true;
  }
  bool close() {
    Json value = std::move(open_.back().value);
    open_.pop_back();
    return add(std::move(value));
  }
  bool add(Json value) {
    if (open_.empty()) {
      result = std::move(value);
    } else if (open_.back().value.is_array()) {
      open_.back().value.push(std::move(value));
    } else {
      open_.back().value.append(std::move(open_.back().next), std::move(value));
    }
    return true;
  }
};

/// A value without members, as the library writes it: it knows escapes, reals and broken UTF-8.
std::string scalar(const Json& json) {
  Foreign value;
  if (json.is_bool()) value = json.as_bool();
  if (json.is_integer())
    value = json.as_integer();
  else if (json.is_number())
    value = json.as_double();
  if (json.is_string()) value = json.as_string();
  return value.dump(-1, ' ', false, Foreign::error_handler_t::replace);
}

/// Lists and objects are written from our own value: a copy in the library's would take as much
/// memory again, and a list of a thousand machines is large.
class Writer {
 public:
  explicit Writer(bool pretty) : pretty_(pretty) {}
  std::string out;

  void write(const Json& json, std::size_t depth = 0) {
    if (json.is_array()) {
      const auto& items = json.as_array();
      write_all('[', ']', items.size(), depth, [&](std::size_t i) { write(items[i], depth + 1); });
    } else if (json.is_object()) {
      const auto& members = json.as_object();
      write_all('{', '}', members.size(), depth, [&](std::size_t i) {
        out += scalar(Json(members[i].first)) + (pretty_ ? ": " : ":");
        write(members[i].second, depth + 1);
      });
    } else {
      out += scalar(json);
    }
  }

 private:
  bool pretty_;

  template <class Each>
  void write_all(char open, char close, std::size_t count, std::size_t depth, Each each) {
    out += open;
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) out += ',';
      if (pretty_) out.append("\n").append(2 * (depth + 1), ' ');
      each(i);
    }
    if (pretty_ && count > 0) out.append("\n").append(2 * depth, ' ');
    out += close;
  }
};

/// The whole text, or the reason why it is none.
std::optional<Json> read(std::string_view text, std::string& fault) {
  Builder builder;
  const bool whole = Foreign::sax_parse(text.begin(), text.end(), &builder);
  if (whole) return std::move(builder.result);
  fault = std::move(builder.fault);
  return std::nullopt;
}

}  // namespace

std::string Json::dump(bool pretty) const {
  Writer writer(pretty);
  writer.write(*this);
  return std::move(writer.out);
}

Json Json::parse(std::string_view text) {
  std::string fault;
  std::optional<Json> json = read(text, fault);
  if (!json) throw Failed("this is not valid JSON: " + fault);
  return *std::move(json);
}

std::optional<Json> Json::try_parse(std::string_view text) {
  std::string fault;
  return read(text, fault);
}

}  // namespace nutshell
