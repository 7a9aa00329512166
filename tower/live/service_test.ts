import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { serve, type Service } from "./service.ts";

const LOCAL = { hostname: "127.0.0.1", port: 0, signals: false } as const;
const urlOf = ({ hostname, port }: Service, path = "/") => `http://${hostname}:${port}${path}`;

Deno.test("serve() answers /health by what the service says of itself", async () => {
  let isHealthy = true;
  await using service = serve(() => new Response("work"), { ...LOCAL, healthy: () => isHealthy });
  const health = async () => {
    const response = await fetch(urlOf(service, "/health"));
    return [response.status, (await response.json()).status];
  };
  assertEquals(await health(), [200, "ok"]);
  isHealthy = false;
  assertEquals(await health(), [503, "unhealthy"]);
  assertEquals(await (await fetch(urlOf(service))).text(), "work");
});

Deno.test("Service.stop() answers what is in flight, then runs onStop, then takes nothing", async () => {
  const inFlight = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const story: string[] = [];
  const service = serve(async () => {
    inFlight.resolve();
    await release.promise;
    story.push("answered");
    return new Response("late");
  }, { ...LOCAL, onStop: () => void story.push("closed") });
  const response = fetch(urlOf(service));
  await inFlight.promise;
  const stopping = service.stop();
  release.resolve();
  assertEquals(await (await response).text(), "late");
  await stopping;
  await service.finished;
  assertEquals(story, ["answered", "closed"]);
  await assertRejects(() => fetch(urlOf(service)), TypeError);
});

Deno.test("Service.stop() does not wait for ever", async () => {
  const inFlight = Promise.withResolvers<void>();
  const never = Promise.withResolvers<Response>();
  const service = serve(() => {
    inFlight.resolve();
    return never.promise;
  }, { ...LOCAL, graceMs: 50 });
  const response = fetch(urlOf(service));
  await inFlight.promise;
  await service.stop();
  await service.finished;
  never.resolve(new Response("too late for the grace"));
  await (await response).body?.cancel();
});

Deno.test("serve() listens at HOST and PORT and ends with 0 at SIGTERM, the last request answered", async () => {
  const module = new URL("service.ts", import.meta.url).href;
  const code = `import { serve } from "${module}";
    const service = serve(async () => {
      console.log("in flight");
      await new Promise((resolve) => setTimeout(resolve, 200));
      return new Response("answered");
    }, { onStop: () => console.log("closed") });
    console.log("port " + service.port);`;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-lock", "--allow-net=127.0.0.2", "--allow-env=HOST,PORT", "-"],
    env: { HOST: "127.0.0.2", PORT: "0" },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(code));
  await writer.close();
  const lines = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const port = /port ([0-9]+)/.exec((await lines.read()).value ?? "")?.[1];
  const response = fetch(`http://127.0.0.2:${port}/`);
  assertEquals((await lines.read()).value, "in flight\n");
  process.kill("SIGTERM");
  assertEquals(await (await response).text(), "answered");
  assertEquals((await lines.read()).value, "closed\n");
  assertEquals((await process.status).code, 0);
  await lines.cancel();
});

Deno.test("serve() refuses a PORT that is none", () => {
  const before = Deno.env.get("PORT");
  try {
    for (const wrong of ["eighty", "70000", "-1", ""]) {
      Deno.env.set("PORT", wrong);
      assertThrows(() => serve(() => new Response(), { hostname: "127.0.0.1" }), TypeError);
    }
  } finally {
    if (before === undefined) Deno.env.delete("PORT");
    else Deno.env.set("PORT", before);
  }
});
