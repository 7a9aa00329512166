import { Failure } from "../core/errors.ts";
import { readAddresses, showAddress, TOWER_PORT } from "../core/address.ts";
import { type Flag, type FlagValues, JOIN_FLAGS, runDaemon } from "../core/live/daemon.ts";
import { randomHex } from "../core/live/clock.ts";
import { joinsAt } from "../core/live/join.ts";
import { logger } from "../core/live/log.ts";
import { CLIENT_CONNECTIONS } from "../core/limits.ts";
import {
  parseListenFlag,
  parseRateFlag,
  parseRouteFlag,
  parseTrustFlag,
  parseUpstreamFlag,
  ratedRoutes,
} from "./flags.ts";
import type { LogLevel } from "@logtape/logtape";
import type { IngressSettings } from "./live/ingress.ts";
import { startIngressWorkers } from "./live/workers.ts";
import { DEFAULT_TIMEOUTS } from "./live/proxy.ts";

const seconds = (ms: number) => String(ms / 1000);

const FLAGS: readonly Flag[] = [
  {
    name: "http",
    value: "[IP:]PORT",
    default: "80",
    help: "where HTTP is served; without an address at --bind",
  },
  {
    name: "https",
    value: "[IP:]PORT",
    default: "443",
    help: "where HTTPS is served, if there is a certificate",
  },
  {
    name: "tls-cert",
    value: "FILE",
    repeat: true,
    help: "certificate chain (PEM); read again when it changes",
  },
  { name: "tls-key", value: "FILE", repeat: true, help: "its key; one for each --tls-cert" },
  {
    name: "acme-domain",
    value: "NAME",
    repeat: true,
    help: "fetch and renew a certificate for this name; kept in <state>/acme",
  },
  { name: "acme-email", value: "ADDRESS", help: "for the ACME account" },
  {
    name: "acme-directory",
    value: "URL",
    default: "https://acme-v02.api.letsencrypt.org/directory",
    help: "the ACME server",
  },
  { name: "acme-ca", value: "FILE", help: "certificate to trust for the ACME server (PEM)" },
  { name: "hsts", value: "S", default: "0", help: "seconds for Strict-Transport-Security" },
  { name: "redirect-https", help: "send plain requests to HTTPS" },
  { name: "admin", value: "PORT", default: "7776", help: "port for /metrics, /health, /status" },
  {
    name: "tower",
    value: "HOST[:PORT],...",
    default: "127.0.0.1:7772",
    help: 'the tower to watch, or several of which one is; "none": only --route and --upstream',
  },
  {
    name: "name",
    value: "NAME",
    help: "name in the tower's list, no two alike (ingress- and random letters)",
  },
  ...JOIN_FLAGS,
  {
    name: "conductor",
    value: "HOST[:PORT],...",
    help: "the conductor, or each of several (default: as the token says)",
  },
  {
    name: "route",
    value: "[HOST]/PREFIX:APP",
    repeat: true,
    help: "a route beside the published ones",
  },
  {
    name: "rate",
    value: "[HOST]/PREFIX=N/s[,burst=N][,per=ip|header:NAME]",
    repeat: true,
    help: "most requests of one client on this --route, in the words of a manifest",
  },
  {
    name: "upstream",
    value: "APP=HOST:PORT",
    repeat: true,
    help: "a replica beside the registered ones",
  },
  {
    name: "trust",
    value: "CIDR",
    repeat: true,
    help: "whose X-Forwarded-* to believe; by default nobody's",
  },
  {
    name: "workers",
    value: "N",
    default: "1",
    help: "threads that take connections, each with rate limits of its own; above 1 it must be " +
      "allowed to read ingress/ and core/",
  },
  {
    name: "proxy-protocol",
    help: "peers of --trust begin with a PROXY header (version 1 or 2), before TLS, too",
  },
  {
    name: "h2c",
    help:
      "on the HTTP port, serve clients that begin with the preface of HTTP/2 (gRPC without TLS)",
  },
  { name: "reuse-port", help: "let another ingress take connections from the same ports" },
  {
    name: "access-log",
    value: "none|combined|json",
    default: "none",
    help: "one line a request, on standard output",
  },
  {
    name: "trace",
    value: "RATIO",
    help: "record this share of the requests, 0 to 1, as spans of OpenTelemetry (with OTEL_DENO=" +
      "true); of those with a traceparent from --trust the ones that it says",
  },
  {
    name: "max-connections",
    value: "N",
    default: String(CLIENT_CONNECTIONS),
    help: "most client connections",
  },
  { name: "max-body", value: "BYTES", default: "0", help: "largest request body; 0: any" },
  {
    name: "head-timeout",
    value: "S",
    default: seconds(DEFAULT_TIMEOUTS.headMs),
    help: "for a request's head to come",
  },
  {
    name: "body-timeout",
    value: "S",
    default: seconds(DEFAULT_TIMEOUTS.bodyMs),
    help: "between two pieces of a request's body",
  },
  {
    name: "response-timeout",
    value: "S",
    default: seconds(DEFAULT_TIMEOUTS.responseMs),
    help: "between two pieces of a response",
  },
  {
    name: "idle-timeout",
    value: "S",
    default: seconds(DEFAULT_TIMEOUTS.idleMs),
    help: "for a connection without requests",
  },
  {
    name: "connect-timeout",
    value: "S",
    default: seconds(DEFAULT_TIMEOUTS.connectMs),
    help: "for a replica to take a connection",
  },
  {
    name: "first-byte-timeout",
    value: "S",
    default: seconds(DEFAULT_TIMEOUTS.firstByteMs),
    help: "for a replica to begin its response; a route may say otherwise",
  },
  {
    name: "drain-timeout",
    value: "S",
    default: seconds(DEFAULT_TIMEOUTS.drainMs),
    help: "for requests under way when told to stop",
  },
];

type AcmeSettings = NonNullable<IngressSettings["tls"]>["acme"];

function acmeOf(flags: FlagValues): AcmeSettings {
  const domains = flags.all("acme-domain").map((domain) => domain.toLowerCase());
  if (domains.length === 0) return undefined;
  const wrong = domains.find((domain) => !/^([a-z0-9-]+\.)+[a-z0-9-]+$/.test(domain));
  if (wrong !== undefined) throw new Failure("usage", `--acme-domain needs a name, not ${wrong}`);
  const ca = flags.optional("acme-ca");
  return {
    domains,
    email: flags.text("acme-email"),
    directoryUrl: flags.text("acme-directory"),
    folder: `${flags.text("state")}/acme`,
    ...(ca === undefined ? {} : { caPem: readFile(ca) }),
    keeper: true,
  };
}

function readFile(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new Failure("usage", `cannot read --acme-ca ${path}: ${(error as Error).message}`);
  }
}

function tlsOf(flags: FlagValues): IngressSettings["tls"] {
  const certificates = flags.all("tls-cert");
  const keys = flags.all("tls-key");
  if (certificates.length !== keys.length) {
    throw new Failure("usage", "each --tls-cert needs its --tls-key, in the same order");
  }
  const redirect = flags.has("redirect-https");
  const acme = acmeOf(flags);
  const hstsS = flags.integer("hsts", 0, 1e9);
  if (certificates.length === 0 && acme === undefined) {
    if (redirect) throw new Failure("usage", "--redirect-https needs --tls-cert or --acme-domain");
    return undefined;
  }
  const files = certificates.map((certificate, at) => ({ certificate, key: keys[at]! }));
  const { hostname, port } = parseListenFlag("https", flags.text("https"), flags.text("bind"));
  return { hostname, port, files, hstsS, redirect, acme };
}

function joinOf(flags: FlagValues): IngressSettings["join"] {
  const join = flags.optional("join");
  const conductor = flags.optional("conductor");
  return {
    state: flags.text("state"),
    role: "ingress",
    name: flags.optional("name") ?? "ingress",
    ...(join === undefined ? {} : { join }),
    ...joinsAt(conductor),
  };
}

function traceRatioOf(flags: FlagValues): number | undefined {
  if (flags.optional("trace") === undefined) return undefined;
  const text = flags.text("trace");
  const ratio = Number(text);
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw new Failure("usage", `--trace needs a share from 0 to 1, such as 0.01, not ${text}`);
}

function settingsOf(flags: FlagValues): IngressSettings {
  const accessLog = flags.text("access-log");
  if (accessLog !== "none" && accessLog !== "combined" && accessLog !== "json") {
    throw new Failure("usage", `--access-log knows none, combined and json, not ${accessLog}`);
  }
  const tower = flags.text("tower");
  const http = parseListenFlag("http", flags.text("http"), flags.text("bind"));
  // The tower takes one that comes back under its name for the same one.
  const name = flags.optional("name");
  const ms = (name: string) => flags.integer(name, 1, 86_400) * 1000;
  const maxBody = flags.integer("max-body", 0, Number.MAX_SAFE_INTEGER);
  return {
    hostname: flags.text("bind"),
    httpHostname: http.hostname,
    httpPort: http.port,
    adminPort: flags.integer("admin", 0, 65_535),
    tower: tower === "none"
      ? undefined
      : readAddresses(tower, "tower", TOWER_PORT).map(showAddress).join(","),
    name: name ?? `ingress-${randomHex(8)}`,
    join: tower === "none" || flags.optional("mesh") === "open" ? undefined : joinOf(flags),
    routes: ratedRoutes(
      flags.all("route").map(parseRouteFlag),
      flags.all("rate").map(parseRateFlag),
    ),
    endpoints: flags.all("upstream").map(parseUpstreamFlag),
    accessLog,
    traceRatio: traceRatioOf(flags),
    tls: tlsOf(flags),
    proxyProtocol: flags.has("proxy-protocol"),
    h2c: flags.has("h2c"),
    reusePort: flags.has("reuse-port"),
    trusted: flags.all("trust").map(parseTrustFlag),
    maxConnections: flags.integer("max-connections", 1, 1_000_000),
    maxBodyBytes: maxBody === 0 ? Infinity : maxBody,
    timeouts: {
      headMs: ms("head-timeout"),
      bodyMs: ms("body-timeout"),
      responseMs: ms("response-timeout"),
      idleMs: ms("idle-timeout"),
      connectMs: ms("connect-timeout"),
      firstByteMs: ms("first-byte-timeout"),
      drainMs: ms("drain-timeout"),
    },
  };
}

if (import.meta.main) {
  // A mistake in the handling of one connection must not end all others: it is told, that
  // connection's deadline ends it, the rest goes on.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    logger("ingress").error("bug: {error}", {
      error: event.reason instanceof Error ? event.reason.stack : String(event.reason),
    });
  });
  await runDaemon({
    name: "ingress",
    purpose: "takes requests from outside to the replicas of apps",
    flags: FLAGS,
    async start(flags) {
      const settings = settingsOf(flags);
      const ingress = await startIngressWorkers(settings, flags.integer("workers", 1, 256), {
        format: flags.text("log") === "json" ? "json" : "text",
        level: flags.text("log-level") as LogLevel,
      });
      logger("ingress").info("serving http://{hostname}:{port}, admin on port {admin}", {
        hostname: settings.httpHostname,
        port: ingress.httpPort,
        admin: ingress.adminPort,
      });
      if (ingress.httpsPort !== null) {
        logger("ingress").info("serving https on port {port}", { port: ingress.httpsPort });
      }
      return { stop: () => ingress.stop() };
    },
  });
}
