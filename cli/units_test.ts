import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DAEMONS, filesOfDaemon, settingsOf, unitOf } from "./units.ts";

Deno.test("every daemon's unit takes away what it does not need", () => {
  for (const daemon of DAEMONS) {
    const unit = unitOf(daemon, "/usr/lib/skr8tr/bin");
    assertStringIncludes(unit, `ExecStart=/usr/lib/skr8tr/bin/skr8tr-${daemon} $SKR8TR_FLAGS`);
    assertStringIncludes(unit, "\nNoNewPrivileges=yes\n");
    assertMatch(unit, /\nProtectSystem=(strict|full)\n/);
    assertMatch(unit, /\nUser=(root|skr8tr-[a-z]+)\n/);
    assertEquals(unit.includes("MemoryDenyWriteExecute"), false, "V8 could not run");
  }
});

Deno.test("a node's replicas outlive it, and only the node is root", () => {
  assertStringIncludes(unitOf("node", "/x"), "\nKillMode=process\n");
  assertStringIncludes(unitOf("tower", "/x"), "\nEnvironment=MALLOC_ARENA_MAX=1\n");
  assertStringIncludes(unitOf("node", "/x"), "\nUser=root\n");
  for (const daemon of ["conductor", "tower", "ingress"] as const) {
    assertStringIncludes(unitOf(daemon, "/x"), `\nUser=skr8tr-${daemon}\n`);
    assertEquals(filesOfDaemon(daemon, "/x").map((each) => each.path), [
      `/etc/systemd/system/skr8tr-${daemon}.service`,
      `/etc/sysusers.d/skr8tr-${daemon}.conf`,
      `/etc/skr8tr/${daemon}.conf`,
    ]);
  }
});

Deno.test("the ingress may have low ports, and nobody else may anything", () => {
  assertStringIncludes(unitOf("ingress", "/x"), "AmbientCapabilities=CAP_NET_BIND_SERVICE");
  assertStringIncludes(unitOf("tower", "/x"), "\nCapabilityBoundingSet=\n");
  assertStringIncludes(settingsOf("node"), "SKR8TR_NETWORKS=127.0.0.0/8\n");
});
