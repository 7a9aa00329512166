import { assert, assertEquals } from "@std/assert";
import { Helper, procAddress } from "./helper.ts";
import { formatReason } from "./program.ts";
import { until } from "./fake_cluster.ts";

const PATH = "/usr/local/bin:/usr/bin:/bin";
const LINUX = Deno.build.os === "linux";

Deno.test("sample() tells the machine's load", async () => {
  await using helper = new Helper(PATH);
  const first = await helper.sample(2);
  assert(first && first.ramTotalBytes > 2 ** 26 && first.ramFreeBytes <= first.ramTotalBytes);
  const end = performance.now() + 60;
  while (performance.now() < end);
  const second = await helper.sample(2);
  assert(second && second.cpuPercent > 0 && second.cpuPercent <= 100, JSON.stringify(second));
});

Deno.test("tools() and host() name what is there", async () => {
  await using helper = new Helper(PATH);
  const { locker, env, uid } = await helper.tools();
  assert(Deno.statSync(locker).isFile && Deno.statSync(env).isFile);
  assertEquals(uid, Deno.uid());
  assertEquals(await helper.host(), Deno.hostname());
});

Deno.test("find() looks along the path, and tells each way of not being a program", async () => {
  const folder = Deno.makeTempDirSync();
  const file = (name: string, text: string, mode: number) => {
    Deno.mkdirSync(`${folder}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    Deno.writeTextFileSync(`${folder}/${name}`, text, { mode });
  };
  file("a/tool", "#!/bin/sh\n", 0o644);
  file("b/tool", "#!/bin/sh\n", 0o755);
  file("b/with blank", "#!/usr/bin/env sh\n", 0o755);
  file("b/orphan", "#! /no/such/thing -x\r\n", 0o755);
  file("a/only", "x", 0o644);
  Deno.mkdirSync(`${folder}/b/folder`);
  await using helper = new Helper(PATH);
  const find = async (name: string) => {
    const found = await helper.find(`${folder}/a:${folder}/b`, name);
    return found && [found.state, found.path.replace(folder, ""), found.interpreter];
  };
  assertEquals(await find("tool"), ["ok", "/b/tool", ""]);
  assertEquals(await find("with blank"), ["ok", "/b/with blank", ""]);
  assertEquals(await find("only"), ["not-executable", "/a/only", ""]);
  assertEquals(await find("nothing"), ["missing", "nothing", ""]);
  assertEquals(await find("folder"), ["missing", "folder", ""]);
  assertEquals(await find(`${folder}/b/folder`), ["folder", "/b/folder", ""]);
  assertEquals(await find("b/tool"), ["missing", "b/tool", ""]);
  assertEquals(await find("orphan"), ["no-interpreter", "/b/orphan", "/no/such/thing"]);
  assertEquals(await helper.find(PATH, "a\tb"), null);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("formatReason() knows programs of this machine from others", () => {
  const elf = (machine: string) => `7f454c4602010100000000000000000002${"00"}${machine}`;
  const reason = (head: string) => formatReason({ path: "/p", head }, "x86_64");
  assertEquals(reason(elf("3e00")), null);
  assertEquals(reason(elf("b700")), "/p is built for aarch64, this node is x86_64");
  assertEquals(reason("23212f62696e2f73680a"), null);
  assert(reason("68656c6c6f")?.includes("is no program"));
});

Deno.test("owner() knows whose socket listens: the program's, its group's, another's, nobody's", async () => {
  if (!LINUX) return console.log("not Linux: sockets are not looked up in /proc here");
  await using helper = new Helper(PATH);
  using own = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using wild = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  const self = { pid: Deno.pid, group: 0 };
  const port = own.addr.port;
  assertEquals((await helper.owner(self, "127.0.0.1", port)).owner, "own");
  assertEquals((await helper.owner(self, "127.0.0.1", wild.addr.port)).owner, "own");
  // At another address of the same port nobody listens.
  assertEquals((await helper.owner(self, "127.0.0.2", port)).owner, "unknown");
  const stranger = await helper.owner({ pid: 1, group: 1 }, "127.0.0.1", port);
  assertEquals(stranger, { owner: "other", detail: `pid ${Deno.pid} (deno)` });

  // A child of the program listens, in the program's group.
  const child = new Deno.Command("/bin/sh", {
    args: [
      "-c",
      `${Deno.execPath()} eval --no-check "console.log(Deno.listen({hostname:'127.0.0.1',port:0}).addr.port); setInterval(()=>{},1e3)"; true`,
    ],
    detached: true,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  try {
    const reader = child.stdout.getReader();
    const text = await until("its port", async () => (await reader.read()).value);
    const childPort = Number(new TextDecoder().decode(text));
    const program = { pid: child.pid, group: child.pid };
    assertEquals((await helper.owner(program, "127.0.0.1", childPort)).owner, "own");
    await reader.cancel();
  } finally {
    Deno.kill(-child.pid, "SIGKILL");
    await child.status;
  }
});

Deno.test("strays() finds processes by their replica, groups() what groups use", async () => {
  if (!LINUX) return console.log("not Linux: environments are not read here");
  await using helper = new Helper(PATH);
  const child = new Deno.Command("sleep", {
    args: ["60"],
    env: { REPLICA_ID: "web-17" },
    detached: true,
  }).spawn();
  assertEquals(await helper.strays("web-17"), [child.pid]);
  assertEquals(await helper.strays("web-1"), []);
  const use = (await helper.groups()).get(child.pid);
  assertEquals(use?.processes, 1);
  assert(use!.residentBytes > 40_960);
  const shared = await helper.sharedBytes(child.pid);
  assert(shared > 0 && shared <= use!.residentBytes, `${shared} of ${use!.residentBytes}`);
  child.kill("SIGKILL");
  await child.status;
  assertEquals(await helper.strays("web-17"), []);
});

Deno.test("groups() counts the CPU of children that have ended", async () => {
  if (!LINUX) return console.log("not Linux: no CPU times in /proc here");
  await using helper = new Helper(PATH);
  const burn = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", `(${burn}); echo done; sleep 60`],
    detached: true,
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  const use = (await helper.groups()).get(child.pid);
  assert(use!.cpuS >= 0.02 && use!.cpuS < 60, `${use?.cpuS} s`);
  Deno.kill(-child.pid, "SIGKILL");
  await reader.cancel();
  await child.status;
});

Deno.test("a helper that dies is replaced: nobody knows what it was at, the rest is asked again", async () => {
  await using helper = new Helper(PATH);
  assert((await helper.host()).length > 0);
  assertEquals(await helper.ask("find", "a\nb"), null);
  const pid = Number((await helper.ask("pid"))?.trim());
  assert(pid > 0);
  Deno.kill(pid, "SIGSTOP");
  const first = helper.ask("host");
  const later = [helper.host(), helper.ask("find", "/bin", "sh")];
  Deno.kill(pid, "SIGKILL");
  assertEquals(await first, null);
  assertEquals(await later[0], Deno.hostname());
  assert((await later[1])?.startsWith("ok\t/bin/sh"));
  assertEquals(await helper.host(), Deno.hostname());
});

Deno.test("space() of what is on no disk is unknown, and the next answer is the next question's", async () => {
  await using helper = new Helper(PATH);
  const [space, host] = await Promise.all([helper.space("/no/such/folder"), helper.host()]);
  assertEquals(space, null);
  assertEquals(host, Deno.hostname());
  assert((await helper.space("/tmp"))! > 0);
});

Deno.test("procAddress() writes an address as the kernel's table does", () => {
  assertEquals(procAddress("127.0.0.11"), "0B00007F");
  assertEquals(procAddress("::1"), "");
});
