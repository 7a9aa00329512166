// What was done to the log's files while the conductor was away is found at its start.

import { assert, assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { randomSeed } from "../../core/live/clock.ts";
import { createPrng } from "../../core/prng.ts";
import { Failure } from "../../core/errors.ts";
import { applyEntry } from "../apply.ts";
import { saveState } from "../snapshot.ts";
import { emptyState } from "../state.ts";
import { SqliteStore } from "./store_sqlite.ts";
import { apply, post, start, withFolder } from "./rig_test.ts";

const ENTRIES = 6;

/** A folder with a log of `ENTRIES` entries, the first of them the operators' keys, and a snapshot at the third if asked for. */
async function fill(folder: string): Promise<void> {
  const conductor = await start(folder);
  const { hostname, port } = conductor.commands;
  for (let count = 2; count <= ENTRIES; count++) {
    const reply = await post(`http://${hostname}:${port}`, apply(`app-${count}`));
    assertEquals(reply, `OK|APPLIED|app-${count}|1`);
  }
  await conductor.stop("filled");
}

/** What a start says: `ready with N` apps, or the failure's code and message. */
async function open(folder: string): Promise<string> {
  try {
    const conductor = await start(folder);
    const { hostname, port } = conductor.commands;
    const status = await (await fetch(`http://${hostname}:${port}/api/status`)).json();
    await conductor.stop("seen");
    return `ready with ${status.apps.length}`;
  } catch (error) {
    assert(error instanceof Failure, String((error as Error).stack));
    return `${error.code}: ${error.message}`;
  }
}

function sql(folder: string, statement: string): void {
  const database = new DatabaseSync(`${folder}/log.db`);
  database.exec(statement);
  database.close();
}

function bytes(folder: string, change: (file: Uint8Array) => Uint8Array): void {
  const path = `${folder}/log.db`;
  Deno.writeFileSync(path, change(Deno.readFileSync(path)));
}

/** Turns one bit of the first place in the file where this text stands. */
function flip(text: string) {
  return (file: Uint8Array) => {
    const at = new TextDecoder("latin1").decode(file).indexOf(text);
    assert(at > 0, `${text} is in the file`);
    file[at + 2]! ^= 1;
    return file;
  };
}

const cases: [name: string, damage: (folder: string) => void, says: RegExp][] = [
  ["a byte of an entry's body", (at) => bytes(at, flip("app-3 gen")), /entry 3 was changed/],
  [
    "a byte of a hash",
    (at) =>
      sql(
        at,
        "UPDATE log SET hash = iif(hash LIKE '0%', '1', '0') || substr(hash, 2) WHERE sequence = 2",
      ),
    /entry 2 was changed/,
  ],
  [
    "a body that is no JSON",
    (at) => sql(at, "UPDATE log SET body = '{' WHERE sequence = 4"),
    /entry 4 was changed/,
  ],
  [
    "an entry removed",
    (at) => sql(at, "DELETE FROM log WHERE sequence = 3"),
    /entry 4 follows entry 2: one is missing/,
  ],
  [
    "the first entry removed",
    (at) => sql(at, "DELETE FROM log WHERE sequence = 1"),
    /entry 2 follows entry 0/,
  ],
  [
    "two entries swapped",
    (at) =>
      sql(
        at,
        "UPDATE log SET sequence = -2 WHERE sequence = 2; UPDATE log SET sequence = 2 WHERE sequence = 3; UPDATE log SET sequence = 3 WHERE sequence = -2",
      ),
    /entry 2 does not follow entry 1/,
  ],
  [
    "the last entry removed",
    (at) => sql(at, `DELETE FROM log WHERE sequence = ${ENTRIES}`),
    /the log ends at 5 and does not hold entry 6/,
  ],
  [
    "all entries removed",
    (at) => sql(at, "DELETE FROM log"),
    /the log ends at 0(,| and does not hold entry 6)/,
  ],
  [
    "the file cut in half",
    (at) => bytes(at, (file) => file.slice(0, file.length >> 1)),
    /store-(damaged|unreadable)/,
  ],
  [
    "the file cut by a page",
    (at) => bytes(at, (file) => file.slice(0, file.length - 4_096)),
    /store-(damaged|unreadable)/,
  ],
  [
    "the file cut to nothing",
    (at) => bytes(at, () => new Uint8Array(0)),
    /the log ends at 0(,| and does not hold entry 6)/,
  ],
  [
    "the file overwritten",
    (at) => bytes(at, (file) => file.fill(65)),
    /store-unreadable: cannot open the log/,
  ],
  [
    "the file's header",
    (at) => bytes(at, (file) => (file[0] = 0, file)),
    /store-unreadable: cannot open the log/,
  ],
  [
    "the file deleted",
    (at) => Deno.removeSync(`${at}/log.db`),
    /the log ends at 0(,| and does not hold entry 6)/,
  ],
];

/** Keeps a snapshot of the first four entries, as the conductor does after `SNAPSHOT_ENTRIES`. */
async function snapshot(folder: string): Promise<void> {
  const store = new SqliteStore(`${folder}/log.db`);
  const state = emptyState();
  for (const entry of await store.read(0, 4)) applyEntry(state, entry);
  await store.saveSnapshot(state.head, saveState(state));
  await store.close();
}

for (const kept of [false, true]) {
  Deno.test(`each damage of the log is found and named, ${kept ? "with" : "without"} a snapshot`, () =>
    damageAll(kept));
}

async function damageAll(kept: boolean): Promise<void> {
  await withFolder(async (parent) => {
    await Deno.mkdir(`${parent}/whole`);
    await fill(`${parent}/whole`);
    if (kept) await snapshot(`${parent}/whole`);
    assertEquals(await open(`${parent}/whole`), `ready with ${ENTRIES - 1}`);
    for (const [at, [name, damage, says]] of cases.entries()) {
      const folder = `${parent}/${at}`;
      await Deno.mkdir(folder);
      for (const file of ["log.db", "log.head"]) {
        await Deno.copyFile(`${parent}/whole/${file}`, `${folder}/${file}`);
      }
      damage(folder);
      const said = await open(folder);
      assert(says.test(said), `${name}: ${said}`);
      assert(said.startsWith("store-"), `${name}: ${said}`);
      assert(/restore .*(backup)/.test(said), `${name} names no remedy: ${said}`);
    }
  });
}

/** How many bits are flipped and cuts made, each in a fresh copy. */
const FLIPS = 60;
const CUTS = 20;

Deno.test("one bit flipped, or a cut, anywhere: refused with a remedy, or nothing is missing", async () => {
  const seed = Number(Deno.env.get("SKR8TR_SEED") ?? randomSeed());
  console.log(`seed ${seed} (SKR8TR_SEED repeats it)`);
  const prng = createPrng(seed);
  await withFolder(async (parent) => {
    await Deno.mkdir(`${parent}/whole`);
    await fill(`${parent}/whole`);
    await snapshot(`${parent}/whole`);
    const { size } = await Deno.stat(`${parent}/whole/log.db`);
    let refused = 0;
    for (let round = 0; round < FLIPS + CUTS; round++) {
      const folder = `${parent}/${round}`;
      await Deno.mkdir(folder);
      for (const file of ["log.db", "log.head"]) {
        await Deno.copyFile(`${parent}/whole/${file}`, `${folder}/${file}`);
      }
      const at = prng.below(size);
      const bit = 1 << prng.below(8);
      if (round < FLIPS) bytes(folder, (file) => (file[at]! ^= bit, file));
      else bytes(folder, (file) => file.slice(0, at));
      const said = await open(folder);
      const what = round < FLIPS ? `bit ${bit} of byte ${at}` : `cut at ${at}`;
      if (said === `ready with ${ENTRIES - 1}`) continue;
      assert(/^store-.*restore .*backup/s.test(said), `${what}: ${said}`);
      refused++;
    }
    assert(refused >= CUTS / 2, `only ${refused} were refused: void`);
  });
});

Deno.test("a lost mark alone does not keep a whole log from being used", async () => {
  await withFolder(async (folder) => {
    await fill(folder);
    for (const text of ["", "{", "{}", null]) {
      if (text === null) Deno.removeSync(`${folder}/log.head`);
      else Deno.writeTextFileSync(`${folder}/log.head`, text);
      assertEquals(await open(folder), `ready with ${ENTRIES - 1}`);
    }
  });
});

Deno.test("a log whose commands nobody known has signed is refused", async () => {
  await withFolder(async (folder) => {
    await fill(folder);
    let said = "";
    try {
      await start(folder, { operators: new Map([["0".repeat(64), new Uint8Array(1_952)]]) });
    } catch (error) {
      said = (error as Error).message;
    }
    assert(said.includes("was signed by none of the keys given with --pubkey"), said);
  });
});
