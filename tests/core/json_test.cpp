// JSON in and out, and what a hostile text may not do: exhaust the stack, lose a member, throw
// anything but Failed.
#include "nutshell/json.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "core/problems.hpp"
#include "nutshell/values.hpp"

using namespace nutshell;

namespace {
std::string refused(const std::string& text) {
  try {
    Json::parse(text);
    return "";
  } catch (const Failed& error) {
    return error.what();
  }
}
std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }
}  // namespace

TEST_CASE("every kind of value goes out and comes back") {
  const Json json =
      Json::object({{"null", nullptr},
                    {"yes", true},
                    {"int", 7},
                    {"big", std::int64_t{9223372036854775807}},
                    {"small", std::numeric_limits<std::int64_t>::min()},
                    {"real", 1.5},
                    {"text", "a\"b\\c\n\x01 caf\xc3\xa9"},
                    {"list", Json::array({1, "two", Json::array(), Json::object()})}});
  CHECK(Json::parse(json.dump()) == json);
  CHECK(Json::parse(json.dump(true)) == json);
  CHECK(json.dump().find('\n') == std::string::npos);
}

TEST_CASE("objects keep their order") {
  CHECK(Json::object({{"z", 1}, {"a", 2}}).dump() == R"({"z":1,"a":2})");
  CHECK(Json::parse(R"({"z":1,"a":{"y":1,"b":2}})").dump() == R"({"z":1,"a":{"y":1,"b":2}})");
  CHECK(Json::object({{"a", Json::array({1})}}).dump(true) == "{\n  \"a\": [\n    1\n  ]\n}");
}

TEST_CASE("numbers past 64 bits become reals, those that no real holds are refused") {
  CHECK(Json::parse("9223372036854775807").as_integer() == 9223372036854775807);
  CHECK_FALSE(Json::parse("9223372036854775808").is_integer());
  CHECK(Json::parse("18446744073709551615").as_double() == doctest::Approx(1.8446744e19));
  CHECK(Json::parse("-99999999999999999999").is_number());
  CHECK_FALSE(refused("1e999").empty());
}

TEST_CASE("text that is not UTF-8 is replaced on the way out and refused on the way in") {
  CHECK(Json("a\xff").dump() == "\"a\xef\xbf\xbd\"");
  CHECK(Json::object({{"\xff", 1}}).dump() == "{\"\xef\xbf\xbd\":1}");
  CHECK_FALSE(refused("\"\xff\"").empty());
}

TEST_CASE("nesting is counted") {
  CHECK(Json::parse(nested(200)).is_array());
  CHECK(contains(refused(nested(201)), "200 deep"));
  CHECK(contains(refused(std::string(5000000, '[')), "200 deep"));
  std::string objects;
  for (int i = 0; i < 1000; ++i) objects += "{\"a\":";
  CHECK(contains(refused(objects), "200 deep"));
}

TEST_CASE("what is no JSON is refused with its place, printable") {
  for (const std::string text :
       {"",      " ",    "{",          "}",   "[1,]",   "{\"a\"}", "{\"a\":1,}",
        "nul",   "01",   "+1",         "'a'", "\"",     "\"\\x\"", "1 2",
        "[1] x", "\x1b", "{\"a\":1}}", "NaN", "\"\n\"", "// c\n1", "\"\\ud800\""}) {
    const std::string said = refused(text);
    CHECK_MESSAGE(contains(said, "not valid JSON"), text);
    CHECK(said == printable(said));
    CHECK_FALSE(Json::try_parse(text));
  }
  CHECK(contains(refused("[1, x]"), "byte 5"));
  CHECK(contains(refused(R"({"a":1,"a":2})"), "twice"));
  CHECK(refused(R"({"a":{"b":1},"b":2})").empty());
  CHECK(Json::try_parse("{}"));
}

TEST_CASE("asking for the wrong type names the expected one") {
  const Json text("x");
  CHECK_THROWS_AS((void)text.as_bool(), Failed);
  CHECK_THROWS_AS((void)text.as_integer(), Failed);
  CHECK_THROWS_AS((void)text.as_double(), Failed);
  CHECK_THROWS_AS((void)text.as_array(), Failed);
  CHECK_THROWS_AS((void)text.as_object(), Failed);
  CHECK_THROWS_AS((void)Json(1).as_string(), Failed);
  CHECK_THROWS_AS((void)Json(1.5).as_integer(), Failed);
  CHECK(Json(2).as_double() == 2.0);
  CHECK_THROWS_WITH_AS((void)Json::object().at("pid"), "the JSON value has no member \"pid\"",
                       Failed);
}

TEST_CASE("members are found, defaulted, set and replaced") {
  Json json;
  json.set("a", 1).set("b", "two").set("a", 3);
  CHECK(json.dump() == R"({"a":3,"b":"two"})");
  CHECK(json.integer("a") == 3);
  CHECK(json.integer("b", 9) == 9);
  CHECK(json.text("b") == "two");
  CHECK(json.text("none", "x") == "x");
  CHECK(json.flag("none", true));
  CHECK(json.find("none") == nullptr);
  CHECK(Json(1).find("a") == nullptr);
  Json list;
  list.push(1).push("x");
  CHECK(list.dump() == R"([1,"x"])");
  CHECK_THROWS_AS(list.set("a", 1), Failed);
  CHECK_THROWS_AS(json.push(1), Failed);
}
