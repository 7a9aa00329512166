// Addresses and networks, as text.

/** Where a datagram comes from or goes to. */
export interface Address {
  readonly hostname: string;
  readonly port: number;
}

/** Says whether the text is an IPv4 or IPv6 address in its usual form. */
export function isAddress(text: string): boolean {
  const v4 = text.split(".");
  if (v4.length === 4) {
    return v4.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255);
  }
  return text.length <= 45 && text.includes(":") && /^[0-9a-fA-F:.]+$/.test(text);
}

/**
 * Says whether the address lies in one of the networks, which are written `10.0.0.0/8`, or as a
 * single address. IPv6 networks only as single addresses.
 */
export function inNetworks(address: string, networks: readonly string[]): boolean {
  return networks.some((network) => {
    const [base = "", bits] = network.split("/");
    if (bits === undefined) return base === address;
    const size = Number(bits);
    const left = ipv4(address);
    const right = ipv4(base);
    if (left === null || right === null) return false;
    return size === 0 || (left >>> (32 - size)) === (right >>> (32 - size));
  });
}

/** Says whether the text is a network that `inNetworks` understands. */
export function isNetwork(network: string): boolean {
  const [base = "", bits] = network.split("/");
  if (bits === undefined) return isAddress(base);
  return ipv4(base) !== null && /^([0-9]|[12][0-9]|3[0-2])$/.test(bits);
}

/** Says whether the address is this machine talking to itself. */
export function isLoopback(address: string): boolean {
  return address === "::1" || inNetworks(address.replace(/^::ffff:/, ""), ["127.0.0.0/8"]);
}

function ipv4(text: string): number | null {
  if (text.includes(":") || !isAddress(text)) return null;
  return text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0) >>> 0;
}
