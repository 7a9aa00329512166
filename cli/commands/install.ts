import { Failure } from "../../core/errors.ts";
import { type Context, DONE } from "../command.ts";
import { type DaemonName, DAEMONS, filesOfDaemon, type InstalledFile } from "../units.ts";

export function run({ arguments: args, output }: Context): Promise<number> {
  const daemons = args.positional.map((name): DaemonName => {
    const known = DAEMONS.find((daemon) => daemon === name);
    if (known) return known;
    throw new Failure("usage", `there is no daemon ${name}; there are ${DAEMONS.join(", ")}`);
  });
  const root = (args.value("root") ?? "").replace(/\/+$/, "");
  const programs = args.value("programs") ?? ownPrograms();
  for (const daemon of daemons) {
    for (const file of filesOfDaemon(daemon, programs)) {
      if (args.has("dry-run")) output.print(`# ${root}${file.path}\n${file.text}`);
      else output.print(`${install(file, root)} ${root}${file.path}`);
    }
  }
  if (args.has("dry-run") || root !== "") return Promise.resolve(DONE);
  const units = daemons.map((daemon) => `skr8tr-${daemon}.service`).join(" ");
  output.note("edit /etc/skr8tr/*.conf, and then:");
  output.note(`  systemd-sysusers && systemctl daemon-reload && systemctl enable --now ${units}`);
  return Promise.resolve(DONE);
}

/** The folder of the daemons' programs, where this CLI is one of a bundle. */
function ownPrograms(): string {
  const { pathname } = new URL(import.meta.url);
  const lib = decodeURIComponent(pathname).replace(/\/[^/]*$/, "");
  if (import.meta.url.endsWith(".js")) return `${lib.replace(/\/lib$/, "")}/bin`;
  throw new Failure(
    "usage",
    "systemd starts the programs of a bundle: make one by deno task bundle and run its own " +
      "bin/skr8tr install, or name their folder by --programs",
  );
}

function install({ path, text, settings }: InstalledFile, root: string): string {
  const target = `${root}${path}`;
  try {
    Deno.mkdirSync(target.replace(/\/[^/]*$/, ""), { recursive: true });
    if (settings && exists(target)) return "kept";
    Deno.writeTextFileSync(target, text);
    return "wrote";
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      throw new Failure(
        "usage",
        `this CLI may not write ${target}: its permissions end at the current folder; run it as ` +
          "root by the bundle's bin/skr8tr, or print the files by --dry-run",
      );
    }
    throw new Failure("install", `cannot write ${target}: ${(error as Error).message}`);
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
