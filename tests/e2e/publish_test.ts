// That the package can be published as it is (`deno task publishable`), and what its files are good
// for on their own.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { assertNothingLeft } from "./cluster_process.ts";
import { ROOT } from "./documents.ts";

async function deno(cwd: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
  assertEquals(code, 0, said);
  return said;
}

/** The paths of the files that would be published. */
async function published(): Promise<string[]> {
  const said = await deno(ROOT, "task", "-q", "publishable");
  const root = `${new URL("../../", import.meta.url).href}`;
  const files = [...said.matchAll(/^ +(file:\/\/\S+) \(/gm)].map(([, url]) => url!);
  assert(files.length > 100, said);
  return files.map((url) => decodeURIComponent(url.slice(root.length)));
}

const BELL = `
Deno.serve(
  { hostname: Deno.env.get("HOST"), port: Number(Deno.env.get("PORT")) },
  () => new Response("ding"),
);
`;

const BELL_TEST = `
import { startCluster, Tower } from "@skr8tr/skr8tr";

Deno.test("the bell rings", async () => {
  await using cluster = await startCluster();
  console.log("state " + cluster.key.slice(0, cluster.key.lastIndexOf("/")));
  await cluster.up(\`
    app bell
      exec deno
      args run --no-prompt --allow-net=\\\${IP} --allow-env=HOST,PORT bell.ts
      port 8100
      health {
        check GET / 200
      }
      route {
        path /bell
      }
    app page
      serve {
        static site
        port 8200
      }
      route {
        path /
      }
  \`);
  const text = async (path) => await (await cluster.fetch(path)).text();
  console.log(await text("/bell"), await text("/index.html"));
  const found = await new Tower(cluster.tower).lookup("bell");
  if (found.length !== 1) throw new Error(JSON.stringify(found));
  const { code, stderr } = await cluster.skr8tr("status");
  if (code !== 0) throw new Error(stderr);
});
`;

Deno.test("the package can be published, and serves a project that has nothing but its files", async (t) => {
  const files = await published();
  await t.step("documented, without slow types, without tests", () => {
    for (const file of ["mod.ts", "README.md", "deno.json", "cli/testkit/main.ts"]) {
      assert(files.includes(file), `${file} is not in the package`);
    }
    const strange = files.filter((each) => /_test\.ts$|^(tests|bench|market|\.git)\b/.test(each));
    assertEquals(strange, []);
  });
  await t.step(
    "startCluster() for a project that maps the import to a copy of these files",
    async () => {
      const folder = await Deno.makeTempDir({ prefix: "skr8tr-package-" });
      try {
        for (const file of files) {
          await Deno.mkdir(`${folder}/vendor/skr8tr/${file}`.replace(/\/[^/]*$/, ""), {
            recursive: true,
          });
          await Deno.copyFile(`${ROOT}/${file}`, `${folder}/vendor/skr8tr/${file}`);
        }
        const config = { imports: { "@skr8tr/skr8tr": "./vendor/skr8tr/mod.ts" } };
        await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify(config));
        await Deno.writeTextFile(`${folder}/bell.ts`, BELL);
        await Deno.writeTextFile(`${folder}/bell_test.ts`, BELL_TEST);
        await Deno.mkdir(`${folder}/site`);
        await Deno.writeTextFile(`${folder}/site/index.html`, "a page");
        const said = await deno(folder, "test", "-A", "--no-check", "bell_test.ts");
        assertMatch(said, /^ding a page$/m);
        await assertNothingLeft(/^state (\S+)$/m.exec(said)![1]!);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  );
});
