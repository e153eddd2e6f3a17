// What people and programs read: aligned tables, colour on terminals only, one live line per step,
// JSON when asked.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "app/options.hpp"
#include "nutshell/json.hpp"

namespace nutshell {

/// Rows of cells under headings, aligned by the widest cell; the last column is never padded.
struct Table {
  std::vector<std::string> headings;
  std::vector<std::vector<std::string>> rows;
  [[nodiscard]] std::string text(bool bold_headings) const;
};

/// {"NAME": [ITEM, ...]} whose items become text as they come: as a tree, a list of a thousand
/// machines would take ten times the memory of its text.
class JsonList {
 public:
  explicit JsonList(std::string name) : name_(std::move(name)) {}
  void push(const Json& item);
  /// One more member of the whole, behind the list.
  void member(const std::string& name, const Json& value);
  /// The whole, as Json::dump(true) would write it.
  [[nodiscard]] std::string text() const;

 private:
  std::string name_, items_, members_;
};

class Reporter {
 public:
  explicit Reporter(const GlobalOptions& options);

  /// To stdout: the answer of the command, as JSON or as text.
  void answer(const Json& json, const std::string& text) const;
  void answer(const Json& json, const Table& table) const;
  void answer(const JsonList& list, const Table& table) const;
  /// To stderr: what goes on. A step is shown as a live line on a terminal, as a plain line with
  /// --verbose, else not at all.
  void step(const std::string& what);
  void steps_over();
  /// How far a long step is: on a terminal alone, in place of its line.
  void progress(const std::string& what);
  /// To stderr, unless --quiet.
  void note(const std::string& sentence);
  /// The closing sentence of a command that answers nothing else: a note, or {"done": SENTENCE} on
  /// stdout with --json.
  void done(const std::string& sentence);
  void warn(const std::string& sentence);
  /// To stderr, always.
  void error(const std::string& sentence, int exit);

  [[nodiscard]] bool json() const { return json_; }
  [[nodiscard]] bool colour() const { return colour_; }
  /// A state's word in its colour, where there is colour.
  [[nodiscard]] std::string state(const std::string& word) const;

 private:
  bool json_, quiet_, verbose_, live_, colour_, errors_colour_;
  bool line_open_ = false;
};

/// Writes all of `text` to stdout; a reader that went away (EPIPE) ends the process quietly, a full
/// disk is an error.
void print(const std::string& text);

}  // namespace nutshell
