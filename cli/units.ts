// systemd's side of the daemons: units, accounts, settings. Text only; who writes it is elsewhere.

import { environmentOf } from "../core/permissions.ts";

/** The daemons that systemd runs. */
export const DAEMONS = ["conductor", "tower", "node", "ingress"] as const;
export type DaemonName = typeof DAEMONS[number];

const PURPOSES: { readonly [D in DaemonName]: string } = {
  conductor: "decides what runs where",
  tower: "knows who is where",
  node: "runs and watches programs",
  ingress: "brings requests to replicas",
};

/** Hardening that every daemon bears. V8 makes code as it runs, so memory may be made executable. */
const HARDENED: readonly string[] = [
  "NoNewPrivileges=yes",
  "ProtectKernelTunables=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelLogs=yes",
  "ProtectClock=yes",
  "ProtectHostname=yes",
  "RestrictSUIDSGID=yes",
  "RestrictRealtime=yes",
  "LockPersonality=yes",
  "SystemCallArchitectures=native",
  "UMask=0077",
];

/** What replicas would suffer from, too, and so only the others bear. */
const ALONE: readonly string[] = [
  "ProtectSystem=strict",
  "ProtectHome=yes",
  "ProtectProc=invisible",
  "ProtectControlGroups=yes",
  "PrivateTmp=yes",
  "PrivateDevices=yes",
  "PrivateUsers=yes",
  "RestrictNamespaces=yes",
  "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
  "CapabilityBoundingSet=",
  "SystemCallFilter=@system-service",
  "RemoveIPC=yes",
];

/** All of that, for a program that starts no others. */
export const HARDENED_ALONE: readonly string[] = [...HARDENED, ...ALONE];

/**
 * A daemon's unit.
 *
 * @param programs folder of `skr8tr-conductor` and its like
 */
export function unitOf(daemon: DaemonName, programs: string): string {
  return [
    "[Unit]",
    `Description=skr8tr ${daemon}: ${PURPOSES[daemon]}`,
    "Documentation=man:skr8tr(1)",
    "Wants=network-online.target",
    "After=network-online.target",
    "",
    "[Service]",
    "Type=exec",
    `Environment=SKR8TR_STATE=/var/lib/skr8tr/${daemon} HOME=/var/lib/skr8tr/${daemon}`,
    ...Object.entries(environmentOf(daemon)).map(([name, value]) => `Environment=${name}=${value}`),
    `EnvironmentFile=-/etc/skr8tr/${daemon}.conf`,
    `ExecStart=${programs}/skr8tr-${daemon} $SKR8TR_FLAGS`,
    "Restart=always",
    "RestartSec=200ms",
    `StateDirectory=skr8tr/${daemon}`,
    "StateDirectoryMode=0700",
    ...accountOf(daemon),
    ...HARDENED,
    ...(daemon === "node" ? OF_THE_NODE : privileged(daemon)),
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
}

/**
 * The node starts programs as other accounts, and its replicas outlive it: only the daemon's own
 * process is ended with the unit. What it starts inherits what the unit takes away.
 */
const OF_THE_NODE: readonly string[] = [
  "KillMode=process",
  "Delegate=yes",
  "ProtectSystem=full",
  "LimitNOFILE=65536",
];

function accountOf(daemon: DaemonName): readonly string[] {
  return daemon === "node" ? ["User=root"] : [`User=skr8tr-${daemon}`, `Group=skr8tr-${daemon}`];
}

/** Ports below 1024 are the ingress's to have. */
function privileged(daemon: DaemonName): readonly string[] {
  if (daemon !== "ingress") return ALONE;
  return [
    ...ALONE.filter((line) => !/^(CapabilityBoundingSet|PrivateUsers)=/.test(line)),
    "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
    "AmbientCapabilities=CAP_NET_BIND_SERVICE",
    "LimitNOFILE=65536",
  ];
}

/** The account of a daemon, for systemd-sysusers; the node has none of its own. */
export function sysusersOf(daemon: DaemonName): string | null {
  if (daemon === "node") return null;
  return `u skr8tr-${daemon} - "skr8tr ${daemon}" /var/lib/skr8tr/${daemon}\n`;
}

const FLAGS: { readonly [D in DaemonName]: string } = {
  conductor: "--pubkey=/etc/skr8tr/ops.pub --tower=127.0.0.1:7772",
  tower: "",
  node: "--pubkey=/etc/skr8tr/ops.pub --conductor=127.0.0.1:7770 --tower=127.0.0.1:7772",
  ingress: "--tower=127.0.0.1:7772 --http=80",
};

/** A daemon's settings as they are installed: all on this machine. */
export function settingsOf(daemon: DaemonName): string {
  return [
    `# Settings of skr8tr-${daemon}.service. /usr/lib/skr8tr/bin/skr8tr-${daemon} --help has the flags.`,
    "",
    "# The address it listens on, and the networks that it may talk to at all.",
    "SKR8TR_BIND=127.0.0.1",
    "SKR8TR_NETWORKS=127.0.0.0/8",
    ...(daemon === "conductor" || daemon === "node"
      ? ["", "# Folder of the operators' public keys, which it may read."]
        .concat("SKR8TR_KEYS=/etc/skr8tr")
      : []),
    "",
    `SKR8TR_FLAGS=${FLAGS[daemon]}`,
    "",
  ].join("\n");
}

/** A file to be installed. */
export interface InstalledFile {
  readonly path: string;
  readonly text: string;
  /** The operator's own from then on: never overwritten. */
  readonly settings: boolean;
}

/** Everything that one daemon needs on a machine, besides its programs. */
export function filesOfDaemon(daemon: DaemonName, programs: string): readonly InstalledFile[] {
  const users = sysusersOf(daemon);
  return [
    {
      path: `/etc/systemd/system/skr8tr-${daemon}.service`,
      text: unitOf(daemon, programs),
      settings: false,
    },
    ...(users === null
      ? []
      : [{ path: `/etc/sysusers.d/skr8tr-${daemon}.conf`, text: users, settings: false }]),
    { path: `/etc/skr8tr/${daemon}.conf`, text: settingsOf(daemon), settings: true },
  ];
}
