// Certificates from pebble, the test server of Let's Encrypt's authors, which refuses half of all
// nonces here. Its DNS is pebble-challtestsrv, which can be told to fail.
// Row 18 of the scoreboard of faults.

import tls from "node:tls";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { freePort } from "../../core/live/free_port_testing.ts";
import { acmeFiles, challengeAnswer, renewAtMs } from "./acme.ts";
import { namesOf } from "./certificates.ts";
import { answering, eventually, exchange, ok } from "./testing.ts";

async function has(program: string): Promise<boolean> {
  const { success } = await new Deno.Command("sh", { args: ["-c", `command -v ${program}`] })
    .output();
  return success;
}

const hasPebble = await has("pebble") && await has("pebble-challtestsrv") && await has("openssl");

function spawn(program: string, args: readonly string[], env: Record<string, string> = {}) {
  const child = new Deno.Command(program, {
    args: [...args],
    env,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGTERM");
      } catch {
        // It has ended already.
      }
      await child.status;
    },
  };
}

interface Authority extends AsyncDisposable {
  readonly directory: string;
  readonly ca: string;
  readonly httpPort: number;
  /** Makes lookups of the name fail, or work again. */
  setDns(name: string, works: boolean): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** It takes connections and answers nothing, or answers again. */
  hang(hangs: boolean): void;
}

async function openAuthority(folder: string): Promise<Authority> {
  const [listen, management, dns, dnsManagement, httpPort] = Array.from(
    { length: 5 },
    () => freePort(),
  );
  const ca = `${folder}/ca.pem`;
  const key = `${folder}/ca.key`;
  const made = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-keyout", key, "-out", ca, "-days", "2", "-subj", "/CN=localhost"],
      ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
    ],
  }).output();
  assert(made.success, new TextDecoder().decode(made.stderr));
  const config = {
    pebble: {
      listenAddress: `127.0.0.1:${listen}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: ca,
      privateKey: key,
      httpPort,
      tlsPort: freePort(),
    },
  };
  await Deno.writeTextFile(`${folder}/pebble.json`, JSON.stringify(config));
  const names = spawn("pebble-challtestsrv", [
    ...["-management", `127.0.0.1:${dnsManagement}`, "-dns01", `127.0.0.1:${dns}`],
    ...["-http01", "", "-https01", "", "-tlsalpn01", ""],
    ...["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""],
  ]);
  let pebble: (AsyncDisposable & { readonly pid: number }) | null = null;
  const tell = (path: string, body: unknown) =>
    fetch(`http://127.0.0.1:${dnsManagement}/${path}`, {
      method: "POST",
      body: JSON.stringify(body),
    })
      .then(async (response) => {
        await response.body?.cancel();
        return response.ok;
      }, () => false);
  await eventually(
    "the names are served",
    () => tell("clear-servfail", { host: "none.test." }),
    10_000,
  );
  return {
    directory: `https://localhost:${listen}/dir`,
    ca,
    httpPort: httpPort!,
    async setDns(name, works) {
      await tell(works ? "clear-servfail" : "set-servfail", { host: `${name}.` });
    },
    async start() {
      const args = ["-config", `${folder}/pebble.json`, "-dnsserver", `127.0.0.1:${dns}`];
      pebble = spawn("pebble", args, { PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "50" });
      await eventually(
        "pebble listens",
        () =>
          Deno.connect({ hostname: "127.0.0.1", port: listen! }).then((connection) => {
            connection.close();
            return true;
          }, () => false),
        10_000,
      );
    },
    hang(hangs) {
      Deno.kill(pebble!.pid, hangs ? "SIGSTOP" : "SIGCONT");
    },
    async stop() {
      await pebble?.[Symbol.asyncDispose]();
      pebble = null;
    },
    async [Symbol.asyncDispose]() {
      await pebble?.[Symbol.asyncDispose]();
      await names[Symbol.asyncDispose]();
    },
  };
}

function shownFor(port: number, servername: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = tls.connect(
      { port, host: "127.0.0.1", servername, rejectUnauthorized: false },
      () => {
        const shown = socket.getPeerCertificate();
        resolve(`${shown.subjectaltname} ${shown.serialNumber}`);
        socket.destroy();
      },
    );
    socket.on("error", () => resolve(null));
  });
}

Deno.test("certificates come from an ACME server through its faults, are renewed and kept", async () => {
  if (!hasPebble) return console.log("not run: pebble, pebble-challtestsrv or openssl is missing");
  const folder = await Deno.makeTempDir({ prefix: "ingress-acme-" });
  await using authority = await openAuthority(folder);
  await using backend = answering(() => ok("fine"));
  const main = new URL("../main.ts", import.meta.url).pathname;
  const httpsPort = freePort();
  await authority.setDns("bad.test", false);
  // The server is down at first.
  const start = () =>
    spawn(Deno.execPath(), [
      ...["run", "--no-prompt", "--allow-net", `--allow-read=${folder}`, `--allow-write=${folder}`],
      ...["--allow-env", main, "--tower", "none", "--admin", "0", "--state", folder],
      ...["--http", String(authority.httpPort), "--https", String(httpsPort)],
      ...["--route", "/:shop", "--upstream", `shop=127.0.0.1:${backend.port}`],
      ...["--acme-domain", "good.test", "--acme-domain", "bad.test", "--acme-email", "a@b.test"],
      ...["--acme-directory", authority.directory, "--acme-ca", authority.ca, "--redirect-https"],
    ]);
  const serves = () =>
    eventually(
      "the ingress listens",
      () =>
        exchange(
          authority.httpPort,
          "GET / HTTP/1.1\r\nHost: good.test\r\nConnection: close\r\n\r\n",
        )
          .then((text) => text.startsWith("HTTP/1.1 308"), () => false),
      10_000,
    );
  await using first = start();
  await serves();
  await authority.start();
  const shown = async (name: string) => {
    const text = await shownFor(httpsPort, name);
    return text?.startsWith(`DNS:${name} `) ? text : null;
  };
  await eventually(
    "a certificate for good.test",
    async () => await shown("good.test") !== null,
    60_000,
  );
  assertEquals(await shown("bad.test"), null);
  await authority.setDns("bad.test", true);
  await eventually(
    "a certificate for bad.test",
    async () => await shown("bad.test") !== null,
    60_000,
  );
  const before = await shown("good.test");
  const { certificate } = acmeFiles(`${folder}/acme`, "good.test");
  assertEquals(namesOf(await Deno.readTextFile(certificate)).names, ["good.test"]);
  const left = [...Deno.readDirSync(`${folder}/acme`)].map(({ name }) => name);
  assertEquals(left.filter((name) => /challenge|lock|new$/.test(name)), []);
  // Made old by its file's time the certificate is due; while the server is down it is shown on.
  await authority.stop();
  await first[Symbol.asyncDispose]();
  await Deno.utime(certificate, new Date("2000-01-01"), new Date("2000-01-01"));
  await using _second = start();
  await serves();
  assertEquals(await shown("good.test"), before);
  await authority.start();
  await eventually("a renewed certificate", async () => {
    const now = await shown("good.test");
    return now !== null && now !== before;
  }, 60_000);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a server that hangs and an ingress that died cost less than a minute; others share what is got", async () => {
  if (!hasPebble) return console.log("not run: pebble, pebble-challtestsrv or openssl is missing");
  const folder = await Deno.makeTempDir({ prefix: "ingress-acme-" });
  await using authority = await openAuthority(folder);
  const main = new URL("../main.ts", import.meta.url).pathname;
  const start = (httpPort: number, httpsPort: number, domain: string) =>
    spawn(Deno.execPath(), [
      ...["run", "--no-prompt", "--allow-net", `--allow-read=${folder}`, `--allow-write=${folder}`],
      ...["--allow-env", main, "--tower", "none", "--admin", "0", "--state", folder],
      ...["--http", String(httpPort), "--https", String(httpsPort), "--acme-domain", domain],
      ...["--acme-email", "a@b.test", "--acme-directory", authority.directory],
      ...["--acme-ca", authority.ca],
    ]);
  await authority.start();
  authority.hang(true);
  // Who held this lock is dead: it was killed while it ordered.
  await Deno.mkdir(`${folder}/acme`, { recursive: true });
  await Deno.writeTextFile(`${folder}/acme/one.test.lock`, "");
  const ports = [freePort(), freePort()];
  await using _one = start(authority.httpPort, ports[0]!, "one.test");
  // Two more at the same folder, of whom the CA hears nothing: the first says their answers.
  await using _two = start(freePort(), ports[1]!, "two.test");
  await using _three = start(freePort(), freePort(), "one.test");
  await eventually("the hanging server has been asked", async () => {
    const names = [...Deno.readDirSync(`${folder}/acme`)].map(({ name }) => name);
    return await Promise.resolve(names.includes("two.test.lock"));
  }, 30_000);
  authority.hang(false);
  const shown = async (port: number, name: string) =>
    (await shownFor(port, name))?.startsWith(`DNS:${name} `) ?? false;
  await eventually("one.test", () => shown(ports[0]!, "one.test"), 60_000);
  await eventually("two.test", () => shown(ports[1]!, "two.test"), 60_000);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("renewAtMs() is when a third of a certificate's life is left", () => {
  assertEquals(renewAtMs(0, 90), 60);
});

Deno.test("challengeAnswer() reads tokens only, and no other file", async () => {
  const folder = await Deno.makeTempDir({ prefix: "ingress-acme-" });
  await Deno.writeTextFile(`${folder}/challenge-abc`, "abc.xyz");
  await Deno.writeTextFile(`${folder}/account.key`, "secret");
  assertEquals(challengeAnswer(folder, "abc"), "abc.xyz");
  for (const token of ["", "none", "../account.key", "abc/../account.key", "a".repeat(200)]) {
    assertEquals(challengeAnswer(folder, token), null);
  }
  assertMatch(challengeAnswer(folder, "abc")!, /xyz/);
  await Deno.remove(folder, { recursive: true });
});
