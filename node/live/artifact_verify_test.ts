// What lies in a node's cache may be changed, cut off or replaced there: it is not run.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ARTIFACT_CHANGED } from "../../core/mesh.ts";
import { digestOfArtifact, packed } from "../../core/live/pack.ts";
import { artifactFolder, type SignedArtifact } from "../artifact.ts";
import { markPath, readMark } from "./artifact_marks.ts";
import { Artifacts } from "./artifacts.ts";
import { DaemonBench } from "./daemon_bench.ts";
import { type FakeCluster, until } from "./fake_cluster.ts";
import { bench } from "./testing.ts";

const GENUINE = '#!/bin/sh\necho "genuine" >>"$1"\nexec sleep 1000\n#' + "#".repeat(300_000);
const FORGED = GENUINE.replace("genuine", "gemuine");

/** A program as an artifact, of a replica that writes into a file which program it is. */
class Shipped {
  /** From which bytes on it was asked for. */
  readonly asked: number[] = [];
  readonly told: string;
  readonly program: string;
  fault: string | null = null;

  private constructor(
    readonly cluster: FakeCluster,
    place: string,
    state: string,
    artifact: SignedArtifact,
  ) {
    this.told = `${place}/told`;
    const folder = artifactFolder(`${state}/artifacts`, artifact);
    this.program = `${folder}/program`;
    const { sha256, bytes } = artifact;
    cluster.artifact = (request) => {
      const from = Number(/=(\d+)-/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
      this.asked.push(from);
      if (this.fault !== null) return Response.json({ error: this.fault }, { status: 503 });
      return new Response(GENUINE.slice(from), { status: from > 0 ? 206 : 200 });
    };
    const block = `  artifact {\n    from program\n    sha256 ${sha256}\n    bytes ${bytes}\n` +
      "    form file\n  }";
    const lines = `  exec \${ARTIFACT}/program\n  args ${this.told}\n${block}`;
    cluster.run("web-1", "web", cluster.apply("web", `app web\n${lines}\n`));
  }

  static async to(cluster: FakeCluster, place: string, state: string): Promise<Shipped> {
    Deno.writeTextFileSync(`${place}/program`, GENUINE);
    const digest = await digestOfArtifact(`${place}/program`, "file");
    return new Shipped(cluster, place, state, { from: "program", form: "file", ...digest });
  }

  get folder(): string {
    return this.program.slice(0, this.program.lastIndexOf("/"));
  }

  /** What has run so far, in its order. */
  get ran(): string[] {
    return Deno.readTextFileSync(this.told).trim().split("\n");
  }

  /** Reasons that were told of an artifact that was changed. */
  get reasons(): string[] {
    const all = this.cluster.history.map(({ reason }) => reason ?? "");
    return [...new Set(all.filter((each) => each.startsWith(ARTIFACT_CHANGED)))];
  }

  /** Its replica runs, after so many restarts. */
  runs(restarts: number): Promise<{ readonly pid: number }> {
    return until(`${restarts} restarts`, () => {
      const status = this.cluster.statuses.get("web-1");
      const isThere = status?.state === "ready" && status.restarts === restarts;
      return isThere && status.pid !== undefined ? { pid: status.pid } : null;
    });
  }

  /** It is remembered as verified, so that nobody has to read it at the next start. */
  settled() {
    return until("it is verified", () => readMark(this.folder)?.verified);
  }

  /** Overwrites a byte in place, and sets the content's time back to what it was. */
  flip(): void {
    const { mtime, atime, size } = Deno.statSync(this.program);
    {
      using file = Deno.openSync(this.program, { write: true });
      file.seekSync(GENUINE.indexOf("genuine") + 2, Deno.SeekMode.Start);
      file.writeSync(new TextEncoder().encode("m"));
    }
    Deno.utimeSync(this.program, atime!, mtime!);
    const after = Deno.statSync(this.program);
    assertEquals([after.size, after.mtime?.getTime()], [size, mtime?.getTime()]);
    assertEquals(Deno.readTextFileSync(this.program), FORGED);
  }
}

interface Spoiling {
  spoil(on: Shipped): void;
  readonly says: RegExp;
  /** Its content is there all the same: nobody has to be asked for it. */
  readonly isThere?: true;
}

const SPOILINGS: { readonly [what: string]: Spoiling } = {
  "has another byte, size and time as before": {
    spoil: (on) => on.flip(),
    says: /it has the digest [0-9a-f]{12}, not the signed one/,
  },
  "was cut off": {
    spoil: (on) => Deno.truncateSync(on.program, 60),
    says: /program has 60 bytes/,
  },
  "was replaced by another file": {
    spoil(on) {
      const { mtime, atime } = Deno.statSync(on.program);
      Deno.writeTextFileSync(`${on.folder}.mine`, FORGED, { mode: 0o755 });
      Deno.utimeSync(`${on.folder}.mine`, atime!, mtime!);
      Deno.renameSync(`${on.folder}.mine`, on.program);
    },
    says: /it has the digest [0-9a-f]{12}, not the signed one/,
  },
  "was replaced by a link to another": {
    spoil(on) {
      Deno.writeTextFileSync(`${on.folder}.mine`, FORGED, { mode: 0o755 });
      Deno.removeSync(on.program);
      Deno.symlinkSync(`${on.folder}.mine`, on.program);
    },
    says: /program is a link/,
  },
  "is not alone any more": {
    spoil: (on) => Deno.writeTextFileSync(`${on.folder}/more`, "more"),
    says: /it holds more, which nobody signed/,
    isThere: true,
  },
  "was removed": {
    spoil: (on) => Deno.removeSync(on.program),
    says: /program is missing/,
  },
};

for (const [what, { spoil, says, isThere }] of Object.entries(SPOILINGS)) {
  Deno.test(`an artifact that ${what} is not run after a crash, but replaced, and that is told`, async () => {
    await using all = await bench();
    const on = await Shipped.to(all.cluster, all.folder, `${all.folder}/state`);
    const { pid } = await on.runs(0);
    await on.settled();
    spoil(on);
    Deno.kill(pid, "SIGKILL");
    const { pid: second } = await on.runs(1);
    assertEquals(on.ran, ["genuine", "genuine"]);
    assertEquals(on.asked, isThere ? [0] : [0, 0]);
    assertEquals(on.reasons.length, 1);
    assertMatch(on.reasons[0]!, says);
    assertEquals([...Deno.readDirSync(on.folder)].map((each) => each.name), ["program"]);
    // What took its place is as good as the first.
    Deno.kill(second, "SIGKILL");
    await on.runs(2);
    assertEquals([on.ran.length, on.reasons.length], [3, 1]);
    assertEquals(on.asked, isThere ? [0] : [0, 0]);
  });
}

Deno.test("an artifact that is changed in the very second of its fetch is not run either", async () => {
  await using all = await bench();
  const on = await Shipped.to(all.cluster, all.folder, `${all.folder}/state`);
  const { pid } = await on.runs(0);
  assertEquals(readMark(on.folder)?.verified, undefined);
  on.flip();
  Deno.kill(pid, "SIGKILL");
  await on.runs(1);
  assertEquals([on.ran, on.asked.length], [["genuine", "genuine"], 2]);
});

Deno.test("an artifact that is as it was is neither fetched nor read at a restart", async () => {
  await using all = await bench();
  const on = await Shipped.to(all.cluster, all.folder, `${all.folder}/state`);
  const { pid } = await on.runs(0);
  await on.settled();
  const mark = () => Deno.statSync(markPath(on.folder)).ino;
  const before = mark();
  Deno.kill(pid, "SIGKILL");
  const { pid: second } = await on.runs(1);
  assertEquals([mark(), on.asked.length], [before, 1], "it was not verified anew");
  // What has another time and the same content is read, and as good.
  Deno.utimeSync(on.program, new Date(), new Date());
  Deno.kill(second, "SIGKILL");
  await on.runs(2);
  assertEquals([mark() === before, on.asked.length, on.reasons], [false, 1, []]);
});

Deno.test("a changed artifact that nobody has waits, says both, and runs when it is to be had", async () => {
  await using all = await bench();
  const on = await Shipped.to(all.cluster, all.folder, `${all.folder}/state`);
  const { pid } = await on.runs(0);
  on.fault = "busy";
  on.flip();
  Deno.kill(pid, "SIGKILL");
  const status = await until("it waits", () => {
    const status = on.cluster.statuses.get("web-1");
    return status?.state === "waiting" && status.reason?.includes("busy") ? status : null;
  });
  assertStringIncludes(status.reason!, `${ARTIFACT_CHANGED}it has the digest `);
  assertMatch(status.reason!, /; artifact [0-9a-f]{12} is not to be had: the conductor: busy/);
  assertEquals([status.pid, on.ran], [undefined, ["genuine"]]);
  on.fault = null;
  await on.runs(1);
  assertEquals(on.ran, ["genuine", "genuine"]);
});

for (
  const [what, spoil] of [
    ["another byte", (on: Shipped) => on.flip()],
    ["less", (on: Shipped) => Deno.truncateSync(on.program, 60)],
  ] as const
) {
  Deno.test(`an artifact that has ${what} when the node is back is not run by it`, async () => {
    await using daemon = new DaemonBench();
    daemon.start();
    const on = await Shipped.to(daemon.cluster, daemon.folder, daemon.state);
    const { pid } = await on.runs(0);
    const verified = await on.settled();
    await daemon.kill();
    spoil(on);
    Deno.kill(pid, "SIGKILL");
    await until("it has ended", () => daemon.programs().size === 0);
    const boot = daemon.cluster.beat!.boot;
    daemon.start();
    await until("another daemon", () => daemon.cluster.beat!.boot !== boot);
    const { pid: second } = await on.runs(1);
    assertEquals([on.ran, on.asked.length], [["genuine", "genuine"], 2]);
    assertEquals(on.reasons.length, 1);

    // What was verified once is remembered by the next daemon, too.
    const again = await until("it is verified", () => {
      const now = readMark(on.folder)?.verified;
      return now && now.stat !== verified.stat ? now : null;
    });
    assertEquals(again.boot, verified.boot);
    await daemon.kill();
    daemon.start();
    const mark = Deno.statSync(markPath(on.folder)).ino;
    const next = await until("yet another daemon", () => {
      const { boot: now } = daemon.cluster.beat!;
      const status = daemon.cluster.statuses.get("web-1");
      return now !== boot && status?.pid === second && status.state === "ready" ? status : null;
    });
    Deno.kill(next.pid!, "SIGKILL");
    await on.runs(2);
    assertEquals([on.asked.length, Deno.statSync(markPath(on.folder)).ino], [2, mark]);
  });
}

// ---- The cache by itself ------------------------------------------------------------------------

interface Cache extends AsyncDisposable {
  readonly folder: string;
  readonly place: string;
  readonly wanted: SignedArtifact;
  open(boot?: string | null): Artifacts;
}

/** A folder as an artifact, and a conductor that has it. */
async function cacheOf(
  make: (site: string) => void,
  to?: string,
): Promise<Cache & { asked: number }> {
  const folder = Deno.makeTempDirSync({ prefix: "skr8tr-artifacts-" });
  const site = `${folder}/site`;
  Deno.mkdirSync(site);
  make(site);
  const { sha256, bytes } = await digestOfArtifact(site, "folder");
  const archive = await new Blob(await Array.fromAsync(packed(site, "folder")) as BlobPart[])
    .arrayBuffer();
  const wanted: SignedArtifact = {
    ...{ from: "site", form: "folder", sha256, bytes },
    ...(to === undefined ? {} : { to }),
  };
  const opened: Artifacts[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    cache.asked++;
    return new Response(archive);
  });
  const cache = {
    asked: 0,
    folder: artifactFolder(`${folder}/cache`, wanted),
    place: artifactFolder(`${folder}/cache`, wanted) + (to === undefined ? "" : `/${to}`),
    wanted,
    open(boot: string | null = "boot-1") {
      const artifacts = new Artifacts({
        folder: `${folder}/cache`,
        maxBytes: 2 ** 30,
        helper: { space: () => Promise.resolve(null), boot: () => Promise.resolve(boot) },
        conductors: () => [`127.0.0.1:${server.addr.port}`],
        inUse: () => new Set(),
      });
      opened.push(artifacts);
      return artifacts;
    },
    async [Symbol.asyncDispose]() {
      for (const each of opened) await each[Symbol.asyncDispose]();
      await server.shutdown();
      Deno.removeSync(folder, { recursive: true });
    },
  };
  return cache;
}

function site(folder: string): void {
  Deno.mkdirSync(`${folder}/data`);
  Deno.writeTextFileSync(`${folder}/index.html`, "genuine");
  Deno.writeTextFileSync(`${folder}/data/.skr8tr`, "the artifact's own");
  Deno.writeTextFileSync(`${folder}/.skr8tr`, "the artifact's own");
  Deno.writeTextFileSync(`${folder}/tool`, "#!/bin/sh\n", { mode: 0o755 });
  Deno.symlinkSync("data", `${folder}/link`);
}

for (const to of [undefined, "srv/www"]) {
  const where = to === undefined ? "its folder" : `a folder at ${to}`;
  Deno.test(`whatever is changed in ${where} is found, and put right`, async () => {
    await using cache = await cacheOf(site, to);
    const { wanted, place } = cache;
    const artifacts = cache.open();
    assertEquals(await artifacts.get(wanted, []), { fault: null });
    const changes: ((place: string) => void)[] = [
      (at) => Deno.writeTextFileSync(`${at}/index.html`, "gemuine"),
      (at) => Deno.writeTextFileSync(`${at}/.skr8tr`, "mine"),
      (at) => Deno.writeTextFileSync(`${at}/data/more`, ""),
      (at) => Deno.mkdirSync(`${at}/data/empty`),
      (at) => Deno.removeSync(`${at}/tool`),
      (at) => Deno.chmodSync(`${at}/tool`, 0o644),
      (at) => {
        Deno.removeSync(`${at}/link`);
        Deno.symlinkSync("/etc", `${at}/link`);
      },
      (at) => {
        Deno.renameSync(`${at}/data`, `${at}/data-2`);
        Deno.symlinkSync("data-2", `${at}/data`);
      },
      (at) => new Deno.Command("mkfifo", { args: [`${at}/data/pipe`] }).outputSync(),
    ];
    for (const [index, change] of changes.entries()) {
      change(place);
      const { fault, changed = "" } = await artifacts.get(wanted, []);
      assert(fault === null && changed !== "", `change ${index}: ${fault} ${changed}`);
      assertEquals(cache.asked, index + 2);
      const now = await digestOfArtifact(place, "folder");
      assertEquals(now, { sha256: wanted.sha256, bytes: wanted.bytes }, `change ${index}`);
    }
    assertEquals(await artifacts.get(wanted, []), { fault: null });
    if (to === undefined) return;
    Deno.writeTextFileSync(`${cache.folder}/srv/beside`, "");
    const { changed } = await artifacts.get(wanted, []);
    assertEquals(changed, "it holds srv/beside, which nobody signed");
  });
}

Deno.test("in another start of the machine, or where nobody knows which, all is read once more", async () => {
  await using cache = await cacheOf(site);
  const { wanted, folder } = cache;
  {
    await using first = cache.open();
    await first.get(wanted, []);
    await until("it is verified", () => readMark(folder)?.verified);
  }
  const mark = () => readMark(folder)?.verified?.boot;
  const ino = () => Deno.statSync(markPath(folder)).ino;
  const before = ino();
  await cache.open().get(wanted, []);
  assertEquals([mark(), ino()], ["boot-1", before], "the same start: it is not read");
  await cache.open("boot-2").get(wanted, []);
  assertEquals(mark(), "boot-2");
  const unknown = ino();
  const nobody = cache.open(null);
  await nobody.get(wanted, []);
  assertEquals([mark(), ino() === unknown], [undefined, false]);
  Deno.writeTextFileSync(`${folder}/index.html`, "gemuine");
  assertMatch((await nobody.get(wanted, [])).changed ?? "", /not the signed one/);
  assertEquals(cache.asked, 2);
});

Deno.test("what is as it was signed is not called changed where that cannot be remembered", async () => {
  await using cache = await cacheOf(site);
  const { wanted, folder } = cache;
  {
    await using first = cache.open();
    await first.get(wanted, []);
    await until("it is verified", () => readMark(folder)?.verified);
  }
  // As on a full disk: the machine was started since, and nothing can be written.
  await Deno.mkdir(`${markPath(folder)}.new`);
  assertEquals(await cache.open("boot-2").get(wanted, []), { fault: null });
  assertEquals(cache.asked, 1, "it is not fetched anew");
});

Deno.test("a mark that is damaged, or an earlier version's, loses nothing and is not believed", async () => {
  await using cache = await cacheOf((folder) => Deno.writeTextFileSync(`${folder}/a`, "genuine"));
  const { wanted, folder } = cache;
  const artifacts = cache.open();
  await artifacts.get(wanted, []);
  Deno.writeTextFileSync(markPath(folder), '{"form":"fol');
  assertEquals(await artifacts.get(wanted, []), { fault: null });
  Deno.removeSync(markPath(folder));
  Deno.writeTextFileSync(`${folder}/.skr8tr`, '{"form":"folder","place":"","bytes":1}');
  assertEquals(await artifacts.get(wanted, []), { fault: null });
  assertEquals([cache.asked, readMark(folder)?.bytes], [1, wanted.bytes]);
  Deno.removeSync(markPath(folder));
  Deno.writeTextFileSync(`${folder}/a`, "gemuine");
  assertMatch((await artifacts.get(wanted, [])).changed ?? "", /not the signed one/);
});

Deno.test("a cache that ends does not verify any more", async () => {
  await using cache = await cacheOf(site);
  {
    await using artifacts = cache.open();
    await artifacts.get(cache.wanted, []);
  }
  assertEquals(readMark(cache.folder)?.verified, undefined);
});
