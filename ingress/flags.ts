import { Failure } from "../core/errors.ts";
import { type Address, type Cidr, isAddress, parseCidr } from "../core/address.ts";
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
