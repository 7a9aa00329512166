// Thousands of namespaces: what an operator may heap up is bounded, and reads stay whole.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { QUOTAS } from "../../core/limits.ts";
import { Rig } from "../rig_test.ts";
import { saveState } from "../snapshot.ts";
import { operatorsView } from "./trust_views.ts";
import { appViews } from "../views/views.ts";

/** State that an app or a quota of its own namespace may cost, in bytes of a snapshot. */
const APP_BYTES = 9_000;
const QUOTA_BYTES = 400;

Deno.test("quotas of namespaces are bounded in number and size, and told whole", () => {
  const rig = new Rig();
  const quota = (number: number) =>
    rig.ask(rig.signed(`QUOTA|quota-${String(number).padStart(6, "0")}|space-${number}|5|64|-`));
  const before = saveState(rig.machine.state).length;
  for (let number = 0; number < QUOTAS; number++) {
    if (number % 500 === 0) rig.advance(1_000);
    assertEquals(quota(number), `OK|QUOTA|space-${number}`);
  }
  assertStringIncludes(quota(QUOTAS)!, `${QUOTAS} namespaces have quotas already`);
  assertEquals(operatorsView(rig.machine.state).quotas.length, QUOTAS);
  // What keeps replays from being executed is forgotten when they are too old to count.
  rig.advance(120_000);
  assertEquals(quota(0), "OK|QUOTA|space-0");
  const bytes = (saveState(rig.machine.state).length - before) / QUOTAS;
  assert(bytes < QUOTA_BYTES, `${bytes} bytes a quota`);
});

Deno.test("thousands of apps, each in a namespace of its own, are listed whole", () => {
  const rig = new Rig();
  rig.addNode(1);
  rig.live(500);
  const before = saveState(rig.machine.state).length;
  const count = 2_000;
  for (let number = 0; number < count; number++) {
    if (number % 500 === 0) rig.advance(1_000);
    const app = `app-${number}`;
    const manifest = `app ${app} {\n  namespace space-${number}\n  exec /bin/x\n  replicas 0\n}\n`;
    assertEquals(rig.apply(app, manifest), `OK|APPLIED|${app}|1`);
  }
  const views = appViews(rig.machine, rig.now);
  assertEquals(views.length, count);
  assertEquals(rig.ask("LIST"), "OK|LIST|0|");
  const bytes = (saveState(rig.machine.state).length - before) / count;
  assert(bytes < APP_BYTES, `${bytes} bytes an app`);
});
