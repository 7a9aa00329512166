// `deno task deb`: Debian packages of the daemons and the CLI, made of the bundle by dpkg-deb.

import { Failure } from "../core/errors.ts";
import { VERSION } from "../core/version.ts";
import { bundle, runMaking } from "./bundle.ts";
import { gzipSync } from "node:zlib";
import { type DaemonName, DAEMONS, settingsOf, sysusersOf, unitOf } from "./units.ts";
import { COMMANDS } from "./table.ts";

const MAINTAINER = "skr8tr maintainers <maintainers@skr8tr.invalid>";
/** Where everything of skr8tr lies on a machine. */
export const LIBRARY = "/usr/lib/skr8tr";

const HELP = `deno task deb: Debian packages, in a folder

  --out DIR   where they go (dist/deb)
  --help      print this

  skr8tr                     the CLI
  skr8tr-conductor           and -tower, -node, -ingress: a daemon, its unit, its settings
  skr8tr-runtime             Deno and the scripts, which the others need`;

/** What a package says of itself. */
export interface Package {
  readonly name: string;
  readonly architecture: string;
  readonly depends: string;
  readonly summary: string;
  readonly details: readonly string[];
  readonly section: string;
}

function packageOf(daemon: DaemonName): Package {
  const purposes = {
    conductor: ["keeps the signed log and decides what runs where", "It is told by operators."],
    tower: ["registry of ready replicas, with DNS", "Ingresses watch it."],
    node: ["starts, probes and restarts programs", "One runs on each machine."],
    ingress: ["HTTP, HTTP/2 and TLS to replicas", "It routes as manifests say."],
  } as const;
  const [summary, more] = purposes[daemon];
  return {
    name: `skr8tr-${daemon}`,
    architecture: "all",
    depends: `skr8tr-runtime (= ${VERSION})${
      daemon === "node" ? "" : ", systemd | systemd-sysusers"
    }`,
    summary: `orchestrator daemon: ${summary}`,
    details: [
      "skr8tr runs services on machines that their owner controls: a text file",
      "deploys one, and every change is signed by an operator.",
      ".",
      `This package holds the ${daemon} daemon. ${more}`,
    ],
    section: "admin",
  };
}

const CLI: Package = {
  name: "skr8tr",
  architecture: "all",
  depends: `skr8tr-runtime (= ${VERSION})`,
  summary: "deploy services to a skr8tr cluster",
  details: [
    "skr8tr runs services on machines that their owner controls: a text file",
    "deploys one, and every change is signed by an operator.",
    ".",
    "This package holds the command line.",
  ],
  section: "admin",
};

const RUNTIME: Package = {
  name: "skr8tr-runtime",
  architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
  depends: "libc6 (>= 2.31), libgcc-s1",
  summary: "runtime of the skr8tr daemons",
  details: [
    "The scripts of the skr8tr daemons and of its command line, one file each,",
    "and the Deno that runs them with the permissions that they need.",
  ],
  section: "admin",
};

/** Builds one package's tree and the package of it. */
export class Builder {
  readonly #tree: string;

  constructor(private readonly of: Package, work: string, private readonly out: string) {
    this.#tree = `${work}/${of.name}`;
  }

  async file(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
    const target = `${this.#tree}${path}`;
    await Deno.mkdir(target.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeFile(
      target,
      typeof content === "string" ? new TextEncoder().encode(content) : content,
    );
    await Deno.chmod(target, mode);
  }

  async link(path: string, target: string): Promise<void> {
    await Deno.mkdir(`${this.#tree}${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.symlink(target, `${this.#tree}${path}`);
  }

  async build(more: Readonly<Record<string, string>> = {}): Promise<string> {
    const { name, architecture, depends, summary, details, section } = this.of;
    const changelog = `${name} (${VERSION}) stable; urgency=medium\n\n  * Release ${VERSION}.\n\n` +
      ` -- ${MAINTAINER}  Thu, 01 Jan 2026 00:00:00 +0000\n`;
    await this.file(`/usr/share/doc/${name}/changelog.gz`, gzipped(changelog));
    await this.file(`/usr/share/doc/${name}/copyright`, COPYRIGHT);
    const size = await sizeOf(this.#tree);
    const control = [
      `Package: ${name}`,
      `Version: ${VERSION}`,
      `Architecture: ${architecture}`,
      `Maintainer: ${MAINTAINER}`,
      `Installed-Size: ${Math.ceil(size / 1024)}`,
      `Depends: ${depends}`,
      `Section: ${section}`,
      "Priority: optional",
      `Description: ${summary}`,
      ...details.map((line) => ` ${line}`),
      "",
    ].join("\n");
    await this.file("/DEBIAN/control", control);
    for (const [script, text] of Object.entries(more)) {
      await this.file(`/DEBIAN/${script}`, text, script === "conffiles" ? 0o644 : 0o755);
    }
    await this.file("/DEBIAN/md5sums", await this.#sums());
    const file = `${this.out}/${name}_${VERSION}_${architecture}.deb`;
    await execute("dpkg-deb", ["--root-owner-group", "-Zgzip", "-z6", "--build", this.#tree, file]);
    return file;
  }

  async #sums(): Promise<string> {
    const text = await execute("sh", [
      "-c",
      `cd "$1" && find . -type f ! -path './DEBIAN/*' ! -path './etc/*' -printf '%P\\n' | ` +
      "LC_ALL=C sort | xargs -r -d '\\n' md5sum",
      "sh",
      this.#tree,
    ]);
    return text;
  }
}

async function execute(program: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Failure("deb", `${program}: ${new TextDecoder().decode(stderr).trim()}`);
}

function gzipped(text: string): Uint8Array {
  return gzipSync(text, { level: 9 });
}

async function sizeOf(folder: string): Promise<number> {
  let size = 0;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    size += isDirectory ? await sizeOf(path) : (await Deno.lstat(path)).size;
  }
  return size;
}

const COPYRIGHT = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: skr8tr

Files: *
Copyright: 2026 skr8tr maintainers
License: Apache-2.0
 On Debian systems the whole text of the licence is in
 /usr/share/common-licenses/Apache-2.0.
`;

/** The CLI's page, made of its table of commands. */
export function manualPage(): string {
  const plain = (text: string) => text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
  const safe = (text: string) => plain(text).replace(/^([.'])/, "\\&$1");
  return [
    `.TH SKR8TR 1 2026\\-01\\-01 "skr8tr ${VERSION}" "User Commands"`,
    ".SH NAME",
    "skr8tr \\- deploy services to a cluster",
    ".SH SYNOPSIS",
    ".B skr8tr",
    ".I COMMAND",
    "[\\fIARGUMENT\\fR]...",
    ".SH DESCRIPTION",
    "Deploys, watches and stops what manifests describe. Every change is signed.",
    ".B skr8tr help COMMAND",
    "explains a command.",
    ".SH COMMANDS",
    ...COMMANDS.flatMap(({ name, usage, summary }) => [
      ".TP",
      `.B ${plain(name)}${usage === "" ? "" : ` \\fR${plain(usage)}`}`,
      safe(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`),
    ]),
    ".SH FILES",
    ".TP",
    ".I ~/.skr8tr/signing.sec",
    "The signing key.",
    "",
  ].join("\n");
}

/** Makes all packages. @throws {Failure} `deb`. */
export async function deb(root: string, out: string, say: (line: string) => void): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "skr8tr-deb-" });
  try {
    await Deno.mkdir(out, { recursive: true });
    const made = `${work}/bundle`;
    await bundle(root, made, () => {});
    say(await runtimePackage(made, work, out));
    say(await cliPackage(made, work, out));
    for (const daemon of DAEMONS) say(await daemonPackage(daemon, made, work, out));
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function runtimePackage(made: string, work: string, out: string): Promise<string> {
  const builder = new Builder(RUNTIME, work, out);
  await builder.file(`${LIBRARY}/deno`, await Deno.readFile(`${made}/deno`), 0o755);
  for await (const { name } of Deno.readDir(`${made}/lib`)) {
    await builder.file(`${LIBRARY}/lib/${name}`, await Deno.readFile(`${made}/lib/${name}`));
  }
  // Deno comes as its makers build it.
  await builder.file(
    "/usr/share/lintian/overrides/skr8tr-runtime",
    [
      "unstripped-binary-or-object",
      "embedded-library",
      "hardening-no-fortify-functions",
      "hardening-no-relro",
    ]
      .map((tag) => `# Deno is shipped as its makers build it.\nskr8tr-runtime: ${tag} *\n`).join(
        "",
      ),
  );
  return await builder.build();
}

async function cliPackage(made: string, work: string, out: string): Promise<string> {
  const builder = new Builder(CLI, work, out);
  await builder.file(`${LIBRARY}/bin/skr8tr`, await Deno.readFile(`${made}/bin/skr8tr`), 0o755);
  await builder.link("/usr/bin/skr8tr", "../lib/skr8tr/bin/skr8tr");
  await builder.file("/usr/share/man/man1/skr8tr.1.gz", gzipped(manualPage()));
  return await builder.build();
}

async function daemonPackage(
  daemon: DaemonName,
  made: string,
  work: string,
  out: string,
): Promise<string> {
  const builder = new Builder(packageOf(daemon), work, out);
  const program = `skr8tr-${daemon}`;
  await builder.file(
    `${LIBRARY}/bin/${program}`,
    await Deno.readFile(`${made}/bin/${program}`),
    0o755,
  );
  await builder.file(
    `/usr/lib/systemd/system/${program}.service`,
    unitOf(daemon, `${LIBRARY}/bin`),
  );
  await builder.file(`/etc/skr8tr/${daemon}.conf`, settingsOf(daemon));
  const users = sysusersOf(daemon);
  if (users !== null) await builder.file(`/usr/lib/sysusers.d/${program}.conf`, users);
  return await builder.build({
    conffiles: `/etc/skr8tr/${daemon}.conf\n`,
    postinst: postinst(program, users !== null),
    prerm: prerm(program),
    postrm: postrm(program, daemon),
  });
}

const ON_SYSTEMD = '[ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]';

/** Neither enabled nor started: it has first to be told its networks and keys. */
function postinst(program: string, hasUser: boolean): string {
  return [
    "#!/bin/sh",
    "set -e",
    'if [ "$1" = configure ]; then',
    ...(hasUser ? [`  systemd-sysusers \${DPKG_ROOT:+--root="$DPKG_ROOT"} ${program}.conf`] : []),
    `  if ${ON_SYSTEMD} && [ -n "$2" ]; then`,
    "    systemctl daemon-reload",
    `    deb-systemd-invoke try-restart ${program}.service`,
    "  fi",
    "fi",
    "",
  ].join("\n");
}

function prerm(program: string): string {
  return [
    "#!/bin/sh",
    "set -e",
    `if [ "$1" = remove ] && ${ON_SYSTEMD}; then`,
    `  deb-systemd-invoke stop ${program}.service || true`,
    "fi",
    "",
  ].join("\n");
}

function postrm(program: string, daemon: DaemonName): string {
  return [
    "#!/bin/sh",
    "set -e",
    `if ${ON_SYSTEMD}; then systemctl daemon-reload || true; fi`,
    'if [ "$1" = purge ]; then',
    `  rm -f "$DPKG_ROOT/etc/systemd/system/multi-user.target.wants/${program}.service"`,
    `  rm -rf "$DPKG_ROOT/var/lib/skr8tr/${daemon}"`,
    '  rmdir "$DPKG_ROOT/var/lib/skr8tr" 2>/dev/null || true',
    "fi",
    "",
  ].join("\n");
}

if (import.meta.main) await runMaking(HELP, "dist/deb", deb);
