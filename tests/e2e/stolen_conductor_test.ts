// A conductor run by an attacker: it has the real conductor's place, its ports, its folder and all
// that it ever heard, but no operator's key.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { genesisOf, linkOf } from "../../core/chain.ts";
import { openUdp, type Udp } from "../../core/live/udp.ts";
import { decodeMesh, encodeMesh, type FollowMessage, type MeshMessage } from "../../core/mesh.ts";
import { createKem } from "../../core/live/seal_primitives.ts";
import { sign } from "../../core/sign.ts";
import { fingerprint } from "../../core/signed.ts";
import type { NodeDaemon } from "../../node/live/node.ts";
import {
  HOST,
  id,
  keysOf,
  nextSecond,
  ROOT,
  signedBy,
  TrustCluster,
  until,
} from "./trust_cluster.ts";

type Recorded = Omit<Extract<FollowMessage, { k: "record" }>, "k">;

/** The attacker's own key: nobody's whom the node knows. */
const EVIL = keysOf(66);

class StolenConductor implements AsyncDisposable {
  readonly heard: MeshMessage[] = [];
  readonly #udp: Udp;
  readonly #server: Deno.HttpServer;
  readonly #sockets = new Set<WebSocket>();
  /** What each node that follows is told first. */
  story: FollowMessage[] = [];

  constructor(ports: { readonly port: number; readonly meshPort: number }) {
    this.#udp = openUdp({
      hostname: HOST,
      port: ports.meshPort,
      receive: (text) => {
        const message = decodeMesh(text);
        if (message) this.heard.push(message);
      },
    });
    this.#server = Deno.serve(
      { hostname: HOST, port: ports.port, onListen: () => {} },
      (request) => {
        const { socket, response } = Deno.upgradeWebSocket(request);
        socket.onopen = () => {
          this.#sockets.add(socket);
          for (const message of this.story) socket.send(JSON.stringify(message));
        };
        socket.onclose = () => this.#sockets.delete(socket);
        return response;
      },
    );
  }

  tell(message: FollowMessage): void {
    for (const socket of this.#sockets) socket.send(JSON.stringify(message));
  }

  order(node: NodeDaemon, message: Record<string, unknown>): void {
    const text = encodeMesh({ node: node.machine.node, ...message } as MeshMessage);
    this.#udp.send(text, node.udp.address);
  }

  /** Orders a start again and again until the node says what it makes of it. */
  async run(node: NodeDaemon, replica: string, app: string, generation: number, sequence: number) {
    return await until(`an answer to ${replica}`, () => {
      this.order(node, { k: "run", replica, app, generation, sequence, index: 0 });
      const answer = this.heard.find((each) =>
        (each.k === "run-refused" || (each.k === "status" && each.status.state !== "waiting")) &&
        ("replica" in each ? each.replica : each.status.replica) === replica
      );
      if (answer?.k === "run-refused") return `refused: ${answer.reason}`;
      // Accepted before its record was known, and given up when it was.
      if (answer?.k === "status") return `${answer.status.state}: ${answer.status.reason ?? ""}`;
    });
  }

  follows(): Promise<boolean> {
    return until("the node follows", () => this.#sockets.size > 0);
  }

  /** Breaks the streams; the node dials again and is told the story. */
  async again(story: FollowMessage[]): Promise<void> {
    this.story = story;
    for (const socket of this.#sockets) socket.close();
    await until("the stream is gone", () => this.#sockets.size === 0);
    await this.follows();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.close();
    await this.#server.shutdown();
    await this.#udp[Symbol.asyncDispose]();
  }
}

/** Opens a stream at a node and hears the first answer, then what is said of its end. */
async function streamAt(node: NodeDaemon, body: string) {
  const socket = new WebSocket(`ws://${HOST}:${node.udp.address.port}/stream`);
  socket.binaryType = "arraybuffer";
  const answer = Promise.withResolvers<{ status?: number; error?: string; ciphertext?: string }>();
  const over = Promise.withResolvers<string>();
  socket.onopen = () => socket.send(new TextEncoder().encode(body));
  socket.onmessage = ({ data }) => {
    socket.onmessage = null;
    answer.resolve(JSON.parse(new TextDecoder().decode(data)));
  };
  socket.onclose = ({ reason }) => over.resolve(reason);
  return { socket, over: over.promise, ...await answer.promise };
}

const SLEEP = "  exec /bin/sleep\n  args 600\n  grace 1s\n  rollout { settle 200ms }";

Deno.test("A conductor run by an attacker cannot make a node start, change, roll back below the fallback, or exec anything", async () => {
  await using cluster = new TrustCluster();
  await cluster.startConductor();
  const node = await cluster.startNode("one");
  const records: Recorded[] = [];
  const spy = new WebSocket(`ws://${HOST}:${cluster.port}/follow?from=0`);
  let log = "";
  spy.onmessage = ({ data }) => {
    const message = JSON.parse(data) as FollowMessage;
    if (message.k === "record") {
      const { k: _, ...record } = message;
      records.push(record);
    } else if (message.k === "log") log = message.log;
  };
  const version = (n: number) => `${SLEEP}\n  env { V ${n} }`;
  assertEquals(await cluster.up("web", version(1)), "OK|APPLIED|web|1");
  await cluster.ready("web", 1);
  assertEquals(await cluster.up("web", version(2), 2), "OK|APPLIED|web|2");
  await until("generation 2", async () => {
    const view = await cluster.view("web");
    return view?.replicas.length === 1 && view.replicas[0]!.generation === 2 &&
      view.replicas[0]!.state === "ready";
  });
  assertEquals(await cluster.up("web", version(3), 3, ROOT, 2), "OK|APPLIED|web|3");
  await until("generation 3", async () => {
    const view = await cluster.view("web");
    return view?.replicas.length === 1 && view.replicas[0]!.generation === 3 &&
      view.replicas[0]!.state === "ready";
  });
  await cluster.up("gone", SLEEP);
  await cluster.ready("gone", 1);
  await cluster.command({ verb: "DOWN", id: id(), app: "gone" });
  await until("gone is gone", () => cluster.pids("gone").length === 0);
  await nextSecond();
  const exec = signedBy(ROOT, "EXEC|web|echo $V");
  const [ran] = (await cluster.view("web"))!.replicas;
  assertStringIncludes(await cluster.post(exec), "OK|EXEC|web|3");
  const kem = await createKem();
  const [pair] = (await kem.perform([{ op: "keygen" }]))!;
  const key = (pair as { publicKey: Uint8Array }).publicKey.toBase64();
  const open = (line: string) =>
    `OPEN|${id()}|exec|web|${ran!.replica}|${btoa(JSON.stringify({ key, line }))}`;
  const opened = signedBy(ROOT, open("true"));
  assertStringIncludes(await cluster.post(opened), "OK|OPEN|");
  const honest = await streamAt(node, opened);
  assert(honest.ciphertext, honest.error);
  honest.socket.close();
  await honest.over;
  await until("all is followed", () => node.machine.copy.sequence === records.at(-1)?.sequence);
  const { commands, mesh } = cluster.conductor!;
  const closed = Promise.withResolvers<void>();
  spy.onclose = () => closed.resolve();
  spy.close();
  await closed.promise;
  await cluster.stopConductor();

  const before = cluster.pids("web");
  const copy = node.machine.copy;
  const sequenceOf = (app: string, generation: number) =>
    records.find((each) =>
      new RegExp(`^APPLY\\|[^|]+\\|${app}\\|${generation}\\|`).test(each.text)
    )!
      .sequence;
  await using evil = new StolenConductor({ port: commands.port, meshPort: mesh.port });
  evil.story = [{ k: "log", log }];
  await evil.follows();

  // It goes on with the log as the real one would, but what it adds nobody has signed.
  let chain = copy.chain;
  let sequence = copy.sequence + 10;
  const add = (text: string, signatureHex: string, key: string): number => {
    const record = { sequence: ++sequence, text, signatureHex, key };
    chain = linkOf(chain, record);
    evil.tell({ k: "record", ...record, chain });
    return sequence;
  };
  const unixS = Math.floor(Date.now() / 1_000);
  const manifest = btoa(`app evil\n  exec /bin/sh\n  args -c 'touch ${cluster.folder}/owned'\n`);
  const text = (app: string, n: number) =>
    `APPLY|evil-${++sequence}00000|${app}|${n}|-|${manifest}|${unixS}`;
  const root = fingerprint(ROOT.publicKey);
  const own = text("evil", 1);
  const byOwnKey = add(own, sign(EVIL.secretKey, own), fingerprint(EVIL.publicKey));
  const byRootsName = add(own, sign(EVIL.secretKey, own), root);
  const old = records[0]!;
  const altered = add(old.text.replace("|web|", "|evi|"), old.signatureHex, root);
  const enlist = `OPERATOR|evil-000000|evil|admin|*|*|-|${EVIL.publicKey.toBase64()}|${unixS}`;
  add(enlist, sign(EVIL.secretKey, enlist), root);
  const enlisted = add(own, sign(EVIL.secretKey, own), fingerprint(EVIL.publicKey));
  // An old record once more, as if an operator had signed it again.
  const repeated = add(old.text, old.signatureHex, root);

  const starts: [string, Promise<string>][] = [
    ["signed by its own key", evil.run(node, "e.1", "evil", 1, byOwnKey)],
    ["in the name of the root", evil.run(node, "e.2", "evil", 1, byRootsName)],
    ["altered", evil.run(node, "e.3", "evi", 1, altered)],
    ["by an operator of its own making", evil.run(node, "e.4", "evil", 1, enlisted)],
    ["an older generation", evil.run(node, "web.9", "web", 1, sequenceOf("web", 1))],
    ["an older generation at a new place", evil.run(node, "web.10", "web", 1, repeated)],
    ["a record of another app", evil.run(node, "x.1", "other", 3, sequenceOf("web", 3))],
    ["another generation's number", evil.run(node, "web.11", "web", 4, sequenceOf("web", 1))],
    ["what an operator took down", evil.run(node, "gone.9", "gone", 1, sequenceOf("gone", 1))],
    ["no record at all", evil.run(node, "n.1", "nothing", 1, 2)],
  ];
  for (const [what, answer] of starts) {
    const said = await answer;
    assert(/^(refused|finished): ./.test(said), `${what}: ${said}`);
  }
  assertStringIncludes(await starts[4]![1], "does not name it as its fallback");
  assertEquals(cluster.pids("web"), before, "what ran runs on");

  // No stream is opened by what it signs, repeats or kept for later.
  const streams: [string, string][] = [
    ["unsigned", open(`touch ${cluster.folder}/owned`)],
    ["by its own key", signedBy(EVIL, open(`touch ${cluster.folder}/owned`))],
    ["a replay", opened],
    ["an old one of the operator's", signedBy(ROOT, open("echo old"), -40)],
  ];
  for (const [what, body] of streams) {
    const refused = await streamAt(node, body);
    assertEquals(refused.status, 403, what);
    assertStringIncludes(refused.error ?? "", "UNAUTHORIZED", what);
    await refused.over;
  }
  // One that an operator opens through it, it carries; but it can say nothing in it.
  const carried = `${open(`cat >${cluster.folder}/owned.txt`)}|${unixS}`;
  const signature = sign(ROOT.secretKey, carried);
  add(carried, signature, root);
  const stream = await streamAt(node, `${carried}|${signature}`);
  assert(stream.ciphertext, stream.error);
  stream.socket.send(new TextEncoder().encode("\u0001\0\0\0\0its own words"));
  assertEquals(await stream.over, "what came was not sealed by the other end of the stream");
  assertEquals(await Deno.readTextFile(`${cluster.folder}/owned.txt`).catch(() => ""), "");

  // A log that begins anew, so that the old past counts again.
  const short: FollowMessage[] = [{ k: "log", log: "0".repeat(64) }];
  let link = genesisOf("0".repeat(64));
  for (const record of records.slice(0, 1)) {
    link = linkOf(link, record);
    short.push({ k: "record", ...record, chain: link });
  }
  await evil.again(short);
  await until("the node notices", () => node.machine.copy.trouble?.includes("another log"));
  assertStringIncludes(await evil.run(node, "web.12", "web", 1, records[0]!.sequence), "refused");
  // Its own log, cut.
  await evil.again([{ k: "log", log }, { k: "head", sequence: 3, chain: records[0]!.chain! }]);
  await until("the cut is noticed", () => node.machine.copy.trouble?.includes("cut"));

  // A running replica is not changed into another one.
  for (const generation of [1, 2]) {
    const to = { k: "relabel", replica: ran!.replica, generation };
    evil.order(node, { ...to, app: "web", sequence: sequenceOf("web", generation) });
  }
  // And nothing is executed beside it.
  const url = `http://${HOST}:${node.udp.address.port}/exec/${ran!.replica}`;
  const attempts: [string, string][] = [
    ["unsigned", "EXEC|web|touch owned"],
    ["by its own key", signedBy(EVIL, `EXEC|web|touch ${cluster.folder}/owned`)],
    ["a replay", exec],
    ["an old one of the operator's", signedBy(ROOT, "EXEC|web|echo old", -40)],
  ];
  for (const [what, body] of attempts) {
    const response = await fetch(url, { method: "POST", body });
    assertStringIncludes(await response.text(), "UNAUTHORIZED", what);
    assertEquals(response.status, 403, what);
  }
  assertEquals(cluster.pids("web"), before);
  assertEquals(node.machine.places().map((each) => each.generation), [3]);
  const made = await Array.fromAsync(Deno.readDir(cluster.folder));
  assert(!made.some((each) => each.name === "owned"), "nothing of the attacker's ran");

  // What the newest record names as its fallback the conductor may start by itself: that is signed.
  const back = evil.run(node, "web.20", "web", 2, sequenceOf("web", 2));
  assert(!(await back).startsWith("refused"), await back);
});
