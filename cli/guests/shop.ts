// SovereignMarket for machines on which nothing is installed: each service one bundled file, shipped
// as an artifact, by the market's own manifests with only their paths changed.

import { Failure } from "../../core/errors.ts";
import { buildFront } from "../cluster/prepare.ts";

/**
 * Writes manifests and artifacts into a folder.
 *
 * @param replicas of each service, in place of the manifest's own
 * @returns the manifests' paths, in the order in which they are deployed
 */
export async function writeShop(
  root: string,
  folder: string,
  only: readonly string[] | null,
  replicas: number | null,
): Promise<string[]> {
  const names = [...Deno.readDirSync(`${root}/market/manifests`)]
    .filter((each) => each.isFile)
    .map((each) => each.name.replace(/\.skr8tr$/, "")).sort()
    .filter((name) => only === null || only.includes(name));
  const paths: string[] = [];
  for (const name of names) {
    const artifact = `${folder}/${name}`;
    await Deno.mkdir(artifact, { recursive: true });
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["bundle", "--quiet", "--platform=deno", "--no-remote"],
        `--output=${artifact}/${name}.js`,
        `market/services/${name}/main.ts`,
      ],
      cwd: root,
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Failure("bundle", new TextDecoder().decode(stderr));
    if (name === "frontend-svc") {
      await buildFront(root);
      await copyFolder(`${root}/market/web/dist`, `${artifact}/market/web/dist`);
    }
    const text = await Deno.readTextFile(`${root}/market/manifests/${name}.skr8tr`);
    const path = `${folder}/${name}.skr8tr`;
    await Deno.writeTextFile(path, shippedManifest(text, name, replicas));
    paths.push(path);
  }
  return paths;
}

/** The same app, from its artifact; with time for a machine that is emulated. */
export function shippedManifest(text: string, name: string, replicas: number | null): string {
  const moved = text
    .replaceAll(`market/services/${name}/main.ts`, `\${ARTIFACT}/${name}.js`)
    .replaceAll("--allow-read=market/web/dist", "--allow-read=${ARTIFACT}/market/web/dist")
    .replace(/^ {2}replicas .*$/m, (line) => replicas === null ? line : `  replicas ${replicas}`)
    .replace(/^ {2}health \{[^}]*\}$/m, (block) => patient(block))
    .replace(/^ {2}scale \{[^}]*\}\n/m, "");
  return `${moved.trimEnd()}\n  cwd \${ARTIFACT}\n  artifact {\n    from ${name}\n  }\n` +
    "  rollout {\n    timeout 30m\n  }\n";
}

/** An emulated machine under load may take seconds for what takes a real one milliseconds. */
function patient(block: string): string {
  const check = /^ {4}check .*$/m.exec(block)?.[0] ?? "";
  return ["  health {", check, "    interval 5s", "    timeout 30s", "    retries 10"]
    .concat("    start-period 20m", "  }").join("\n");
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
