import { assert, assertEquals, assertThrows } from "@std/assert";
import { Failure } from "./errors.ts";
import { environmentOf, permissionFlags, type Program, TASK_PARAMETERS } from "./permissions.ts";

const PROGRAMS = Object.keys(TASK_PARAMETERS) as Program[];

Deno.test("the tasks in deno.json carry exactly the flags of the table", async () => {
  const project = JSON.parse(await Deno.readTextFile(new URL("../deno.json", import.meta.url)));
  for (const program of PROGRAMS) {
    const wanted = permissionFlags(program, TASK_PARAMETERS[program]);
    const words: string[] = project.tasks[program].split(" ");
    const carried = words.filter((word) => /^(--(allow|deny|no|unstable|v8)-|-A$|-P)/.test(word));
    assertEquals(carried, wanted, program);
    const set = words.slice(0, words.indexOf("deno")).filter((word) => /^[A-Z_]+=[0-9]/.test(word));
    const environment = Object.entries(environmentOf(program));
    assertEquals(set, environment.map(([name, value]) => `${name}=${value}`), program);
    assert(set.includes("DENO_NO_UPDATE_CHECK=1"), `${program} would ask for a newer Deno`);
  }
});

Deno.test("no daemon may do everything, and only the node may run programs", () => {
  for (const program of PROGRAMS) {
    const flags = permissionFlags(program, TASK_PARAMETERS[program]);
    assertEquals(flags.slice(0, 2), ["--no-prompt", "--no-remote"]);
    for (const flag of flags) assertEquals(/^(-A|--allow-(all|ffi|sys|import))/.test(flag), false);
    if (program === "skr8tr" || program === "cluster") continue;
    assertEquals(flags.includes("--allow-run"), program === "node", program);
    for (const open of ["--allow-net", "--allow-read", "--allow-write", "--allow-env"]) {
      assertEquals(flags.includes(open), false, `${program} ${open}`);
    }
  }
});

Deno.test("permissionFlags() adds the address that a daemon listens on to its networks", () => {
  const of = (bind: string) => permissionFlags("tower", { bind, networks: ["10.0.0.0/8"] }).at(-1);
  assertEquals(of("10.1.2.3"), "--allow-net=10.0.0.0/8");
  assertEquals(of("0.0.0.0"), "--allow-net=0.0.0.0,10.0.0.0/8");
});

Deno.test("permissionFlags() refuses a path that would become two", () => {
  const place = { bind: "127.0.0.1", networks: [], state: "/tmp/a,/etc", pubkeys: [] };
  assertThrows(() => permissionFlags("conductor", place), Failure, "has a comma");
});

Deno.test("permissionFlags() lets an ingress read certificates, and write only to keep its own", () => {
  const place = { bind: "127.0.0.1", networks: ["127.0.0.0/8"] };
  const of = (more: { certificates?: string[]; state?: string }) =>
    permissionFlags("ingress", { ...place, ...more }).slice(3);
  assertEquals(of({}), []);
  assertEquals(of({ certificates: ["/etc/tls"] }), ["--allow-read=/etc/tls"]);
  assertEquals(of({ certificates: ["/etc/tls"], state: "/var/a" }), [
    "--allow-read=/var/a,/etc/tls",
    "--allow-write=/var/a",
  ]);
});
