import { assertEquals, assertStringIncludes } from "@std/assert";
import { parseManifest } from "../../core/manifest/parse.ts";
import { shippedManifest } from "./shop.ts";

const MANIFESTS = new URL("../../market/manifests/", import.meta.url);

Deno.test("every manifest of the market runs from an artifact, and is otherwise the same app", () => {
  for (const { name: file, isFile } of Deno.readDirSync(MANIFESTS)) {
    if (!isFile) continue;
    const name = file.replace(/\.skr8tr$/, "");
    const text = Deno.readTextFileSync(new URL(file, MANIFESTS));
    const before = parseManifest(text);
    const after = parseManifest(shippedManifest(text, name, null));
    if (!before.ok || !after.ok) throw new Error(`${name}: ${JSON.stringify(after)}`);
    const [old] = before.apps;
    const [spec] = after.apps;
    assertEquals(spec!.artifact, { from: name });
    const words = spec!.args.join(" ");
    assertStringIncludes(words, `\${ARTIFACT}/${name}.js`);
    assertEquals(words.includes("market/services"), false);
    assertEquals([spec!.port, spec!.routes, spec!.replicas], [
      old!.port,
      old!.routes,
      old!.replicas,
    ]);
    const one = parseManifest(shippedManifest(text, name, 1));
    assertEquals(one.ok && one.apps[0]!.replicas, 1);
  }
});
