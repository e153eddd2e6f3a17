// What setup would change, and what of it goes when it is taken back.
#include "nutshell/setup.hpp"

#include <doctest/doctest.h>

#include "nutshell/error.hpp"

using namespace nutshell;

namespace {

/// A host that lacks nothing.
SetupFacts complete() {
  SetupFacts facts;
  facts.bridge_conf.path = "/etc/qemu/bridge.conf";
  facts.user_conf.path = "/etc/qemu/bridge.alice.conf";
  facts.modprobe.path = "/etc/modprobe.d/nutshell-kvm.conf";
  facts.udev_rule.path = "/etc/udev/rules.d/65-nutshell-kvm.rules";
  facts.udev = true;
  facts.helper = "/usr/lib/qemu/qemu-bridge-helper";
  facts.helper_is = FileRights{0, 0, 04755};
  facts.helper_may = true;
  facts.qemu_user = true;
  facts.kvm_group = 105;
  facts.kvm_is = FileRights{0, 105, 0660};
  facts.module = "kvm_amd";
  facts.nested = true;
  return facts;
}

std::string words(const SetupPlan& plan) {
  std::string text;
  for (const SetupChange& change : plan.changes)
    text += (change.path.empty() ? change.name : change.path) + "\n";
  return text;
}

SetupChange file(std::optional<std::string> before, std::string after) {
  SetupChange change;
  change.before = std::move(before);
  change.after = std::move(after);
  return change;
}

}  // namespace

TEST_CASE("a host that lacks nothing is left alone") {
  CHECK(plan_setup({}, complete()).changes.empty());
  SetupFacts facts = complete();
  facts.bridge_conf.text = "allow br0\n";
  CHECK(plan_setup({{"br0"}, ""}, facts).changes.empty());
}

TEST_CASE("a bridge is allowed by one line at the end, and the helper may make taps") {
  SetupFacts facts = complete();
  facts.bridge_conf.text = "deny br9";
  facts.bridge_conf.rights = FileRights{0, 105, 0640};
  facts.helper_is->mode = 0755;
  facts.helper_may = false;
  const SetupPlan plan = plan_setup({{"br0", "br1"}, ""}, facts);
  REQUIRE(words(plan) == "/etc/qemu/bridge.conf\n/usr/lib/qemu/qemu-bridge-helper\n");
  CHECK(plan.changes[0].after.starts_with("deny br9\n# Written by"));
  CHECK(plan.changes[0].after.ends_with("\nallow br0\nallow br1\n"));
  CHECK(plan.changes[0].new_rights == FileRights{0, 105, 0640});
  CHECK(plan.changes[1].new_rights == FileRights{0, 0, 04755});
}

TEST_CASE("what keeps users off a bridge all the same is named, or put right") {
  SetupFacts facts = complete();
  facts.denials = {{"/etc/qemu/bridge.conf", "deny all"}};
  CHECK_THROWS_AS(plan_setup({{"br0"}, ""}, facts), Conflict);
  CHECK(plan_setup({}, facts).changes.empty());
  facts.denials.clear();
  facts.bridge_conf.text = "# mine\n";
  facts.bridge_conf.rights = FileRights{0, 0, 0600};
  CHECK(plan_setup({{"br0"}, ""}, facts).changes.at(0).new_rights == FileRights{0, 0, 0644});
  facts.bridge_conf.text = "allow br0\n";
  SetupPlan plan = plan_setup({{"br0"}, ""}, facts);
  REQUIRE(plan.changes.size() == 1);
  CHECK(plan.changes[0].kind == SetupChange::Kind::rights);
  CHECK(plan.changes[0].new_rights == FileRights{0, 0, 0644});
  facts.bridge_conf.rights = FileRights{0, 105, 0640};
  plan = plan_setup({{"br0"}, ""}, facts);
  CHECK(plan.changes.empty());
  CHECK(plan.remarks.at(0).find("the group 105 alone") != std::string::npos);
  facts.user_group = 105;
  facts.user_conf.text = "allow br0\n";
  CHECK(plan_setup({{"br0"}, "alice"}, facts).remarks.empty());
  facts.user_conf.rights = FileRights{0, 105, 0640};
  facts.bridge_conf.text = "include /etc/qemu/bridge.alice.conf\n";
  CHECK(plan_setup({{"br0"}, "alice"}, facts).changes.empty());
  facts.user_conf.rights = FileRights{0, 0, 0640};
  plan = plan_setup({{"br0"}, "alice"}, facts);
  REQUIRE(words(plan) == "/etc/qemu/bridge.alice.conf\n");
  CHECK(plan.changes[0].kind == SetupChange::Kind::rights);
  CHECK(plan.changes[0].new_rights == FileRights{0, 105, 0640});
}

TEST_CASE("a folder that QEMU may not look into is opened, with no bridge wished, too") {
  SetupFacts facts = complete();
  facts.folder = "/etc/qemu";
  facts.folder_is = FileRights{0, 0, 0755};
  CHECK(plan_setup({}, facts).changes.empty());
  facts.folder_is->mode = 0700;
  const SetupPlan plan = plan_setup({}, facts);
  REQUIRE(words(plan) == "/etc/qemu\n");
  CHECK(plan.changes[0].old_rights == FileRights{0, 0, 0700});
  CHECK(plan.changes[0].new_rights == FileRights{0, 0, 0755});
}

TEST_CASE("one user's bridge is in a file that only his group may read") {
  SetupFacts facts = complete();
  facts.user_conf.missing_directories = facts.bridge_conf.missing_directories = {"/etc/qemu"};
  CHECK_THROWS_AS(plan_setup({{"br0"}, "alice"}, facts), NotFound);
  facts.user_group = 1000;
  const SetupPlan plan = plan_setup({{"br0"}, "alice"}, facts);
  REQUIRE(words(plan) == "/etc/qemu/bridge.alice.conf\n/etc/qemu/bridge.conf\n");
  CHECK(plan.changes[0].new_rights == FileRights{0, 1000, 0640});
  CHECK(plan.changes[0].directories.size() == 1);
  CHECK(plan.changes[1].directories.empty());
  CHECK(plan.changes[1].after.ends_with("\ninclude /etc/qemu/bridge.alice.conf\n"));
  CHECK_THROWS_AS(plan_setup({{}, "alice"}, facts), UsageError);
}

TEST_CASE("without a helper there is no bridge for ordinary users") {
  SetupFacts facts = complete();
  facts.helper.clear();
  facts.helper_is.reset();
  CHECK_THROWS_AS(plan_setup({{"br0"}, ""}, facts), NotFound);
  CHECK(plan_setup({}, facts).changes.empty());
}

TEST_CASE("nesting: an option, and the module anew where no machine runs") {
  SetupFacts facts = complete();
  facts.nested = false;
  CHECK(words(plan_setup({}, facts)) == "/etc/modprobe.d/nutshell-kvm.conf\nkvm_amd\n");
  facts.module_users = 1;
  SetupPlan plan = plan_setup({}, facts);
  CHECK(words(plan) == "/etc/modprobe.d/nutshell-kvm.conf\n");
  CHECK(plan.remarks.size() == 1);
  facts.built_in = true;
  plan = plan_setup({}, facts);
  CHECK(plan.changes.empty());
  CHECK(plan.remarks.size() == 1);
  facts.module.clear();
  CHECK(plan_setup({}, facts).remarks.empty());
}

TEST_CASE("/dev/kvm gets its group, with a rule that keeps it") {
  SetupFacts facts = complete();
  facts.kvm_is = FileRights{0, 0, 0600};
  facts.kvm_group.reset();
  const SetupPlan plan = plan_setup({}, facts);
  REQUIRE(words(plan) == "kvm\n/etc/udev/rules.d/65-nutshell-kvm.rules\n/dev/kvm\n");
  CHECK(plan.changes[2].group == "kvm");
  CHECK(plan.changes[2].new_rights.mode == 0660);
  facts.kvm_is->mode = 0666;
  CHECK(plan_setup({}, facts).changes.empty());
}

TEST_CASE("a file gets back what it had") {
  const SetupChange made = file(std::nullopt, "# ours\nallow br0\n");
  CHECK(restored_text(made, "# ours\nallow br0\n").remove);
  CHECK(restored_text(made, std::nullopt).leave);
  const SetupChange longer = file("deny br9", "deny br9\n# ours\nallow br0\n");
  CHECK(restored_text(longer, longer.after).text == "deny br9");
  CHECK_FALSE(restored_text(longer, longer.after).others_changed_it);
  CHECK(restored_text(longer, "deny br9").leave);
}

TEST_CASE("of a file that others have changed since, our lines alone go") {
  const SetupChange change = file("deny br9\n", "deny br9\n# ours\nallow br0\n");
  const Restored some = restored_text(change, "deny br9\n# ours\nallow br0\nallow br7\n");
  CHECK(some.others_changed_it);
  CHECK(some.text == "deny br9\nallow br7\n");
  const Restored alone = restored_text(file(std::nullopt, "# ours\nallow br0\n"), "allow br0\n");
  CHECK(alone.remove);
  const Restored gone = restored_text(change, std::nullopt);
  CHECK(gone.leave);
  CHECK(gone.others_changed_it);
}

TEST_CASE("a change is read back as it was written") {
  SetupFacts facts = complete();
  facts.kvm_is = FileRights{0, 0, 0600};
  facts.nested = facts.qemu_user = facts.helper_may = false;
  facts.kvm_group.reset();
  facts.bridge_conf.missing_directories = {"/etc/qemu"};
  const SetupPlan plan = plan_setup({{"br0"}, ""}, facts);
  CHECK(plan.changes.size() == 8);
  for (const SetupChange& change : plan.changes)
    CHECK(setup_change_from_json(to_json(change)) == change);
  CHECK_THROWS(setup_change_from_json(Json::object({{"kind", "no such"}})));
}
