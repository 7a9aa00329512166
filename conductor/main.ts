import {
  CONDUCTOR_PORT,
  isNetwork,
  readAddress,
  readAddresses,
  TOWER_PORT,
} from "../core/address.ts";
import { Failure } from "../core/errors.ts";
import { type Flag, runDaemon } from "../core/live/daemon.ts";
import { logger } from "../core/live/log.ts";
import { openSealKeys } from "../core/live/seal_keys.ts";
import { startConductor } from "./live/conductor.ts";
import { readStoreAccess } from "./live/open_store.ts";
import { parseStoreTarget } from "./leading/store_target.ts";
import { readAtRestKey } from "./live/at_rest.ts";
import { parseSyslogTarget } from "./live/syslog.ts";
import { readOperators } from "./live/open.ts";
import { readSsoSettings } from "./live/sso_settings.ts";

const FLAGS: readonly Flag[] = [
  { name: "port", value: "PORT", default: "7771", help: "operators: UDP and TCP" },
  { name: "mesh-port", value: "PORT", default: "7770", help: "nodes: UDP" },
  {
    name: "tower",
    value: "HOST[:PORT],...",
    default: "127.0.0.1:7772",
    help: "where the towers are",
  },
  {
    name: "store",
    value: "FILE|URL",
    help: "where the log is: a file (log.db of --state), or nats://HOST,HOST,HOST",
  },
  { name: "store-login", value: "FILE", help: "how to enter NATS: .creds, or user:password" },
  { name: "store-ca", value: "FILE", help: "certificates that a tls:// store is checked by" },
  { name: "name", value: "NAME", default: "conductor", help: "how others call this conductor" },
  {
    name: "advertise",
    value: "HOST[:PORT]",
    help: "where others reach its --port (default: where it listens)",
  },
  { name: "pubkey", value: "FILE", repeat: true, help: "an operator's public key" },
  { name: "insecure", help: "obey anybody; only on loopback" },
  { name: "plain", value: "CIDR", repeat: true, help: "networks that may read unsealed" },
  { name: "rebalance", help: "move replicas to nodes that come, by itself" },
  {
    name: "at-rest-key",
    value: "FILE",
    help: "encrypt log, history and telemetry by this key (32 bytes)",
  },
  {
    name: "syslog",
    value: "URL",
    repeat: true,
    help: "send the audit to udp://, tcp:// or tls://HOST",
  },
  { name: "syslog-ca", value: "FILE", help: "certificates that a tls:// server is checked by" },
  {
    name: "telemetry",
    value: "SIZE",
    default: "256mb",
    help: "keep so much of the cluster's logs here, searchable; 0 for nothing",
  },
  {
    name: "sso",
    value: "FILE",
    help: "let groups of an OpenID Connect issuer look at the deck, as this file says (mode 0600)",
  },
  { name: "trace", help: "tell of deploys by OpenTelemetry (with OTEL_DENO=true)" },
  { name: "manifests", value: "DIR", help: "allow v1 SUBMIT and ROLLOUT of files below this" },
];

await runDaemon({
  name: "conductor",
  purpose: "schedules what operators have signed onto nodes",
  flags: FLAGS,
  async start(flags) {
    const bind = flags.text("bind");
    const plain = flags.all("plain");
    for (const network of plain) {
      if (!isNetwork(network)) throw new Failure("usage", `--plain needs a CIDR, not ${network}`);
    }
    const [tower, ...moreTowers] = readAddresses(flags.text("tower"), "tower", TOWER_PORT);
    const [store, login] = [flags.optional("store"), flags.optional("store-login")];
    const advertise = flags.optional("advertise");
    if (advertise !== undefined) readAddress(advertise, "advertise", CONDUCTOR_PORT);
    const manifests = flags.optional("manifests");
    if (manifests !== undefined) {
      logger().warn(
        "--manifests {folder}: v1 commands may name files there; only their path is signed",
        {
          folder: manifests,
        },
      );
    }
    const atRest = flags.optional("at-rest-key");
    const sso = flags.optional("sso");
    const ca = flags.optional("syslog-ca");
    const caCerts = ca === undefined ? {} : { caCerts: [await Deno.readTextFile(ca)] };
    return await startConductor({
      bind,
      port: flags.integer("port", 0, 65_535),
      meshPort: flags.integer("mesh-port", 0, 65_535),
      state: flags.text("state"),
      tower: tower!,
      moreTowers,
      ...(store === undefined ? {} : { store: parseStoreTarget(store) }),
      storeAccess: await readStoreAccess(login, flags.optional("store-ca")),
      name: flags.text("name"),
      ...(advertise === undefined ? {} : { advertise }),
      plain,
      trace: flags.has("trace"),
      syslog: flags.all("syslog").map((each) => ({ ...parseSyslogTarget(each), ...caCerts })),
      ...(atRest === undefined ? {} : { atRestKey: await readAtRestKey(atRest) }),
      ...(sso === undefined ? {} : { sso: await readSsoSettings(sso) }),
      telemetryBytes: sizeOf(flags.text("telemetry")),
      meshOpen: flags.optional("mesh") === "open",
      keys: await openSealKeys(flags.text("state"), "conductor"),
      rebalance: flags.has("rebalance"),
      operators: flags.has("insecure") ? insecure(bind) : await someOperators(flags.all("pubkey")),
      ...(manifests === undefined ? {} : { manifests }),
    });
  },
});

/** A size such as `256mb`, in bytes; `0` for nothing. */
function sizeOf(text: string): number {
  const [, number, unit = ""] = /^([0-9]+)(kb|mb|gb)?$/.exec(text) ?? [];
  const power = ["", "kb", "mb", "gb"].indexOf(unit);
  if (number === undefined) {
    throw new Failure("usage", `--telemetry needs a size like 256mb, not ${text}`);
  }
  return Number(number) * 1024 ** power;
}

function insecure(bind: string): null {
  if (!bind.startsWith("127.") && bind !== "::1") {
    throw new Failure("usage", `--insecure is only for loopback, not for ${bind}`);
  }
  logger().warn("--insecure: this conductor obeys anybody on this machine");
  return null;
}

async function someOperators(files: readonly string[]) {
  if (files.length === 0) {
    throw new Failure(
      "no-key",
      "nobody may command this conductor: give --pubkey FILE (skr8tr keygen makes one), or --insecure",
    );
  }
  return await readOperators(files);
}
