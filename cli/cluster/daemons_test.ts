import { assertEquals } from "@std/assert";
import { environmentOf, permissionFlags, type Program } from "../../core/permissions.ts";
import { daemonSpecs, NETWORKS } from "./daemons.ts";
import { findLayout, portsFrom } from "./layout.ts";

Deno.test("daemonSpecs() gives every daemon its flags and its environment", () => {
  const layout = findLayout(portsFrom(22_200), () => {}, ["127.0.0.71"]);
  const places = { root: "/src", state: "/state", publicKey: "/state/key.pub", path: "/bin" };
  const specs = daemonSpecs(layout, places);
  assertEquals(specs.map(({ name }) => name), ["conductor", "tower", "node-1", "ingress"]);
  for (const { name, args, environment } of specs) {
    const program = name.replace(/-1$/, "") as Program;
    assertEquals(environment, environmentOf(program), name);
    const v8 = permissionFlags("conductor", {
      ...{ bind: "127.0.0.1", networks: NETWORKS, state: "/state", pubkeys: [] },
    }).filter((flag) => flag.startsWith("--v8-flags"));
    const isFrugal = program === "conductor" || program === "tower";
    assertEquals(args.filter((arg) => arg.startsWith("--v8-flags")), isFrugal ? v8 : [], name);
    assertEquals(args.includes("--no-prompt") && args.includes("--no-remote"), true, name);
  }
});
