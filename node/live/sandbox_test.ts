// Sandboxes with real programs: what they may, and what they may not.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { autoUid } from "../sandbox.ts";
import { type Bench, bench, logOf } from "./testing.ts";

function hasBwrap(all: Bench): boolean {
  const { fence } = all.node.machine.around;
  if (fence?.bwrap && fence.root) return true;
  console.log("not run: it needs bubblewrap and root");
  return false;
}

/** What a replica wrote, once a line says that it is through. */
async function said(all: Bench): Promise<Map<string, string>> {
  const lines = await logOf(all, "web-1", (each) => each.includes("end"));
  return new Map(lines.map((line) => {
    const cut = line.indexOf("=");
    return [line.slice(0, cut), line.slice(cut + 1)];
  }));
}

Deno.test("a native program sees the system, its own folders and what it was granted", async () => {
  await using all = await bench();
  if (!hasBwrap(all)) return;
  Deno.chmodSync(all.folder, 0o755);
  for (const name of ["given", "spool", "secret"]) {
    Deno.mkdirSync(`${all.folder}/${name}`);
    Deno.writeTextFileSync(`${all.folder}/${name}/file`, name);
  }
  Deno.chmodSync(`${all.folder}/spool`, 0o777);
  const script = `
    try() { if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi; }
    echo "uid=$(id -u)"
    echo "given=$(cat ${all.folder}/given/file)"
    echo "write-given=$(try touch ${all.folder}/given/new)"
    echo "write-spool=$(try touch ${all.folder}/spool/new)"
    echo "secret=$(try cat ${all.folder}/secret/file)"
    echo "root=$(try ls /root)"
    echo "shadow=$(try cat /etc/shadow)"
    echo "write-usr=$(try touch /usr/new)"
    echo "home=$(try touch $HOME/new)"
    echo "others=$(ls /proc | grep -c '^[0-9]')"
    echo "caps=$(grep CapBnd /proc/self/status | tr -d ' \\t')"
    echo "privs=$(grep NoNewPrivs /proc/self/status | tr -dc 0-9)"
    echo "net=$(ls /sys/class/net 2>/dev/null | wc -l) $(grep -c : /proc/net/dev)"
    trap 'echo stopped; sleep 0.2; echo bye; exit 7' TERM
    echo end
    while :; do sleep 0.05; done`;
  Deno.writeTextFileSync(`${all.folder}/web`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  all.run(
    `  exec ${all.folder}/web\n  sandbox {\n    read ${all.folder}/given\n` +
      `    write ${all.folder}/spool\n  }`,
  );
  const found = await said(all);
  assertEquals(Object.fromEntries(found), {
    ...Object.fromEntries(found),
    uid: String(autoUid("web")),
    given: "given",
    "write-given": "no",
    "write-spool": "yes",
    secret: "no",
    root: "no",
    shadow: "no",
    "write-usr": "no",
    home: "yes",
    caps: "CapBnd:0000000000000000",
    privs: "1",
    net: "0 1",
  });
  assert(Number(found.get("others")) < 20, `it sees ${found.get("others")} processes`);
  all.cluster.stop("web-1");
  const end = await all.cluster.state("web-1", "finished");
  assertEquals([end.exit?.why, end.exit?.code], ["stopped", 7], end.exit?.tail);
  assertStringIncludes(end.exit?.tail ?? "", "stopped\nbye");
});

Deno.test("a fenced program with a port is ready and reached", async () => {
  await using all = await bench();
  if (!hasBwrap(all)) return;
  all.run(
    "  exec busybox\n  args httpd -f -p ${IP}:${PORT} -h /usr\n  port 31530\n" +
      "  sandbox {\n    net *\n  }",
  );
  const { port } = await all.cluster.state("web-1", "ready");
  const response = await fetch(`http://127.0.0.1:${port}/share/doc/busybox/copyright`);
  await response.body?.cancel();
  assert(response.status === 200 || response.status === 404);
});

Deno.test("a Deno program is held by its permissions", async () => {
  await using all = await bench();
  Deno.writeTextFileSync(`${all.folder}/secret`, "secret");
  Deno.writeTextFileSync(`${all.folder}/given`, "given");
  Deno.writeTextFileSync(
    `${all.folder}/web.ts`,
    `const may = async (work: () => unknown) => {
       try { await work(); return "yes"; } catch (error) { return error.name; }
     };
     console.log("given=" + Deno.readTextFileSync("${all.folder}/given"));
     console.log("secret=" + await may(() => Deno.readTextFile("${all.folder}/secret")));
     console.log("home=" + await may(() => Deno.writeTextFile(Deno.env.get("HOME") + "/x", "x")));
     console.log("run=" + await may(() => new Deno.Command("/bin/true").output()));
     console.log("net=" + await may(() => Deno.connect({ hostname: "127.0.0.9", port: 9 })));
     console.log("end");
     setInterval(() => {}, 1000);`,
  );
  all.run(
    `  exec ${Deno.execPath()}\n  args run ${all.folder}/web.ts\n` +
      `  sandbox {\n    read ${all.folder}/given\n  }`,
  );
  const found = await said(all);
  found.delete("en");
  assertEquals(
    Object.fromEntries([...found].filter(([key]) => key !== "")),
    {
      given: "given",
      secret: "NotCapable",
      home: "yes",
      run: "NotCapable",
      net: "NotCapable",
    },
  );
});
