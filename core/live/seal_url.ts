import type { Address } from "../address.ts";
import { SEAL_PATH } from "./sealed_http.ts";

/** Where sealed connections to an address begin. */
export function sealUrl({ hostname, port }: Address): string {
  return `ws://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}${SEAL_PATH}`;
}
