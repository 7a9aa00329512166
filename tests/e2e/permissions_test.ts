// Each daemon with exactly the flags of core/permissions.ts: it works, and what lies past them is
// refused. The refusals are tried by a probe program that runs with the same flags.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { denoFolder } from "../../core/live/deno_folder_testing.ts";
import { permissionFlags } from "../../core/permissions.ts";
import { tokenPath } from "../../cli/cluster/daemons.ts";
import { writeTokens } from "../../cli/cluster/tokens.ts";
import { makeKeys } from "../../cli/keys.ts";
import { startConductor } from "../../conductor/live/conductor.ts";
import type { RunningConductor } from "../../conductor/live/settings.ts";
import { readOperators } from "../../conductor/live/open.ts";
import { readToken } from "../../core/live/join.ts";
import { openSealKeys } from "../../core/live/seal_keys.ts";
import { CLIENT, startIssuer } from "./oidc_issuer.ts";
import type { JoinRole } from "../../core/seal/member.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);
const NETWORKS = ["127.0.0.0/8"];
const BIND = "127.0.0.1";

/** What the probe tries; `null` where it was let, else `NotCapable`, or another error's name. */
interface Probed {
  readonly passwd: string | null;
  readonly write: string | null;
  readonly state: string | null;
  readonly run: string | null;
  readonly far: string | null;
  readonly farDatagram: string | null;
  readonly env: string | null;
  readonly sys: string | null;
  readonly ffi: string | null;
  readonly import: string | null;
}

const PROBE = String.raw`
const [state, outside] = Deno.args;
const results = {};
const attempt = async (name, act) => {
  try {
    await act();
    results[name] = null;
  } catch (error) {
    const refused = /Requires \w+ access|--no-remote/.test(error.message);
    results[name] = refused ? "NotCapable" : error.name;
  }
};
await attempt("passwd", () => Deno.readTextFile("/etc/passwd"));
await attempt("write", () => Deno.writeTextFile(outside + "/probe", "x"));
await attempt("state", () => Deno.writeTextFile(state + "/probe", "x"));
await attempt("run", () => new Deno.Command("/bin/true").output());
await attempt("far", () => Deno.connect({ hostname: "192.0.2.1", port: 9 }));
await attempt("farDatagram", async () => {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  try {
    await socket.send(new Uint8Array(1), { transport: "udp", hostname: "192.0.2.1", port: 9 });
  } finally {
    socket.close();
  }
});
await attempt("env", () => Deno.env.get("SSH_AUTH_SOCK"));
await attempt("sys", () => Deno.hostname());
await attempt("ffi", () => Deno.dlopen("libc.so.6", {}));
await attempt("import", () => import("https://esm.sh/" + "x.ts"));
console.log(JSON.stringify(results));
`;

interface Stage extends AsyncDisposable {
  readonly folder: string;
  readonly state: string;
  readonly publicKey: string;
  /** Flag of the token with which the daemon joins. */
  readonly join: string;
}

/** A folder, and a conductor that a daemon of this role can join. */
async function stage(role?: JoinRole): Promise<Stage> {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-permissions-" });
  const state = `${folder}/state`;
  await Deno.mkdir(state);
  const keys = { secret: `${folder}/signing.sec`, public: `${folder}/skrtrview.pub` };
  await makeKeys(keys.secret, keys.public);
  await Deno.writeTextFile(`${folder}/probe.ts`, PROBE);
  let conductor: RunningConductor | null = null;
  if (role !== undefined) {
    const own = `${folder}/conductor`;
    conductor = await startConductor({
      bind: BIND,
      port: 0,
      meshPort: 0,
      state: own,
      operators: await readOperators([keys.public]),
      tower: { hostname: BIND, port: 9 },
      plain: [],
      keys: await openSealKeys(own, "conductor"),
    });
    await writeTokens(own, conductor.commands, keys, [[state, role]]);
  }
  return {
    folder,
    state,
    publicKey: keys.public,
    join: `--join=${tokenPath(state)}`,
    async [Symbol.asyncDispose]() {
      await conductor?.stop("the test is over");
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Runs the probe with these permissions. */
async function probe(permissions: readonly string[], { folder, state }: Stage): Promise<Probed> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--unstable-net", ...permissions, `${folder}/probe.ts`, state, folder],
    env: { SSH_AUTH_SOCK: "/nowhere" },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert(text.startsWith("{"), new TextDecoder().decode(stderr));
  return JSON.parse(text);
}

/** Starts a daemon with these permissions, waits for a line of its log, ends it by its stdin. */
async function startAndStop(
  entry: string,
  permissions: readonly string[],
  flags: readonly string[],
  started: string,
  use: (log: string) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--cached-only",
      `--config=${ROOT}deno.json`,
      ...permissions,
      `${ROOT}${entry}/main.ts`,
      "--stop-with-stdin",
      ...flags,
    ],
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let log = "";
  let told = false;
  for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
    log += part;
    // The end of its input is its order to stop; then its log ends and so does this loop.
    if (told || !log.includes(started)) continue;
    told = true;
    await use(log);
    await child.stdin.close();
  }
  const { code } = await child.status;
  assertEquals(code, 0, log);
  assertStringIncludes(log, started);
  assert(!log.includes("NotCapable") && !log.includes("Requires "), log);
}

/** Everything past the flags is refused; `may` names what these flags do allow. */
function assertRefused(probed: Probed, may: readonly (keyof Probed)[]): void {
  for (const [what, error] of Object.entries(probed)) {
    const allowed = may.includes(what as keyof Probed);
    assertEquals(error, allowed ? null : "NotCapable", what);
  }
}

Deno.test("the tower works with its flags and can do nothing else", async () => {
  await using place = await stage("tower");
  const { state, join } = place;
  const permissions = permissionFlags("tower", { bind: BIND, networks: NETWORKS, state });
  const flags = ["--port=0", "--dns=0", `--state=${state}`, join];
  await startAndStop("tower", permissions, flags, "listening on");
  assertRefused(await probe(permissions, place), ["state"]);
});

Deno.test("the conductor works with its flags and can do nothing else", async () => {
  await using place = await stage();
  const { state, publicKey } = place;
  const permissions = permissionFlags("conductor", {
    bind: BIND,
    networks: NETWORKS,
    state,
    pubkeys: [publicKey],
  });
  const flags = ["--port=0", "--mesh-port=0", `--state=${state}`, `--pubkey=${publicKey}`];
  await startAndStop("conductor", permissions, flags, "ready:");
  assertRefused(await probe(permissions, place), ["state"]);
});

Deno.test("the conductor with single sign-on reaches its issuer besides, and nothing more", async () => {
  await using place = await stage();
  await using issuer = await startIssuer("127.0.9.73", "https://deck.example/deck/sso/back");
  const { state, publicKey, folder } = place;
  const file = `${folder}/sso.json`;
  const settings = {
    issuer: issuer.url,
    client: CLIENT.id,
    secret: CLIENT.secret,
    deck: "https://deck.example",
    groups: { platform: { role: "admin" } },
  };
  await Deno.writeTextFile(file, JSON.stringify(settings), { mode: 0o600 });
  const permissions = permissionFlags("conductor", {
    bind: BIND,
    networks: [new URL(issuer.url).host],
    state,
    pubkeys: [publicKey],
    files: [file],
  });
  const flags = ["--port=0", "--mesh-port=0", `--state=${state}`, `--pubkey=${publicKey}`];
  await startAndStop(
    "conductor",
    permissions,
    [...flags, `--sso=${file}`],
    "ready:",
    async (log) => {
      const [, address] = /commands at ([0-9.:]+)/.exec(log)!;
      const begun = await fetch(`http://${address}/deck/sso`, { redirect: "manual" });
      assertStringIncludes(begun.headers.get("location")!, `${issuer.url}/auth?`);
    },
  );
  assertRefused(await probe(permissions, place), ["state"]);
});

Deno.test("the node works with its flags, and can besides only run programs", async () => {
  await using place = await stage("node");
  const { state, publicKey, join } = place;
  const permissions = permissionFlags("node", {
    bind: BIND,
    networks: NETWORKS,
    state,
    pubkeys: [publicKey],
    root: ROOT,
  });
  const flags = ["--port=0", "--metrics=0", "--conductor=127.0.0.1:9", "--tower=127.0.0.1:9"];
  const { address } = (await readToken(tokenPath(state))) ?? {};
  const own = [`--state=${state}`, join, "--name=probed", `--follow=${address}`];
  await startAndStop("node", permissions, [...flags, ...own], "listens at");
  assertRefused(await probe(permissions, place), ["state", "run"]);
});

Deno.test("the ingress works with its flags and can do nothing else", async () => {
  await using place = await stage("ingress");
  const { state, join } = place;
  const permissions = permissionFlags("ingress", { bind: BIND, networks: NETWORKS, state });
  const flags = ["--http=0", "--admin=0", "--tower=127.0.0.1:9", `--state=${state}`, join];
  await startAndStop("ingress", permissions, flags, "serving");
  assertRefused(await probe(permissions, place), ["state"]);
});

Deno.test("the CLI writes only here and into its key folder, and runs only the shell", async () => {
  await using place = await stage();
  const permissions = permissionFlags("skr8tr", { home: place.state });
  // Its folder for keys is below the home given; the state folder itself is not.
  const probed = await probe(permissions, place);
  assertEquals([probed.write, probed.state], ["NotCapable", "NotCapable"]);
  for (const what of ["run", "env", "sys", "ffi"] as const) {
    assertEquals(probed[what], "NotCapable", what);
  }
  // The CLI as `place.state` were the operator's home; Deno keeps the cache that it has.
  const keygen = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      `--config=${ROOT}deno.json`,
      ...permissions,
      `${ROOT}cli/main.ts`,
      "keygen",
    ],
    cwd: place.folder,
    env: { HOME: place.state, SKR8TR_KEY: "", DENO_DIR: denoFolder() },
    stdout: "piped",
    stderr: "null",
  });
  // skrtrview.pub of the stage lies here already, and is never overwritten.
  const refused = await keygen.output();
  assertEquals([refused.code, new TextDecoder().decode(refused.stdout)], [1, ""]);
  await Deno.remove(place.publicKey);
  assertEquals((await keygen.output()).code, 0);
  assertEquals((await Deno.stat(`${place.state}/.skr8tr/signing.sec`)).mode! & 0o777, 0o600);
});
