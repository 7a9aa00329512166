import { Failure } from "../core/errors.ts";
import { type Address, type Cidr, isAddress, parseCidr } from "../core/address.ts";
import { defaultBurst, int, type Kind, rate } from "../core/manifest/kinds.ts";
import { PER } from "../core/manifest/special_kinds.ts";
import type { Endpoint, Route } from "../core/mesh.ts";

const APP = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/**
 * Reads `--route /prefix:app` or `--route host/prefix:app`.
 *
 * @throws {Failure} `usage`.
 */
export function parseRouteFlag(text: string): Route {
  const colon = text.lastIndexOf(":");
  const slash = text.indexOf("/");
  const app = text.slice(colon + 1);
  const host = text.slice(0, Math.max(0, slash)).toLowerCase();
  if (
    slash < 0 || colon < slash || !APP.test(app) || (host !== "" && !/^[a-z0-9.-]+$/.test(host))
  ) {
    throw new Failure("usage", `--route needs /prefix:app or host/prefix:app, not ${text}`);
  }
  return {
    app,
    ...(host === "" ? {} : { host }),
    path: text.slice(slash, colon),
    sticky: false,
    weight: 100,
    tlsRequired: false,
  };
}

/** How often a client may come, and where. */
export interface RouteRate {
  readonly host?: string;
  readonly path: string;
  readonly rate: NonNullable<Route["rate"]>;
}

const RATE_FORM = "/prefix=20/s or host/prefix=20/s,burst=40,per=header:x-key";

/**
 * Reads `--rate /prefix=20/s`, in the words of a manifest's `rate`, `burst` and `per`.
 *
 * @throws {Failure} `usage`.
 */
export function parseRateFlag(text: string): RouteRate {
  const match = /^([A-Za-z0-9.-]*)(\/[^=]*)=([^,]+)(?:,(.+))?$/.exec(text);
  if (match === null) throw new Failure("usage", `--rate needs ${RATE_FORM}, not ${text}`);
  const [, host = "", path = "", every = "", more] = match;
  const words = new Map<string, string>();
  for (const word of more?.split(",") ?? []) {
    const [, key = "", value = ""] = /^(burst|per)=(.*)$/.exec(word) ?? [];
    if (key === "" || words.has(key)) {
      throw new Failure("usage", `--rate needs ${RATE_FORM}: ${word} is neither burst nor per`);
    }
    words.set(key, value);
  }
  const read = <T>(kind: Kind<T>, word: string): T => {
    const value = kind.parse(word, () => {}, false);
    if (value === undefined) {
      throw new Failure("usage", `--rate ${text}: ${word} is not ${kind.form}`);
    }
    return value;
  };
  const perSecond = read(rate, every);
  const burst = words.get("burst");
  const per = read(PER, words.get("per") ?? "ip");
  return {
    ...(host === "" ? {} : { host: host.toLowerCase() }),
    path,
    rate: {
      perSecond,
      burst: burst === undefined ? defaultBurst(perSecond) : read(int(1, 1_000_000), burst),
      per: per === "ip" ? per : `header:${per.header}`,
    },
  };
}

/**
 * Gives routes their rates.
 *
 * @throws {Failure} `usage`: a rate is for a route that is not there, or there are two for one.
 */
export function ratedRoutes(routes: readonly Route[], rates: readonly RouteRate[]): Route[] {
  const place = ({ host = "", path }: Pick<Route, "host" | "path">) => `${host}${path}`;
  const rated = routes.map((route): Route => {
    const [own, second] = rates.filter((each) => place(each) === place(route));
    if (second) throw new Failure("usage", `--rate is given twice for ${place(second)}`);
    return own ? { ...route, rate: own.rate } : route;
  });
  const lost = rates.find((each) => !routes.some((route) => place(route) === place(each)));
  if (lost) {
    throw new Failure("usage", `--rate is for ${place(lost)}, where no --route leads`);
  }
  return rated;
}

/**
 * Reads where to listen: `8080`, `0.0.0.0:80`, `[::]:80`. What clients talk to is not the mesh: a
 * public address here asks for no `--mesh open`.
 *
 * @throws {Failure} `usage`.
 */
export function parseListenFlag(name: string, text: string, bind: string): Address {
  const match = /^(?:(.+):)?(\d{1,5})$/.exec(text);
  const hostname = match?.[1]?.replace(/^\[(.*)\]$/, "$1") ?? bind;
  const port = Number(match?.[2]);
  if (match === null || port > 65_535 || (match[1] !== undefined && !isAddress(hostname))) {
    throw new Failure("usage", `--${name} needs a port or address:port, not ${text}`);
  }
  return { hostname, port };
}

/**
 * Reads `--upstream app=host:port`.
 *
 * @throws {Failure} `usage`.
 */
export function parseUpstreamFlag(text: string): Endpoint {
  const match = /^([^=]+)=(.+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || !APP.test(match[1]!) || !(port >= 1 && port <= 65_535)) {
    throw new Failure("usage", `--upstream needs app=host:port, not ${text}`);
  }
  const [, app, host] = match;
  return {
    replica: `static-${app}-${host}-${port}`,
    app: app!,
    generation: 0,
    node: "static",
    host: host!,
    port,
  };
}

/**
 * Reads `--trust CIDR`.
 *
 * @throws {Failure} `usage`.
 */
export function parseTrustFlag(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === null) {
    throw new Failure("usage", `--trust needs a CIDR like 10.0.0.0/8, not ${text}`);
  }
  return cidr;
}
