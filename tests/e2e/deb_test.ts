// The Debian packages: what lintian says of them, and what installing and removing them leaves.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { deb } from "../../cli/deb.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");

async function run(program: string, ...args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, text: decode(stdout) + decode(stderr) };
}

async function isThere(program: string): Promise<boolean> {
  return (await run("sh", "-c", `command -v ${program}`)).code === 0;
}

Deno.test("packages are clean, and are installed, removed and purged without a trace", async () => {
  for (const tool of ["dpkg-deb", "lintian", "systemd-sysusers"]) {
    if (!await isThere(tool)) return console.log(`not run: ${tool} is not installed`);
  }
  if (Deno.uid() !== 0) return console.log("not run: dpkg needs root");
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-deb-test-" });
  try {
    const files: string[] = [];
    await deb(ROOT, folder, (file) => files.push(file));
    assertEquals(files.length, 6);
    const lint = await run("lintian", "--allow-root", "--fail-on", "error,warning", ...files);
    assertEquals(lint.code, 0, lint.text);

    const system = `${folder}/system`;
    for (const path of ["updates", "info", "triggers"]) {
      await Deno.mkdir(`${system}/var/lib/dpkg/${path}`, { recursive: true });
    }
    await Deno.writeTextFile(`${system}/var/lib/dpkg/status`, "");
    await Deno.mkdir(`${system}/etc`);
    const dpkg = (...words: string[]) =>
      run("dpkg", `--root=${system}`, "--force-script-chrootless", "--force-depends", ...words);
    const installed = await dpkg("--install", ...files);
    assertEquals(installed.code, 0, installed.text);
    const version = await run(`${system}/usr/lib/skr8tr/bin/skr8tr`, "version");
    assertMatch(version.text, /^skr8tr \d+\.\d+\.\d+\n$/);
    const users = await Deno.readTextFile(`${system}/etc/passwd`);
    for (const name of ["conductor", "tower", "ingress"]) {
      assertStringIncludes(users, `skr8tr-${name}:`);
    }
    const help = await run(`${system}/usr/lib/skr8tr/bin/skr8tr-tower`, "--help");
    assertMatch(help.text, /^tower: /);

    const names = ["", "-conductor", "-tower", "-node", "-ingress", "-runtime"]
      .map((name) => `skr8tr${name}`);
    const removed = await dpkg("--remove", ...names);
    assertEquals(removed.code, 0, removed.text);
    const kept = [...Deno.readDirSync(`${system}/etc/skr8tr`)].map((each) => each.name).sort();
    assertEquals(kept, ["conductor.conf", "ingress.conf", "node.conf", "tower.conf"]);
    const purged = await dpkg("--purge", ...names.slice(1, 5));
    assertEquals(purged.code, 0, purged.text);
    const left = await run(
      "sh",
      "-c",
      `cd ${system} && find . -path '*skr8tr*' ! -path '*/dpkg/*'`,
    );
    assertEquals(left.text, "");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
