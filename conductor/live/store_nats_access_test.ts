// How a conductor enters NATS: by a password, by credentials, over TLS; and what it says where it may
// not. On real servers, with certificates by openssl and credentials made here.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { nkeys } from "@nats-io/transport-node";
import { Failure } from "../../core/errors.ts";
import { type EntryBody, nextEntry } from "../../core/log.ts";
import { keyPairFromSeed } from "../../core/sign.ts";
import { hasOpenssl } from "../../ingress/live/testing_tls.ts";
import { hasNats, NatsCluster } from "../../tests/contract/nats_cluster.ts";
import type { NatsAccess } from "./nats.ts";
import { withFolder } from "./rig_test.ts";
import { NatsStore } from "./store_nats.ts";
import { ConductorProcess } from "./testing_several.ts";

const ignore = !hasNats();
const withoutTls = ignore || !hasOpenssl;
if (withoutTls) console.log("not run: NATS over TLS; openssl or nats-server is not installed");
const PASSWORD = `authorization { user: skr8tr, password: "s3cret:with a colon" }`;
const LOGIN = "skr8tr:s3cret:with a colon\n";

/** Writes an entry and reads it; a failure's words, or what was read. */
async function use(nats: NatsCluster, tls: boolean, access: NatsAccess): Promise<string> {
  const name = `access-${crypto.randomUUID().slice(0, 8)}`;
  try {
    const store = await NatsStore.open(nats.target(name, { tls }), null, {
      patienceMs: 1_000,
      ...access,
    });
    try {
      const body: EntryBody = { kind: "node", node: "0".repeat(32), name: "node-1" };
      const entry = nextEntry(await store.head(), 1_795_177_690_123, body);
      await store.append(entry);
      assertEquals(await store.read(0, 10), [entry]);
      return "used";
    } finally {
      await store.close();
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

/** The store cannot be opened, and this is in what is said. */
async function refused(
  nats: NatsCluster,
  tls: boolean,
  access: NatsAccess,
  words: readonly string[],
) {
  const said = await use(nats, tls, access);
  for (const each of ["store-unreachable: cannot open the store", ...words]) {
    assertStringIncludes(said, each);
  }
}

async function openssl(...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args: [...args] }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** An authority of its own; what comes back is its certificate. */
async function authority(folder: string, name: string): Promise<string> {
  const at = `${folder}/${name}`;
  await openssl(
    ...["req", "-x509", ...KEY, "-keyout", `${at}.key`, "-out", `${at}.pem`, "-days", "2"],
    ...["-subj", `/CN=${name}`, "-addext", "keyUsage=critical,keyCertSign"],
  );
  return await Deno.readTextFile(`${at}.pem`);
}

/** A server's certificate, signed by that authority: lines for the server's configuration. */
async function certified(folder: string, by: string, hostname: string): Promise<string> {
  const at = `${folder}/server`;
  await openssl(
    "req",
    "-new",
    ...KEY,
    "-keyout",
    `${at}.key`,
    "-out",
    `${at}.csr`,
    "-subj",
    "/CN=s",
  );
  await Deno.writeTextFile(`${at}.ext`, `subjectAltName=IP:${hostname}\n`);
  await openssl(
    ...["x509", "-req", "-in", `${at}.csr`, "-CA", `${folder}/${by}.pem`, "-days", "2"],
    ...["-CAkey", `${folder}/${by}.key`, "-CAcreateserial", "-extfile", `${at}.ext`],
    ...["-out", `${at}.pem`],
  );
  return `tls { cert_file: "${at}.pem", key_file: "${at}.key" }`;
}

/** A JSON web token as NATS signs them, by an Ed25519 key of NATS. */
function token(signer: nkeys.KeyPair, subject: string, name: string, claims: object): string {
  const text = (value: object) =>
    new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url" })
      .replaceAll("=", "");
  const now = Math.floor(Date.now() / 1_000);
  const issued = { jti: crypto.randomUUID(), iat: now, iss: signer.getPublicKey(), sub: subject };
  const body = `${text({ typ: "JWT", alg: "ed25519-nkey" })}.${
    text({ ...issued, name, nats: { ...claims, version: 2 } })
  }`;
  const signature = signer.sign(new TextEncoder().encode(body));
  return `${body}.${signature.toBase64({ alphabet: "base64url" }).replaceAll("=", "")}`;
}

/** An operator of NATS with one account, and the credentials of a user of it and of a stranger. */
function credentials(): { settings: string; user: string; stranger: string } {
  const operator = nkeys.createOperator();
  const [system, account, other] = [1, 2, 3].map(() => nkeys.createAccount());
  const free = { subs: -1, data: -1, payload: -1 };
  const limits = {
    ...free,
    ...{ imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 },
    ...{ mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 },
  };
  const accountToken = (of: nkeys.KeyPair, name: string, most: object) =>
    token(operator, of.getPublicKey(), name, { type: "account", limits: most });
  const operatorToken = token(operator, operator.getPublicKey(), "test", { type: "operator" });
  // The system's own account can have no streams.
  const accounts = ([
    [system!, "system", { ...free, imports: -1, exports: -1, conn: -1 }],
    [account!, "skr8tr", limits],
  ] as const).map(([of, name, most]) => `${of.getPublicKey()}: "${accountToken(of, name, most)}"`);
  const file = (by: nkeys.KeyPair) => {
    const user = nkeys.createUser();
    const jwt = token(by, user.getPublicKey(), "conductor", { type: "user", ...free });
    const seed = new TextDecoder().decode(user.getSeed());
    return `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n` +
      `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`;
  };
  return {
    settings: `operator: "${operatorToken}"
      resolver: MEMORY
      system_account: ${system!.getPublicKey()}
      resolver_preload { ${accounts.join("\n")} }`,
    user: file(account!),
    stranger: file(other!),
  };
}

Deno.test({
  name: "store NATS: a password opens it; another, or none, does not, and it is said why",
  ignore,
  async fn() {
    await using nats = await NatsCluster.start({
      size: 1,
      hostname: "127.0.44.31",
      settings: PASSWORD,
    });
    assertEquals(await use(nats, false, { login: LOGIN }), "used");
    const hint = ["refuses this login", "--store-login"];
    await refused(nats, false, { login: "skr8tr:wrong" }, hint);
    await refused(nats, false, {}, hint);
    await assertRejects(
      () => NatsStore.open(nats.target("no"), null, { login: "only-a-user" }),
      Failure,
      ".creds file of NATS, or user:password",
    );
  },
});

Deno.test({
  name: "store NATS: credentials of one of its account's users open it; a stranger's do not",
  ignore,
  async fn() {
    const { settings, user, stranger } = credentials();
    await using nats = await NatsCluster.start({ size: 1, hostname: "127.0.44.32", settings });
    assertEquals(await use(nats, false, { login: user }), "used");
    await refused(nats, false, { login: stranger }, ["refuses this login", "--store-login"]);
    await refused(nats, false, { login: LOGIN }, ["refuses this login"]);
  },
});

Deno.test({
  name: "store NATS: over TLS its server is checked by --store-ca, and the log is opened by flags",
  ignore: withoutTls,
  async fn(t) {
    await withFolder(async (folder) => {
      const hostname = "127.0.44.33";
      const caCert = await authority(folder, "ca");
      const otherCert = await authority(folder, "other");
      const settings = `${await certified(folder, "ca", hostname)}\n${PASSWORD}`;
      await using nats = await NatsCluster.start({ size: 1, hostname, settings });

      await t.step("the store", async () => {
        assertEquals(await use(nats, true, { login: LOGIN, caCert }), "used");
        const hint = ["certificate", "--store-ca"];
        await refused(nats, true, { login: LOGIN, caCert: otherCert }, hint);
        await refused(nats, true, { login: LOGIN }, hint);
        // The server takes nothing else.
        await refused(nats, false, { login: LOGIN, caCert }, ["certificate", "tls://"]);
        await refused(nats, true, { login: "skr8tr:wrong", caCert }, ["refuses this login"]);
      });

      await t.step("a server with another's certificate, or without TLS", async () => {
        const other = await certified(folder, "ca", "127.0.44.99");
        await using wrong = await NatsCluster.start({ size: 1, hostname, settings: other });
        await refused(wrong, true, { caCert }, ["for this address"]);
        await using plain = await NatsCluster.start({ size: 1, hostname });
        // At once: its operator has not asked for a log that anybody can read on its way.
        const beganMs = performance.now();
        await refused(plain, true, { caCert, patienceMs: 20_000 }, ["no TLS"]);
        assert(performance.now() - beganMs < 10_000);
      });

      await t.step("a conductor", async () => {
        await Deno.writeTextFile(`${folder}/login`, LOGIN, { mode: 0o600 });
        await Deno.writeTextFile(`${folder}/wrong`, "skr8tr:wrong\n", { mode: 0o600 });
        const { publicKey } = keyPairFromSeed(new Uint8Array(32).fill(7));
        await Deno.writeFile(`${folder}/key.pub`, publicKey);
        const conductor = (login: string, ca: string) =>
          new ConductorProcess("conductor", `${folder}/state`, [
            ...[`--bind=${hostname}`, "--port=0", "--mesh-port=0", `--tower=${hostname}:1`],
            ...[`--state=${folder}/state`, `--pubkey=${folder}/key.pub`, "--telemetry=0"],
            ...[`--store=tls://${nats.servers[0]!.address}`, `--store-login=${folder}/${login}`],
            `--store-ca=${folder}/${ca}.pem`,
          ], hostname);
        const wrong = await assertRejects(() => conductor("wrong", "ca").start(), Error);
        assertStringIncludes(wrong.message, "refuses this login");
        const strange = await assertRejects(() => conductor("login", "other").start(), Error);
        assertStringIncludes(strange.message, "--store-ca");
        const right = conductor("login", "ca");
        await right.start();
        try {
          for (const untilMs = performance.now() + 30_000; !(await right.leader())?.leads;) {
            if (performance.now() > untilMs) throw new Error(right.told.join(""));
          }
        } finally {
          await right.end("SIGTERM");
        }
      });
    });
  },
});
