import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { RosterCommand } from "./roster.ts";
import { fingerprintOf, rootName, Roster } from "./roster.ts";

const publicKey = (of: number) => new Uint8Array(1_952).fill(of).toBase64();
const keyOf = (of: number) => fingerprintOf(publicKey(of))!;
const ROOT = { key: keyOf(1), publicKey: new Uint8Array(1_952).fill(1) };
const NOW_S = 1_800_000_000;
const id = "an-id-123";

function rooted(): Roster {
  const roster = new Roster();
  roster.addRoot(ROOT);
  return roster;
}

function operator(name: string, of: number, over: Partial<RosterCommand> = {}): RosterCommand {
  return {
    verb: "OPERATOR",
    id,
    name,
    role: "deployer",
    namespaces: "*",
    apps: "*",
    until: "-",
    publicKey: publicKey(of),
    ...over,
  } as RosterCommand;
}

Deno.test("Roster: a root is an admin from the beginning", () => {
  const roster = rooted();
  assertEquals(roster.whyNot(1, ROOT.key, "admin", {}, NOW_S), null);
  assertEquals(roster.nameAt(1, ROOT.key), rootName(ROOT.key));
  assert(roster.whyNot(1, keyOf(2), "viewer", {}, NOW_S)!.includes("no operator's"));
});

Deno.test("Roster: each role may what its name says, and all may look", () => {
  const roster = rooted();
  const roles = ["admin", "deployer", "viewer", "exec"] as const;
  roles.forEach((role, at) => roster.apply(at + 1, operator(role, at + 2, { role })));
  const may = roles.map((_, at) =>
    roles.filter((needed) => roster.whyNot(9, keyOf(at + 2), needed, {}, NOW_S) === null)
  );
  assertEquals(may, [
    ["admin", "deployer", "viewer", "exec"],
    ["deployer", "viewer"],
    ["viewer"],
    ["viewer", "exec"],
  ]);
});

Deno.test("Roster: a grant ends where its namespaces, apps or time end", () => {
  const roster = rooted();
  roster.apply(1, operator("ci", 2, { namespaces: "shop", apps: "cart", until: `${NOW_S}` }));
  const why = (namespace: string, app: string, unixS: number) =>
    roster.whyNot(2, keyOf(2), "deployer", { namespace, app }, unixS);
  assertEquals(why("shop", "cart", NOW_S), null);
  assert(why("shop", "cart", NOW_S + 1)!.includes("was deployer until"));
  assert(why("bank", "cart", NOW_S)!.includes("only in the namespace shop"));
  assert(why("shop", "till", NOW_S)!.includes("only of cart"));
  assert(roster.whyNot(2, keyOf(2), "deployer", {}, NOW_S)!.includes("only"));
  // A second grant adds to the first.
  roster.apply(2, {
    verb: "GRANT",
    id,
    name: "ci",
    role: "deployer",
    namespaces: "*",
    apps: "till",
    until: "-",
  });
  assertEquals(roster.whyNot(3, keyOf(2), "deployer", { namespace: "x", app: "till" }, 0), null);
  roster.apply(3, { verb: "UNGRANT", id, name: "ci", grant: "2" });
  assert(roster.whyNot(4, keyOf(2), "deployer", { namespace: "x", app: "till" }, 0) !== null);
});

Deno.test("Roster: a record is judged by the keys valid at its place in the log", () => {
  const roster = rooted();
  roster.apply(5, operator("ann", 2));
  roster.apply(8, { verb: "ROTATE", id, name: "ann", publicKey: publicKey(3) });
  roster.apply(11, { verb: "REVOKE", id, name: "ann" });
  const may = (sequence: number, of: number) =>
    roster.whyNot(sequence, keyOf(of), "deployer", {}, NOW_S) === null;
  assertEquals([5, 6, 8, 9].map((at) => may(at, 2)), [false, true, true, false]);
  assertEquals([8, 9, 11, 12].map((at) => may(at, 3)), [false, true, true, false]);
});

Deno.test("Roster: the last admin cannot be removed", () => {
  const roster = rooted();
  const root = rootName(ROOT.key);
  const revoke = { verb: "REVOKE", id, name: root } as const;
  assert(roster.whyNotChange(1, revoke)!.includes("last admin"));
  assert(roster.whyNotChange(1, { verb: "UNGRANT", id, name: root, grant: "0" })!.includes("last"));
  // One whose time runs out does not count.
  roster.apply(1, operator("guest", 2, { role: "admin", until: `${NOW_S}` }));
  assert(roster.whyNotChange(2, revoke)!.includes("last admin"));
  roster.apply(2, operator("ann", 3, { role: "admin" }));
  assertEquals(roster.whyNotChange(3, revoke), null);
  roster.apply(3, revoke);
  assert(roster.whyNotChange(4, { verb: "REVOKE", id, name: "ann" })!.includes("last admin"));
});

Deno.test("Roster: names and keys are never used twice, and an admin is never bounded", () => {
  const roster = rooted();
  roster.apply(1, operator("ann", 2));
  roster.apply(2, { verb: "REVOKE", id, name: "ann" });
  assert(roster.whyNotChange(3, operator("ann", 3))!.includes("is or was taken"));
  assert(roster.whyNotChange(3, operator("eve", 2))!.includes("is or was ann's"));
  const bounded = operator("eve", 3, { role: "admin", namespaces: "shop" });
  assert(roster.whyNotChange(3, bounded)!.includes("cannot be bounded"));
  assert(roster.whyNotChange(3, operator("eve", 3, { publicKey: "AAAA" }))!.includes("1952"));
});

Deno.test("Roster: whatever is tried, somebody stays admin, and load() restores save()", () => {
  const name = fc.constantFrom(rootName(ROOT.key), "ann", "ben");
  const change = fc.oneof(
    fc.record({
      name,
      of: fc.integer({ min: 2, max: 6 }),
      role: fc.constantFrom("admin", "viewer"),
      until: fc.constantFrom("-", "5"),
    }).map(({ name, of, role, until }) => operator(name, of, { role, until })),
    name.map((name): RosterCommand => ({ verb: "REVOKE", id, name })),
    fc.tuple(name, fc.integer({ min: 0, max: 9 })).map(([name, grant]): RosterCommand => ({
      verb: "UNGRANT",
      id,
      name,
      grant: `${grant}`,
    })),
    fc.tuple(name, fc.integer({ min: 2, max: 9 })).map(([name, of]): RosterCommand => ({
      verb: "ROTATE",
      id,
      name,
      publicKey: publicKey(of),
    })),
  );
  fc.assert(fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
    const roster = rooted();
    changes.forEach((each, at) => roster.apply(at + 1, each));
    const end = changes.length + 1;
    const admins = roster.keysAt(end).filter(({ key }) =>
      roster.whyNot(end, key, "admin", {}, Infinity) === null
    );
    assert(admins.length > 0);
    const again = Roster.load(JSON.parse(JSON.stringify(roster.save())));
    assertEquals(again.describe(), roster.describe());
  }));
});
