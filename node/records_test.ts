import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { genesisOf, linkOf } from "../core/chain.ts";
import { NODE_BACKDATE_S, NODE_RECORDS } from "../core/limits.ts";
import { fingerprintOf } from "../core/roster.ts";
import { makeRecord } from "./fake_world.ts";
import { type LogRecord, Records, type RecordsOptions, type Settled } from "./records.ts";

function held(records: Records, sequence: number) {
  return records.need(sequence).answer.at;
}

function reasonOf(records: Records, sequence: number): string {
  const { answer } = records.need(sequence);
  return answer.at === "refused" ? answer.reason : answer.at;
}

const asked = ({ checks }: Settled) => checks.map((check) => check.record.sequence);

Deno.test("a record is held only once it is verified, and kept on disk then", () => {
  const records = new Records();
  const record = makeRecord(3, "web");
  assertEquals(held(records, 3), "absent");
  assertEquals(asked(records.receive(record)), [3]);
  assertEquals(asked(records.receive(record)), []);
  assertEquals(held(records, 3), "verifying");
  assertEquals(records.settle(3, null).keep, [record]);
  assertEquals(held(records, 3), "held");
  assertEquals(asked(records.receive(record)), []);
  assertEquals(records.sequence, 3);
});

Deno.test("records go to disk in the order of the log, whichever is verified first", () => {
  const records = new Records();
  const [one, two, three] = [1, 2, 3].map((sequence) => makeRecord(sequence, "web"));
  for (const record of [one!, two!, three!]) records.receive(record);
  assertEquals(records.settle(3, null).keep, []);
  assertEquals(records.settle(1, "no key").keep, [one!]);
  assertEquals(records.settle(2, null).keep, [two!, three!]);
});

Deno.test("a record from disk is verified when it is needed, and not written again", () => {
  const records = new Records();
  const record = makeRecord(3, "web");
  records.load(record);
  assertEquals(records.sequence, 3);
  assertEquals(asked(records.need(3).started), [3]);
  assertEquals(asked(records.need(3).started), []);
  assertEquals(records.settle(3, null), { keep: [], checks: [], settled: [[3, null]] });
  assertEquals(held(records, 3), "held");
});

Deno.test("a refused record says why, and is kept all the same: the copy is a chain", () => {
  const records = new Records();
  const record = makeRecord(3, "web");
  records.receive(record);
  const { keep, settled } = records.settle(3, "no key");
  assertEquals(keep, [record]);
  assertEquals(settled, [[3, "no key"]]);
  assertEquals(reasonOf(records, 3), "no key");
});

Deno.test("verified records that cannot be run are kept, and say why they do not run", () => {
  const records = new Records();
  const broken = { ...makeRecord(1, "web"), text: "APPLY|id-000001|web|1|-|bm9wZQ==|1700000000" };
  records.receive(broken);
  assertEquals(records.settle(1, null).keep, [broken]);
  assertStringIncludes(reasonOf(records, 1), "manifest with errors");
  const other = {
    ...makeRecord(2, "web"),
    text: makeRecord(2, "api").text.replace("|api|", "|web|"),
  };
  records.receive(other);
  records.settle(2, null);
  assertEquals(held(records, 2), "refused");
});

Deno.test("other commands are kept on disk and run nothing", () => {
  const records = new Records();
  const down = { ...makeRecord(4, "web"), text: "DOWN|id-000004|web|1700000000" };
  records.receive(down);
  assertEquals(records.settle(4, null).keep, [down]);
  assertEquals(held(records, 4), "refused");
});

Deno.test("records are kept in the log's order, whichever is verified first", () => {
  const records = new Records();
  for (const sequence of [1, 2, 3]) records.receive(makeRecord(sequence, "web"));
  assertEquals(records.settle(3, null).keep, []);
  assertEquals(records.settle(2, null).keep, []);
  assertEquals(records.settle(1, null).keep.map((each) => each.sequence), [1, 2, 3]);
});

Deno.test("what the log's head has passed without coming does not exist", () => {
  const records = new Records();
  records.reachHead(9);
  assertEquals([held(records, 9), held(records, 10), records.sequence], ["refused", "absent", 9]);
});

Deno.test("only the newest manifests of an app are held", () => {
  const records = new Records();
  for (let sequence = 1; sequence <= NODE_RECORDS + 5; sequence++) {
    records.receive(makeRecord(sequence, "web"));
    records.settle(sequence, null);
  }
  assertEquals([held(records, 5), held(records, 6)], ["refused", "held"]);
});

Deno.test("a manifest of which only the path is signed is run only where paths are trusted", () => {
  const record = {
    ...makeRecord(5, "web"),
    text: "SUBMIT|/srv/web.skr8tr|1700000000",
    manifest: "app web\n  exec /bin/web\n",
  };
  const answers = [false, true].map((trustPaths) => {
    const records = new Records({ trustPaths });
    records.receive(record);
    records.settle(5, null);
    return records.need(5).answer;
  });
  assertEquals(answers.map((each) => each.at), ["refused", "held"]);
  assertStringIncludes(answers[0]?.at === "refused" ? answers[0].reason : "", "--trust-paths");
});

// ---- With the operators' keys -----------------------------------------------------------------------

const publicKey = (of: number) => new Uint8Array(1_952).fill(of);
const keyOf = (of: number) => fingerprintOf(publicKey(of).toBase64())!;
const ROOTS = [{ key: keyOf(1), publicKey: publicKey(1) }];
const LOG = "1".repeat(64);
const AT_S = 1_700_000_000;

/** A conductor's log: each command at its place, with its link. */
class Log {
  readonly records: LogRecord[] = [];
  chain: string;

  constructor(readonly name = LOG) {
    this.chain = genesisOf(name);
  }

  add(sequence: number, of: number, command: string, atS = AT_S): LogRecord {
    const text = `${command}|${atS}`;
    const bare = { sequence, text, signatureHex: "0".repeat(6_618), key: keyOf(of) };
    this.chain = linkOf(this.chain, bare);
    const record = { ...bare, chain: this.chain };
    this.records.push(record);
    return record;
  }

  apply(sequence: number, of: number, app: string, lines = "", atS = AT_S): LogRecord {
    const manifest = btoa(`app ${app}\n  exec /bin/${app}\n${lines}\n`);
    return this.add(sequence, of, `APPLY|id-00000${sequence}|${app}|1|-|${manifest}`, atS);
  }

  operator(sequence: number, name: string, of: number, grant = "deployer|*|*|-", by = 1) {
    const key = publicKey(of).toBase64();
    return this.add(sequence, by, `OPERATOR|id-00000${sequence}|${name}|${grant}|${key}`);
  }
}

/** Gives everything to the node and lets all signatures be good. */
function feed(records: Records, log: Log, forged: readonly number[] = []): void {
  let work = log.records.filter((each) => each.sequence > records.end.sequence)
    .flatMap((record) => records.receive(record).checks);
  while (work.length > 0) {
    work = work.flatMap(({ record: { sequence } }) =>
      records.settle(sequence, forged.includes(sequence) ? "a bad signature" : null).checks
    );
  }
}

function follow(log: Log, options: Partial<RecordsOptions> = {}, forged: readonly number[] = []) {
  const records = new Records({ roots: ROOTS, ...options });
  records.hearLog(log.name);
  feed(records, log, forged);
  return records;
}

Deno.test("a node computes the operators from its own keys and the signed commands", () => {
  const log = new Log();
  log.apply(1, 2, "early");
  log.operator(2, "ann", 2);
  log.apply(3, 2, "web");
  log.apply(4, 3, "eve");
  log.add(6, 1, "REVOKE|id-000006|ann");
  log.apply(7, 2, "late");
  const records = follow(log);
  assertEquals([1, 3, 4, 7].map((at) => held(records, at)), [
    "refused",
    "held",
    "refused",
    "refused",
  ]);
  assertStringIncludes(reasonOf(records, 7), "is no operator's");
});

Deno.test("an operator whose own record is forged gives nobody any right", () => {
  const log = new Log();
  log.operator(1, "eve", 9, "admin|*|*|-");
  log.apply(2, 9, "web");
  const records = follow(log, {}, [1]);
  assertEquals(held(records, 2), "refused");
});

Deno.test("a node holds nothing that its signer's role, namespace, app or time does not reach", () => {
  const log = new Log();
  log.operator(1, "vic", 2, "viewer|*|*|-");
  log.operator(2, "ci", 3, `deployer|shop|web|${AT_S + 100}`);
  log.operator(3, "eve", 4, "admin|*|*|-", 3);
  log.apply(4, 2, "web", "  namespace shop");
  log.apply(5, 3, "web", "  namespace shop");
  log.apply(6, 3, "web", "  namespace bank");
  log.apply(7, 3, "cart", "  namespace shop");
  log.apply(8, 4, "web");
  log.apply(9, 3, "web", "  namespace shop", AT_S + 101);
  const records = follow(log);
  const at = [4, 5, 6, 7, 8, 9].map((each) => held(records, each));
  assertEquals(at, ["refused", "held", "refused", "refused", "refused", "refused"]);
  assertStringIncludes(reasonOf(records, 4), "vic is viewer, and this needs deployer");
});

Deno.test("who has run out cannot sign with an old date", () => {
  const log = new Log();
  log.operator(1, "ci", 2, `deployer|*|*|${AT_S + 100}`);
  log.apply(2, 1, "other", "", AT_S + 101 + NODE_BACKDATE_S);
  log.apply(3, 2, "web", "", AT_S);
  assertEquals(held(follow(log), 3), "refused");
});

Deno.test("a record counts after a restart by what was valid at its place, too", () => {
  const log = new Log();
  log.operator(1, "ann", 2);
  log.apply(2, 2, "web");
  log.add(3, 1, "REVOKE|id-000003|ann");
  log.apply(4, 2, "late");
  const records = new Records({ roots: ROOTS });
  records.loadLog(LOG);
  for (const record of log.records) records.load(record);
  let work = [...records.need(2).started.checks];
  assertEquals(work.map((each) => each.record.sequence), [1], "its signer's key is not known yet");
  work.push(...records.loaded().checks);
  records.need(4);
  while (work.length > 0) {
    work = work.flatMap(({ record }) => records.settle(record.sequence, null).checks);
  }
  assertEquals([held(records, 2), held(records, 4)], ["held", "refused"]);
  assertEquals(records.end, { log: LOG, sequence: 4, chain: log.chain });
});

Deno.test("a record that was changed, left out, repeated elsewhere or is of another log is not followed", () => {
  const build = () => {
    const log = new Log();
    log.apply(1, 1, "one");
    log.apply(2, 1, "two");
    log.apply(4, 1, "three");
    return log;
  };
  const cases: [string, (log: Log) => void][] = [
    ["changed", (log) => log.records[1] = { ...log.records[1]!, text: log.records[0]!.text }],
    ["left out", (log) => log.records.splice(1, 1)],
    ["elsewhere", (log) => log.records[1] = { ...log.records[1]!, sequence: 3 }],
    ["without a link", (log) => {
      const { chain: _, ...bare } = log.records[1]!;
      log.records[1] = bare;
    }],
    ["another's signature", (log) => log.records[1] = { ...log.records[1]!, key: keyOf(2) }],
  ];
  for (const [name, harm] of cases) {
    const log = build();
    harm(log);
    const records = follow(log);
    assert(records.trouble?.includes("does not follow"), name);
    assertEquals(records.end.sequence, 1, name);
    assertEquals(held(records, 4), "refused", name);
    // What it had it still runs.
    assertEquals(held(records, 1), "held", name);
  }
  assertEquals(follow(build()).trouble, null);
});

Deno.test("a log that begins anew, or was cut, is noticed and not followed", () => {
  const log = new Log();
  log.apply(1, 1, "web");
  log.apply(2, 1, "web");
  const records = follow(log);
  records.reachHead(2, log.chain);
  assertEquals(records.trouble, null);
  const other = new Log("2".repeat(64));
  other.apply(1, 1, "old");
  other.apply(5, 1, "old");
  records.hearLog(other.name);
  assertStringIncludes(records.trouble!, "--new-log");
  feed(records, other);
  assertEquals([held(records, 2), held(records, 5)], ["held", "refused"]);
  // Back to its own, it goes on.
  records.hearLog(log.name);
  log.apply(6, 1, "web");
  feed(records, log);
  assertEquals(held(records, 6), "held");
  const short = new Log();
  short.apply(1, 1, "web");
  records.hearLog(LOG);
  records.reachHead(1, short.chain);
  assertStringIncludes(records.trouble!, "it was cut or rewritten");
});

Deno.test("a fresh node is not shown a shortened past: its token says how far the log went", () => {
  const log = new Log();
  log.apply(1, 1, "web");
  const two = log.apply(2, 1, "web");
  const anchor = { log: LOG, sequence: 2, chain: two.chain! };
  assertEquals(follow(log, { anchor }).trouble, null);
  const short = new Log();
  short.apply(1, 1, "web");
  short.apply(3, 1, "web");
  assertStringIncludes(follow(short, { anchor }).trouble!, "does not hold record 2");
  // Nor is what follows left out, however far the conductor says that its log goes.
  const cut = new Log();
  cut.apply(1, 1, "web");
  const records = follow(cut, { anchor });
  records.reachHead(9, cut.chain);
  assertStringIncludes(records.trouble!, "does not hold record 2");
  assertStringIncludes(follow(new Log("3".repeat(64)), { anchor }).trouble!, "another log");
});
