// `deno task deb:market`: the five programs without the orchestrator, as a Debian package. Four are
// units of systemd, each with its own account and settings; the fifth, the edge gateway, is the
// package skr8tr-ingress with the settings that stand among the examples.

import { runMaking } from "../../cli/bundle.ts";
import { bundleScript } from "../../cli/bundling.ts";
import { Builder, LIBRARY, type Package } from "../../cli/deb.ts";
import { HARDENED_ALONE } from "../../cli/units.ts";
import { Failure } from "../../core/errors.ts";
import { rate } from "../../core/manifest/kinds.ts";
import { PER } from "../../core/manifest/special_kinds.ts";
import { VERSION } from "../../core/version.ts";
import { FIVE, manifestOf, programPath, ROOT } from "../launch.ts";
import { buildFront } from "../web/build.ts";

type Program = typeof FIVE[number];

const HOME = `${LIBRARY}/market`;
const SETTINGS = "/etc/skr8tr-market";
const STATE = "skr8tr-market";

const HELP = `deno task deb:market: a Debian package of the market's five programs, in a folder

  --out DIR   where it goes (dist/deb)
  --help      print this

It needs skr8tr-runtime, and skr8tr-ingress as its edge gateway: deno task deb makes those.`;

const PACKAGE: Package = {
  name: "skr8tr-market",
  architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
  depends: `skr8tr-runtime (= ${VERSION}), skr8tr-ingress (= ${VERSION}), ` +
    "libc6 (>= 2.31), libgcc-s1, systemd | systemd-sysusers",
  summary: "SovereignMarket, a shop of five programs",
  details: [
    "A shop with catalogue, search, carts, orders, reviews and recommendations,",
    "accounts, mails and invoices, as units of systemd.",
  ],
  section: "web",
};

const PURPOSES: { readonly [P in Program]: string } = {
  "core-api": "catalogue, stock, search, carts, orders, reviews, recommendations",
  "identity-provider": "accounts and sessions",
  "async-worker": "mails, invoices, pictures, reorders",
  "telemetry-sink": "logs, traces and values of the others",
};

const NEIGHBOURS = FIVE.map((program) => [program, manifestOf(program).port!.number] as const);

/** A program's settings as they are installed: all on this machine. */
export function marketSettingsOf(program: Program): string {
  const urls = NEIGHBOURS.map(([name, port]) =>
    `${name.replaceAll("-", "_").toUpperCase()}_URL=http://127.0.0.1:${port}`
  );
  const more: Partial<Record<Program, readonly string[]>> = {
    "async-worker": [
      "",
      "# Where mails go out, and who they are from; without the first they are files in",
      `# /var/lib/${STATE}/async-worker/outbox.`,
      "#SMTP_URL=smtp://127.0.0.1:25",
      "#MAIL_FROM=SovereignMarket <orders@example.org>",
      "",
      "# Where the shop is, for links in mails; without it they say which page to open.",
      "#SHOP_URL=https://shop.example.org",
    ],
    "identity-provider": [
      "",
      "# The one account that may look at jobs and telemetry.",
      "#STAFF_EMAIL=staff@example.org",
      "#STAFF_PASSWORD=",
    ],
  };
  return [
    `# Settings of skr8tr-market-${program}.service; a change holds from its next restart on.`,
    "",
    `HOST=127.0.0.1`,
    `PORT=${manifestOf(program).port!.number}`,
    "",
    "# Where the others are.",
    ...urls,
    ...(program === "telemetry-sink"
      ? []
      : ["", "# A database of PostgreSQL instead of files.", "#DATABASE_URL="]),
    ...(more[program] ?? []),
    "",
  ].join("\n");
}

/** A program's unit. */
export function marketUnitOf(program: Program): string {
  const account = `skr8tr-market-${program}`;
  return [
    "[Unit]",
    `Description=SovereignMarket ${program}: ${PURPOSES[program]}`,
    "Documentation=man:skr8tr(1)",
    "Wants=network-online.target",
    "After=network-online.target",
    "",
    "[Service]",
    "Type=exec",
    `Environment=APP=${program} DATA_DIR=/var/lib/${STATE}/${program} HOME=/var/lib/${STATE}/${program}`,
    `EnvironmentFile=-${SETTINGS}/${program}.conf`,
    `WorkingDirectory=${HOME}`,
    `ExecStart=${HOME}/bin/${program}`,
    "Restart=always",
    "RestartSec=200ms",
    `StateDirectory=${STATE}/${program}`,
    "StateDirectoryMode=0700",
    `User=${account}`,
    `Group=${account}`,
    ...HARDENED_ALONE,
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
}

/** Starts a program with the permissions that its manifest gives it, and no others. */
export function marketWrapperOf(program: Program): string {
  const flags = manifestOf(program).args.join(" ").match(/--allow-\S+/g) ?? [];
  if (flags.length === 0) throw new Failure("deb", `the manifest of ${program} has no permissions`);
  return [
    "#!/bin/sh",
    `# ${PACKAGE.summary}: ${program}, with the permissions that it needs.`,
    "set -eu",
    `: "\${DATA_DIR:=/var/lib/${STATE}/${program}}"`,
    "export DATA_DIR",
    `here=$(dirname "$(dirname "$(readlink -f "$0")")")`,
    'exec "$(dirname "$here")/deno" run --quiet --no-config --no-prompt --cached-only \\',
    "  --node-modules-dir=manual --unstable-net \\",
    ...flags.map((flag) => flag.replace(/"\$+\{?DENO_DIR[^"]*"/g, '"$here/node_modules"'))
      .map((flag) => `  ${flag} \\`),
    `  "$here/lib/${program}.js"`,
    "",
  ].join("\n");
}

/**
 * Settings of skr8tr-ingress with which it is the shop's edge gateway: no tower, the routes and the
 * rates that the manifests have.
 */
export function gatewaySettings(): string {
  const flags = FIVE.flatMap((program) => {
    const { routes, port } = manifestOf(program);
    const ways = routes.flatMap(({ path, rate: limit }) => [
      `--route=${path}:${program}`,
      ...(limit === undefined ? [] : [
        `--rate=${path}=${rate.print(limit.perSecond)},burst=${limit.burst},per=${
          PER.print(limit.per)
        }`,
      ]),
    ]);
    return routes.length === 0 ? [] : [...ways, `--upstream=${program}=127.0.0.1:${port!.number}`];
  });
  return [
    "# Settings of skr8tr-ingress.service, to be put in the place of /etc/skr8tr/ingress.conf: with",
    "# them it is SovereignMarket's edge gateway. --tls-cert and --tls-key, or --acme-domain, give it",
    "# TLS; --rate says how often one client may come; /usr/lib/skr8tr/bin/skr8tr-ingress --help has",
    "# all flags.",
    "",
    "SKR8TR_BIND=127.0.0.1",
    "SKR8TR_NETWORKS=127.0.0.0/8",
    "",
    `SKR8TR_FLAGS=--tower=none --http=80 ${flags.join(" ")}`,
    "",
  ].join("\n");
}

/** Makes the package; its file. @throws {Failure} `deb`, `bundle`. */
export async function marketDeb(
  root: string,
  out: string,
  say: (line: string) => void,
): Promise<void> {
  await buildFront();
  const work = await Deno.makeTempDir({ prefix: "skr8tr-market-deb-" });
  try {
    await Deno.mkdir(out, { recursive: true });
    const builder = new Builder(PACKAGE, work, out);
    for (const program of FIVE) {
      const script = `${work}/${program}.js`;
      // Native code cannot be part of a script; it lies beside it as a module of its own.
      await bundleScript(root, programPath(program), script, ["sharp"]);
      await builder.file(`${HOME}/lib/${program}.js`, await Deno.readFile(script));
      await builder.file(`${HOME}/bin/${program}`, marketWrapperOf(program), 0o755);
      await builder.file(
        `/usr/lib/systemd/system/skr8tr-market-${program}.service`,
        marketUnitOf(program),
      );
      await builder.file(`${SETTINGS}/${program}.conf`, marketSettingsOf(program));
      await builder.file(
        `/usr/lib/sysusers.d/skr8tr-market-${program}.conf`,
        `u skr8tr-market-${program} - "SovereignMarket ${program}" /var/lib/${STATE}/${program}\n`,
      );
    }
    await builder.file(
      "/usr/share/doc/skr8tr-market/examples/ingress.conf",
      gatewaySettings(),
    );
    await copyTree(builder, `${root}/market/web/dist`, `${HOME}/market/web/dist`);
    await nativeModules(builder, root, work);
    await builder.file(
      "/usr/share/lintian/overrides/skr8tr-market",
      ["unstripped-binary-or-object", "embedded-library", "hardening-no-fortify-functions"]
        .concat(
          "hardening-no-relro",
          "shared-library-lacks-prerequisites",
          "custom-library-search-path",
        )
        .map((tag) => `# sharp is shipped as its makers build it.\nskr8tr-market: ${tag} *\n`)
        .join(""),
    );
    say(
      await builder.build({
        conffiles: FIVE.map((program) => `${SETTINGS}/${program}.conf\n`).join(""),
        ...scripts(),
      }),
    );
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** sharp with what it needs, as `import("sharp")` finds it from the scripts. */
async function nativeModules(builder: Builder, root: string, work: string): Promise<void> {
  const imports = JSON.parse(await Deno.readTextFile(`${root}/deno.json`)).imports;
  const version = String(imports.sharp).split("@").at(-1)!;
  const folder = `${work}/modules`;
  await Deno.mkdir(folder);
  const manifest = JSON.stringify({ dependencies: { sharp: version } });
  await Deno.writeTextFile(`${folder}/package.json`, manifest);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--quiet", "--node-modules-dir=auto"],
    cwd: folder,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Failure("deb", `sharp: ${new TextDecoder().decode(stderr).trim()}`);
  await builder.file(`${HOME}/package.json`, manifest);
  // Flat, as the modules find each other there too: they are few and of one version each.
  for await (const { name } of Deno.readDir(`${folder}/node_modules/.deno`)) {
    const modules = `${folder}/node_modules/.deno/${name}/node_modules`;
    // Debian's C library is not musl.
    if (name.includes("musl") || !await isFolder(modules)) continue;
    await copyTree(builder, modules, `${HOME}/node_modules`);
  }
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.lstat(path).then((info) => info.isDirectory, () => false);
}

/** Copies a folder's files. Links are left out, and what only a shell or a compiler would look at. */
async function copyTree(builder: Builder, from: string, to: string): Promise<void> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(from)) {
    if (name === "bin" || /\.d\.[cm]?ts$/.test(name)) continue;
    if (isDirectory) await copyTree(builder, `${from}/${name}`, `${to}/${name}`);
    if (isFile) await builder.file(`${to}/${name}`, await Deno.readFile(`${from}/${name}`));
  }
}

const ON_SYSTEMD = '[ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]';

/** As for the daemons: neither enabled nor started by being installed. */
function scripts(): Record<"postinst" | "prerm" | "postrm", string> {
  const units = FIVE.map((program) => `skr8tr-market-${program}.service`).join(" ");
  const users = FIVE.map((program) => `skr8tr-market-${program}.conf`).join(" ");
  return {
    postinst: [
      "#!/bin/sh",
      "set -e",
      'if [ "$1" = configure ]; then',
      `  systemd-sysusers \${DPKG_ROOT:+--root="$DPKG_ROOT"} ${users}`,
      `  if ${ON_SYSTEMD} && [ -n "$2" ]; then`,
      "    systemctl daemon-reload",
      `    deb-systemd-invoke try-restart ${units}`,
      "  fi",
      "fi",
      "",
    ].join("\n"),
    prerm: [
      "#!/bin/sh",
      "set -e",
      `if [ "$1" = remove ] && ${ON_SYSTEMD}; then`,
      `  deb-systemd-invoke stop ${units} || true`,
      "fi",
      "",
    ].join("\n"),
    postrm: [
      "#!/bin/sh",
      "set -e",
      `if ${ON_SYSTEMD}; then systemctl daemon-reload || true; fi`,
      'if [ "$1" = purge ]; then',
      '  rm -f "$DPKG_ROOT"/etc/systemd/system/multi-user.target.wants/skr8tr-market-*.service',
      `  rm -rf "$DPKG_ROOT/var/lib/${STATE}"`,
      "fi",
      "",
    ].join("\n"),
  };
}

if (import.meta.main) await runMaking(HELP, "dist/deb", (_, out, say) => marketDeb(ROOT, out, say));
