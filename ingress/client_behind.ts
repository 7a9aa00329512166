import { type Cidr, isWithin, parseAddress } from "../core/address.ts";

/**
 * The client's address behind trusted proxies: the last of the chain (X-Forwarded-For, then the
 * peer) that is not trusted; the first of all where every one is.
 */
export function clientBehind(
  peer: string,
  forwardedFor: readonly string[],
  trusted: readonly Cidr[],
): string {
  let client = peer;
  for (let at = forwardedFor.length - 1; at >= 0 && isWithin(client, trusted); at--) {
    const before = forwardedFor[at]!.trim();
    // What is no address was not written by a proxy we trust.
    if (parseAddress(before) === null) break;
    client = before;
  }
  return client;
}
