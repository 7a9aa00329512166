import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ARTIFACT_PART_MS } from "../../core/limits.ts";
import { digestOfArtifact, packed } from "../../core/live/pack.ts";
import { Artifacts } from "./artifacts.ts";
import { until } from "./fake_cluster.ts";
import { findRunners } from "./runners.ts";
import { type Bench, bench, logOf } from "./testing.ts";

const PROGRAM = '#!/bin/sh\necho "runs from $1"\nexec sleep 1000\n' + "#".repeat(300_000);

async function bytesOf(path: string, form: "file" | "folder"): Promise<Uint8Array<ArrayBuffer>> {
  const chunks = await Array.fromAsync(packed(path, form));
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

/** A file on the operator's machine, and the block that names it. */
async function artifact(all: Bench, path: string, form: "file" | "folder") {
  const { sha256, bytes } = await digestOfArtifact(path, form);
  const from = path.slice(all.folder.length + 1);
  const block = `  artifact {\n    from ${from}\n    sha256 ${sha256}\n    bytes ${bytes}\n` +
    `    form ${form}\n  }`;
  return { sha256, bytes: await bytesOf(path, form), block };
}

/** Answers with bytes, from the offset that is asked for, and breaks off at `end`. */
function sending(bytes: Uint8Array<ArrayBuffer>, end = bytes.length, asked: number[] = []) {
  return (request: Request): Response => {
    const from = Number(/=(\d+)-/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
    asked.push(from);
    return new Response(bytes.slice(from, end), { status: from > 0 ? 206 : 200 });
  };
}

const PLAIN = "  exec ${ARTIFACT}/program\n  args ${ARTIFACT}\n";

Deno.test("a file is fetched, verified, run from its folder, and not fetched again", async () => {
  await using all = await bench();
  Deno.writeTextFileSync(`${all.folder}/program`, PROGRAM);
  const { sha256, bytes, block } = await artifact(all, `${all.folder}/program`, "file");
  const asked: number[] = [];
  all.cluster.artifact = sending(bytes, bytes.length, asked);
  all.run(PLAIN + block);
  await all.cluster.state("web-1", "ready");
  const [line] = await logOf(all, "web-1", (lines) => lines.length > 0);
  assertMatch(
    line!,
    new RegExp(`^runs from ${all.folder}/state/artifacts/${sha256}\\.[0-9a-f]{8}$`),
  );
  all.run(PLAIN + block, "web-2");
  await all.cluster.state("web-2", "ready");
  assertEquals(asked, [0]);
  // What another node is sent is what this one was.
  const { port } = all.node.udp.address;
  const copy = await fetch(`http://127.0.0.1:${port}/artifacts/${sha256}`);
  assertEquals(new Uint8Array(await copy.arrayBuffer()), bytes);
});

Deno.test("a folder is fetched as an archive and served, and sent on as the same archive", async () => {
  await using all = await bench({ runners: findRunners() });
  const site = `${all.folder}/site`;
  Deno.mkdirSync(`${site}/deep/er`, { recursive: true });
  Deno.writeTextFileSync(`${site}/index.html`, "start");
  Deno.writeTextFileSync(`${site}/deep/er/${"n".repeat(120)}.txt`, "deep");
  Deno.writeTextFileSync(`${site}/tool`, "#!/bin/sh\n", { mode: 0o755 });
  Deno.symlinkSync("deep/er", `${site}/link`);
  const { sha256, bytes, block } = await artifact(all, site, "folder");
  all.cluster.artifact = sending(bytes);
  const serve = "  serve {\n    static ${ARTIFACT}\n    port 31520\n  }\n";
  all.run(serve + block);
  const { port } = await all.cluster.state("web-1", "ready");
  const get = async (path: string) => await (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  assertEquals(await get("/"), "start");
  assertEquals(await get(`/link/${"n".repeat(120)}.txt`), "deep");
  const [folder] = [...all.node.machine.artifactFolders()];
  assertEquals(Deno.statSync(`${folder}/tool`).mode! & 0o777, 0o755);
  const copy = await fetch(`http://127.0.0.1:${all.node.udp.address.port}/artifacts/${sha256}`);
  assertEquals(new Uint8Array(await copy.arrayBuffer()), bytes);
});

Deno.test("what the conductor sent of it is gone on with at another node", async () => {
  await using all = await bench();
  await using other = await bench();
  Deno.writeTextFileSync(`${all.folder}/program`, PROGRAM);
  const { bytes, block } = await artifact(all, `${all.folder}/program`, "file");
  other.cluster.artifact = sending(bytes);
  other.run(PLAIN + block);
  await other.cluster.state("web-1", "ready");
  const asked: number[] = [];
  all.cluster.artifact = sending(bytes, 100_000, asked);
  const sequence = all.cluster.apply("web", `app web\n${PLAIN}${block}\n`);
  all.cluster.run("web-1", "web", sequence, 0, [`127.0.0.1:${other.node.udp.address.port}`]);
  await all.cluster.state("web-1", "ready");
  assertEquals(asked, [0]);
});

Deno.test("a busy conductor names others, and these are asked", async () => {
  await using all = await bench();
  await using other = await bench();
  Deno.writeTextFileSync(`${all.folder}/program`, PROGRAM);
  const { bytes, block } = await artifact(all, `${all.folder}/program`, "file");
  other.cluster.artifact = sending(bytes);
  other.run(PLAIN + block);
  await other.cluster.state("web-1", "ready");
  const holders = [`127.0.0.1:${other.node.udp.address.port}`];
  all.cluster.artifact = () => Response.json({ error: "busy", holders }, { status: 503 });
  all.run(PLAIN + block);
  await all.cluster.state("web-1", "ready");
});

Deno.test("bytes that are not the signed ones never run, and are told", async () => {
  await using all = await bench();
  Deno.writeTextFileSync(`${all.folder}/program`, PROGRAM);
  const { bytes, block } = await artifact(all, `${all.folder}/program`, "file");
  const forged = bytes.slice();
  forged[20]! ^= 1;
  all.cluster.artifact = sending(forged);
  all.run(PLAIN + block);
  const status = await until("told", () => {
    const each = all.cluster.statuses.get("web-1");
    return each?.reason?.includes("not the signed one") ? each : null;
  });
  assertEquals([status.state, status.pid], ["waiting", undefined]);
  assertMatch(status.reason!, /not to be had: the conductor: what it sent has the digest /);
  // With the right ones it starts: nothing of the forged ones is left.
  all.cluster.artifact = sending(bytes);
  await all.cluster.state("web-1", "ready");
});

Deno.test("a wrong machine and a text are refused before they are started", async () => {
  await using all = await bench();
  const head = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0xf3, 0];
  Deno.writeFileSync(`${all.folder}/program`, new Uint8Array(head));
  const foreign = await artifact(all, `${all.folder}/program`, "file");
  all.cluster.artifact = sending(foreign.bytes);
  all.run(PLAIN + foreign.block);
  const status = await until("told", () => {
    const each = all.cluster.statuses.get("web-1");
    return each?.exit ? each : null;
  });
  assertEquals(status.exit?.why, "launch");
  assertStringIncludes(status.exit?.tail ?? "", "is built for riscv64, this node is");
});

Deno.test("an artifact that does not fit on the disk is not begun", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-artifacts-" });
  await using artifacts = new Artifacts({
    folder,
    maxBytes: 0,
    helper: { space: () => Promise.resolve(100 * 2 ** 20), boot: () => Promise.resolve("") },
    conductors: () => ["127.0.28.1:9"],
    inUse: () => new Set(),
  });
  const wanted = { from: "x", sha256: "6".repeat(64), bytes: 50 * 2 ** 20 };
  const folderFault = await artifacts.get({ ...wanted, form: "folder" }, []);
  assertEquals(
    folderFault.fault,
    "artifact 666666666666 needs 164 MiB of disk, 100 MiB are free",
  );
  assertMatch(
    (await artifacts.get({ ...wanted, bytes: 1, form: "file" }, [])).fault ?? "",
    /the conductor: /,
  );
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the cache keeps what runs and throws away what was unused for the longest time", async () => {
  await using all = await bench({ artifactBytes: 0 });
  const folders: string[] = [];
  for (const [index, text] of ["one", "two"].entries()) {
    Deno.writeTextFileSync(`${all.folder}/program`, `${PROGRAM}${text}`);
    const { bytes, block } = await artifact(all, `${all.folder}/program`, "file");
    all.cluster.artifact = sending(bytes);
    all.run(PLAIN + block, `web-${index}`);
    await all.cluster.state(`web-${index}`, "ready");
    folders.push([...all.node.machine.artifactFolders()].at(-1)!);
  }
  assert(folders.every((folder) => Deno.statSync(folder).isDirectory));
  all.cluster.stop("web-0");
  await all.cluster.state("web-0", "finished");
  await until("web-0 is dropped", () => !all.node.machine.artifactFolders().has(folders[0]!));
  await all.node.artifacts.prune();
  await assertGone(folders[0]!);
  assert(Deno.statSync(folders[1]!).isDirectory);
});

/** A cache of its own, whose conductor is gone. */
async function orphaned(
  work: (cache: Artifacts, folder: string) => Promise<void>,
  mount?: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-artifacts-" });
  await mount?.(folder);
  const cache = new Artifacts({
    folder: `${folder}/cache`,
    maxBytes: 2 ** 30,
    helper: { space: () => Promise.resolve(null), boot: () => Promise.resolve("") },
    // Nobody listens there.
    conductors: () => ["127.0.28.1:7771"],
    inUse: () => new Set(),
  });
  try {
    await work(cache, folder);
  } finally {
    await cache[Symbol.asyncDispose]();
    if (mount) await new Deno.Command("umount", { args: [folder] }).output();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Those of a cache in which whole artifacts are. */
function folders(cache: string): string[] {
  return [...Deno.readDirSync(cache)].map(({ name }) => name)
    .filter((name) => /^[0-9a-f]{64}\.[0-9a-f]{8}$/.test(name));
}

/** Another node, as far as artifacts go. */
function peer(answer: (request: Request) => Response) {
  const asked: (string | null)[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    asked.push(request.headers.get("range"));
    return answer(request);
  });
  return {
    asked,
    source: `127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

const WANTED = { from: "x/program", form: "file" } as const;

Deno.test("with the conductor gone another node that has it is asked", async () => {
  await using other = await bench();
  Deno.writeTextFileSync(`${other.folder}/program`, PROGRAM);
  const { bytes, sha256, block } = await artifact(other, `${other.folder}/program`, "file");
  other.cluster.artifact = sending(bytes);
  other.run(PLAIN + block);
  await other.cluster.state("web-1", "ready");
  await orphaned(async (cache) => {
    const wanted = { ...WANTED, sha256, bytes: bytes.length };
    const alone = await cache.get(wanted, []);
    assertMatch(
      alone.fault ?? "",
      /^artifact [0-9a-f]{12} is not to be had: the conductor: .*Connection refused/,
    );
    const source = `127.0.0.1:${other.node.udp.address.port}`;
    assertEquals(await cache.get(wanted, [source]), { fault: null });
    assertEquals(await cache.get(wanted, []), { fault: null });
  });
});

Deno.test("nodes that lie, wholly or in their beginning, keep nobody from the next one's truth", async () => {
  const bytes = new TextEncoder().encode(PROGRAM);
  const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  const lies = bytes.map((byte) => byte ^ 1);
  await using wholly = peer(sending(lies));
  await using half = peer(sending(lies, 100_000));
  await using honest = peer(sending(bytes));
  await orphaned(async (cache, folder) => {
    const wanted = { ...WANTED, sha256, bytes: bytes.length };
    const only = await cache.get(wanted, [wholly.source]);
    assertMatch(only.fault ?? "", /what it sent has the digest [0-9a-f]{12}, not the signed one/);
    const all = [wholly.source, half.source, honest.source];
    assertEquals(await cache.get(wanted, all), { fault: null });
    // It went on from the lie at first, and then was asked for all of it.
    assertEquals(honest.asked, ["bytes=100000-", null]);
    const [name] = folders(`${folder}/cache`);
    assertEquals(Deno.readFileSync(`${folder}/cache/${name}/program`), bytes);
  });
});

Deno.test("a disk that becomes full while an artifact comes is told, and it is gone on with later", async () => {
  const tmpfs = async (folder: string, ...more: string[]) => {
    const { success } = await new Deno.Command("mount", {
      args: ["-t", "tmpfs", ...more, "none", folder],
      stderr: "null",
    }).output().catch(() => ({ success: false }));
    return success;
  };
  const trial = await Deno.makeTempDir();
  const may = await tmpfs(trial);
  if (may) await new Deno.Command("umount", { args: [trial] }).output();
  await Deno.remove(trial);
  if (!may) return console.log("not root, or no tmpfs: a full disk is not tried");
  const bytes = new TextEncoder().encode(PROGRAM);
  const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  await using other = peer(sending(bytes));
  await orphaned(async (cache, folder) => {
    const wanted = { ...WANTED, sha256, bytes: bytes.length };
    const full = await cache.get(wanted, [other.source]);
    assertEquals(full, { fault: "its artifact cannot be kept: the disk is full" });
    assertEquals(folders(`${folder}/cache`), []);
    assert(await tmpfs(folder, "-o", "remount,size=8m"), "it cannot be made larger");
    assertEquals(await cache.get(wanted, [other.source]), { fault: null });
    assertMatch(other.asked[1]!, /^bytes=[1-9][0-9]*-$/);
  }, async (folder) => {
    assert(await tmpfs(folder, "-o", "size=256k"));
  });
});

Deno.test("what fetches left behind is thrown away when nobody has gone on with it for a day", async () => {
  const bytes = new TextEncoder().encode(PROGRAM);
  const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  await using other = peer(sending(bytes));
  await orphaned(async (cache, folder) => {
    const at = (name: string) => `${folder}/cache/${name}`;
    const left = { old: "5".repeat(64), fresh: "6".repeat(64) };
    for (const [age, name] of Object.entries(left)) {
      Deno.mkdirSync(at(`${name}.12345678.new`), { recursive: true });
      Deno.mkdirSync(at("new"), { recursive: true });
      Deno.writeTextFileSync(at(`new/${name}.12345678.part`), "half");
      if (age === "fresh") continue;
      const then = new Date(Date.now() - ARTIFACT_PART_MS - 60_000);
      Deno.utimeSync(at(`${name}.12345678.new`), then, then);
      Deno.utimeSync(at(`new/${name}.12345678.part`), then, then);
    }
    const wanted = { ...WANTED, sha256, bytes: bytes.length };
    assertEquals(await cache.get(wanted, [other.source]), { fault: null });
    const names = [...Deno.readDirSync(at("")), ...Deno.readDirSync(at("new"))]
      .map((each) => each.name).filter((name) => /^[56]/.test(name)).sort();
    assertEquals(names, [`${left.fresh}.12345678.new`, `${left.fresh}.12345678.part`]);
  });
});

async function assertGone(path: string): Promise<void> {
  await until(`${path} is gone`, () => {
    try {
      Deno.statSync(path);
      return false;
    } catch {
      return true;
    }
  });
}
