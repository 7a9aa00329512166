import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fingerprintOf } from "../../core/roster.ts";
import { UNAUTHORIZED } from "../../core/wire.ts";
import { loadState, saveState } from "../snapshot.ts";
import { manifestOf, Rig } from "../rig_test.ts";
import { quotaView } from "./trust_views.ts";

const publicKey = (of: number) => new Uint8Array(1_952).fill(of);
const keyOf = (of: number) => fingerprintOf(publicKey(of).toBase64())!;
const ROOT = keyOf(1);
const [ANN, BEN] = [2, 3];

/** A conductor that was started with one key. */
function rooted(): Rig {
  const roots = [{ key: ROOT, publicKey: publicKey(1) }];
  const rig = new Rig({ roots });
  rig.addNode(1);
  rig.live(1_000);
  return rig;
}

let ids = 0;
const id = () => `auth-${String(++ids).padStart(6, "0")}`;

function add(rig: Rig, name: string, of: number, grant = "deployer|*|*|-"): string {
  const key = publicKey(of).toBase64();
  return rig.ask(rig.signed(`OPERATOR|${id()}|${name}|${grant}|${key}`, rig.unixS, ROOT))!;
}

function up(
  rig: Rig,
  app: string,
  of: number,
  over: { namespace?: string; generation?: number } = {},
) {
  const manifest = manifestOf(app).replace(
    /^app .*$/m,
    (head) => over.namespace === undefined ? head : `${head}\n  namespace ${over.namespace}`,
  );
  const text = `APPLY|${id()}|${app}|${over.generation ?? 1}|-|${btoa(manifest)}`;
  return rig.ask(rig.signed(text, rig.unixS, keyOf(of)));
}

Deno.test("with one --pubkey that key is admin, and the log says so", () => {
  const rig = rooted();
  const [first] = rig.log;
  assertEquals(first?.body.kind, "roots");
  assertEquals(rig.machine.state.roster.nameAt(1, ROOT), `root-${ROOT.slice(0, 12)}`);
  assertEquals(add(rig, "ann", ANN), `OK|OPERATOR|ann|${rig.log.length}`);
  rig.restart();
  rig.live(500);
  assertEquals(rig.log.filter((entry) => entry.body.kind === "roots").length, 1);
  assertEquals(up(rig, "web", ANN), "OK|APPLIED|web|1");
});

Deno.test("what a role does not permit is answered like a stranger's, and the log says exactly why", () => {
  const rig = rooted();
  add(rig, "ann", ANN, "viewer|*|*|-");
  assertEquals(up(rig, "web", ANN), UNAUTHORIZED);
  assertEquals(rig.machine.state.apps.size, 0);
  assertEquals(rig.told("command-refused"), [
    "operator ann from 127.0.0.1: APPLY web: ann is viewer, and this needs deployer",
  ]);
  assertEquals(rig.ask(rig.signed("LIST", rig.unixS, keyOf(ANN))), "OK|LIST|0|");
  assertEquals(add(rig, "ben", BEN), `OK|OPERATOR|ben|${rig.log.length}`);
  const eve = publicKey(9).toBase64();
  const byBen = rig.signed(`OPERATOR|${id()}|eve|admin|*|*|-|${eve}`, rig.unixS, keyOf(BEN));
  assertEquals(rig.ask(byBen), UNAUTHORIZED);
});

Deno.test("a refused command stays refused, also after a later grant and after a restart", () => {
  const rig = rooted();
  add(rig, "ann", ANN, "viewer|*|*|-");
  const text = `APPLY|${id()}|web|1|-|${btoa(manifestOf("web"))}`;
  const signed = rig.signed(text, rig.unixS, keyOf(ANN));
  assertEquals(rig.ask(signed), UNAUTHORIZED);
  const grant = rig.signed(`GRANT|${id()}|ann|deployer|*|*|-`, rig.unixS, ROOT);
  assert(rig.ask(grant)!.startsWith("OK|GRANT|ann|"));
  assertEquals(rig.ask(signed), UNAUTHORIZED);
  rig.restart();
  rig.live(500);
  assertEquals(rig.ask(signed), UNAUTHORIZED);
  assertEquals(rig.machine.state.apps.size, 0);
});

Deno.test("a deployer of one namespace and app stays in them", () => {
  const rig = rooted();
  add(rig, "ci", ANN, "deployer|shop|cart|-");
  assertEquals(up(rig, "cart", ANN, { namespace: "shop" }), "OK|APPLIED|cart|1");
  assertEquals(up(rig, "till", ANN, { namespace: "shop" }), UNAUTHORIZED);
  assertEquals(up(rig, "cart", ANN, { namespace: "bank", generation: 2 }), UNAUTHORIZED);
  assertEquals(up(rig, "bank", 1, { namespace: "bank" }), "OK|APPLIED|bank|1");
  const down = (app: string) => rig.signed(`DOWN|${id()}|${app}`, rig.unixS, keyOf(ANN));
  assertEquals(rig.ask(down("bank")), UNAUTHORIZED);
  assertEquals(rig.ask(down("cart")), "OK|DOWN|cart");
});

Deno.test("an app that is up does not change its namespace, and is not taken out of another's", () => {
  const rig = rooted();
  add(rig, "ann", ANN, "deployer|shop|*|-");
  assertEquals(up(rig, "web", 1, { namespace: "bank" }), "OK|APPLIED|web|1");
  const moved = up(rig, "web", 1, { namespace: "shop", generation: 2 })!;
  assert(moved.startsWith("ERR|NAMESPACE|web is up in the namespace bank"), moved);
  assertEquals(rig.ask(rig.signed(`DOWN|${id()}|web`, rig.unixS, ROOT)), "OK|DOWN|web");
  assertEquals(up(rig, "web", ANN, { namespace: "shop", generation: 2 }), UNAUTHORIZED);
  assertEquals(up(rig, "web", 1, { namespace: "shop", generation: 2 }), "OK|APPLIED|web|2");
});

Deno.test("a grant that has run out, or was taken, blocks new commands and stops nothing that runs", () => {
  const rig = rooted();
  add(rig, "ann", ANN, `deployer|*|*|${rig.unixS + 5}`);
  assertEquals(up(rig, "web", ANN), "OK|APPLIED|web|1");
  rig.live(7_000);
  assertEquals(up(rig, "web", ANN, { generation: 2 }), UNAUTHORIZED);
  assertEquals(
    rig.ask(rig.signed(`REVOKE|${id()}|ann`, rig.unixS, ROOT))!.slice(0, 14),
    "OK|REVOKE|ann|",
  );
  rig.live(1_000);
  assertEquals(rig.machine.state.apps.get("web")?.down, false);
  assertEquals(rig.machine.state.apps.get("web")?.placements.size, 1);
  // Whose key is nobody's any more is a stranger.
  rig.ask(rig.signed(`DOWN|${id()}|web`, rig.unixS, keyOf(ANN)));
  assertEquals(rig.machine.state.apps.get("web")?.down, false);
});

Deno.test("an operator rotates their own key; the old one is nobody's then", () => {
  const rig = rooted();
  add(rig, "ann", ANN);
  const rotate = `ROTATE|${id()}|ann|${publicKey(4).toBase64()}`;
  assertEquals(rig.ask(rig.signed(rotate, rig.unixS, keyOf(9))), UNAUTHORIZED);
  assert(rig.ask(rig.signed(rotate, rig.unixS, keyOf(ANN)))!.startsWith("OK|ROTATE|ann|"));
  assertEquals(up(rig, "web", ANN), UNAUTHORIZED);
  assertEquals(up(rig, "web", 4), "OK|APPLIED|web|1");
});

Deno.test("who ended their own key is told so again, and can do nothing else with it", () => {
  const rig = rooted();
  add(rig, "ann", ANN, "admin|*|*|-");
  const rotate = `ROTATE|${id()}|ann|${publicKey(4).toBase64()}`;
  const told = rig.ask(rig.signed(rotate, rig.unixS, keyOf(ANN)))!;
  assert(told.startsWith("OK|ROTATE|ann|"), told);
  const before = rig.log.length;
  rig.live(2_000);
  assertEquals(rig.ask(rig.signed(rotate, rig.unixS, keyOf(ANN))), told, "signed anew");
  const again = `ROTATE|${id()}|ann|${publicKey(5).toBase64()}`;
  assertEquals(rig.ask(rig.signed(again, rig.unixS, keyOf(ANN))), UNAUTHORIZED);
  assertEquals(rig.ask(rig.signed("LIST", rig.unixS, keyOf(ANN))), UNAUTHORIZED);
  assertEquals(rig.log.slice(before).filter((each) => each.body.kind === "refused"), []);
  assertStringIncludes(rig.told("refused").join("\n"), "no authorised key made its signature");

  const revoke = `REVOKE|${id()}|ann`;
  const gone = rig.ask(rig.signed(revoke, rig.unixS, keyOf(4)))!;
  assert(gone.startsWith("OK|REVOKE|ann|"), gone);
  assertEquals(rig.ask(rig.signed(revoke, rig.unixS + 1, keyOf(4))), gone);
  assertEquals(up(rig, "web", 4), UNAUTHORIZED);
});

Deno.test("the last admin cannot be removed", () => {
  const rig = rooted();
  const revoke = `REVOKE|${id()}|root-${ROOT.slice(0, 12)}`;
  const reply = rig.ask(rig.signed(revoke, rig.unixS, ROOT))!;
  assertEquals(reply, "ERR|OPERATOR|the last admin cannot be removed: add another first");
});

Deno.test("a namespace's quota counts replicas, RAM and CPU of all its apps", () => {
  const rig = rooted();
  const quota = (limits: string) =>
    rig.ask(rig.signed(`QUOTA|${id()}|shop|${limits}`, rig.unixS, ROOT));
  assertEquals(quota("2|-|-"), "OK|QUOTA|shop");
  assertEquals(up(rig, "one", 1, { namespace: "shop" }), "OK|APPLIED|one|1");
  assertEquals(up(rig, "two", 1, { namespace: "shop" }), "OK|APPLIED|two|1");
  const third = up(rig, "three", 1, { namespace: "shop" })!;
  assert(third.startsWith("ERR|NAMESPACE|namespace shop may have 2 replicas"), third);
  assertEquals(up(rig, "three", 1), "OK|APPLIED|three|1");
  assertEquals(up(rig, "two", 1, { namespace: "shop", generation: 2 }), "OK|APPLIED|two|2");
  const taken = { replicas: 2, ramBytes: 0, cores: 0 };
  const view = { namespace: "shop", quota: { replicas: 2 }, taken };
  assertEquals(quotaView(rig.machine.state, "shop"), view);
  assertEquals(quota("-|64|-"), "OK|QUOTA|shop");
  const ram = up(rig, "four", 1, { namespace: "shop" })!;
  assert(ram.includes("says no ram, which the quota counts"), ram);
  assertEquals(quota("-|-|-"), "OK|QUOTA|shop");
  assertEquals(quotaView(rig.machine.state, "shop"), { namespace: "shop", taken });
  assertEquals(up(rig, "four", 1, { namespace: "shop" }), "OK|APPLIED|four|1");
});

Deno.test("operators, grants and quotas come back from a snapshot", () => {
  const rig = rooted();
  add(rig, "ann", ANN, "deployer|shop|*|99999999999");
  rig.ask(rig.signed(`QUOTA|${id()}|shop|2|-|-`, rig.unixS, ROOT));
  const { state } = rig.machine;
  const again = loadState(state.head, saveState(state))!;
  assertEquals(again.roster.describe(), state.roster.describe());
  assertEquals(again.quotas, state.quotas);
  assertEquals(again.roots, state.roots);
});

Deno.test("without any key there is no operator to add", () => {
  const rig = new Rig();
  const key = publicKey(ANN).toBase64();
  const reply = rig.ask(rig.signed(`OPERATOR|${id()}|ann|admin|*|*|-|${key}`))!;
  assert(reply.startsWith("ERR|INSECURE|"), reply);
});

Deno.test("no replay is executed over clock steps of 60 s and 288 s and restarts inside the window", () => {
  for (const stepS of [-288, -60, -31, -1, 1, 31, 60, 288]) {
    for (const restarts of [false, true]) {
      const rig = rooted();
      assertEquals(up(rig, "web", 1), "OK|APPLIED|web|1");
      const evict = rig.signed("EVICT|web", rig.unixS, ROOT);
      const failed = rig.signed("EVICT|late", rig.unixS, ROOT);
      assertEquals(rig.ask(failed), "ERR|not found: late");
      assertEquals(rig.ask(evict), "OK|EVICTED|web");
      assertEquals(up(rig, "web", 1, { generation: 2 }), "OK|APPLIED|web|2");
      assertEquals(up(rig, "late", 1), "OK|APPLIED|late|1");
      rig.wallMs += stepS * 1_000;
      if (restarts) rig.restart();
      // Over two minutes, so that every mark that time may have made harmless is forgotten.
      for (let at = 0; at < 24; at++) {
        rig.live(5_000);
        for (const replay of [evict, failed]) assertEquals(rig.ask(replay), UNAUTHORIZED);
        if (restarts && at % 8 === 0) rig.restart();
      }
      rig.wallMs -= stepS * 1_000;
      for (const replay of [evict, failed]) assertEquals(rig.ask(replay), UNAUTHORIZED);
      const { apps } = rig.machine.state;
      assertEquals([apps.get("web")!.down, apps.get("late")!.down], [false, false]);
    }
  }
});
