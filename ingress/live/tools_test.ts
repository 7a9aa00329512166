// The tools that people use, through TLS: curl, nghttp, h2load, wrk. Each is asked for what it saw.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { answering, endpoint, eventually, ok, route, testIngress } from "./testing.ts";
import { certify } from "./testing_tls.ts";

async function run(program: string, ...args: string[]): Promise<string | null> {
  try {
    const { stdout, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
    return [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log(`not run: ${program} is not installed`);
    return null;
  }
}

Deno.test("curl, nghttp, h2load and wrk are served through TLS", async (t) => {
  const files = await certify("tools", "localhost");
  if (files === null) return console.log("not run: openssl is not installed");
  const large = "y".repeat(300_000);
  await using backend = answering(({ head, body }) =>
    head.startsWith("GET /large") ? ok(large) : ok(`small ${body}`, "X-A: b\r\n")
  );
  let log = "";
  await using ingress = await testIngress({
    accessLog: "combined",
    writeLog: (bytes) => Promise.resolve(log += new TextDecoder().decode(bytes)),
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.port)],
    tls: { port: 0, files: [files], hstsS: 3600, redirect: false },
  });
  const body = "z".repeat(200_000);
  await Deno.writeTextFile(`${files.key}.body`, body);
  const base = `https://localhost:${ingress.httpsPort}`;
  const curl = (...args: string[]) => run("curl", "-sS", "--cacert", files.certificate, ...args);

  await t.step("curl by HTTP/2 and by HTTP/1.1", async () => {
    const both = await curl("-i", "--http2", `${base}/`, `${base}/`);
    if (both === null) return;
    assertEquals(both.match(/HTTP\/2 200/g)?.length, 2);
    assertMatch(both, /^strict-transport-security: max-age=3600/m);
    const old = await curl("-i", "--http1.1", `${base}/`);
    assertMatch(old!, /^HTTP\/1\.1 200 /);
    const posted = await curl("--http2", "--data-binary", `@${files.key}.body`, `${base}/`);
    assertEquals(posted, `small ${body}`);
    assertEquals(await curl("--http2", `${base}/large`), large);
    assertMatch((await curl("--http2", "-I", `${base}/`))!, /^HTTP\/2 200/);
  });

  await t.step("the access log names the protocol", async () => {
    await eventually(
      "the log",
      () => / HTTP\/2\.0" 200 /.test(log) && / HTTP\/1\.1" 200 /.test(log),
    );
  });

  await t.step("nghttp, with what it says of errors", async () => {
    const said = await run("nghttp", "-nv", "-m", "20", `${base}/`, `${base}/large`);
    if (said === null) return;
    assert(!/RST_STREAM|error_code=(?!NO_ERROR)/.test(said), said.slice(0, 2_000));
    const tight = await run("nghttp", "-nv", "-c0", "-w1", "-W1", "-m3", `${base}/`);
    assert(!/RST_STREAM|error_code=(?!NO_ERROR)/.test(tight!), tight!.slice(0, 2_000));
    assertEquals(tight!.match(/:status: 200/g)?.length, 3);
    assert((said.match(/:status: 200/g)?.length ?? 0) >= 21, said.slice(0, 2_000));
  });

  await t.step("h2load: many requests, streams and connections", async () => {
    const said = await run("h2load", "-n2000", "-c10", "-m20", `${base}/`);
    if (said === null) return;
    assertMatch(said, /2000 succeeded, 0 failed, 0 errored/);
    assertMatch(said, /status codes: 2000 2xx/);
    const bodies = await run("h2load", "-n200", "-c4", "-m10", `${base}/large`);
    assertMatch(bodies!, /200 succeeded, 0 failed, 0 errored/);
    const uploads = await run("h2load", "-n16", "-c4", "-m4", `-d${files.key}.body`, `${base}/`);
    assertMatch(uploads!, /16 succeeded, 0 failed, 0 errored/);
    const old = await run("h2load", "--h1", "-n1000", "-c10", `${base}/`);
    assertMatch(old!, /1000 succeeded, 0 failed, 0 errored/);
  });

  await t.step("wrk over HTTP/1.1", async () => {
    const said = await run("wrk", "-t1", "-c8", "-d1s", `${base}/`);
    if (said === null) return;
    assertMatch(said, /Requests\/sec/);
    assert(!/Non-2xx|Socket errors/.test(said), said);
  });
});
