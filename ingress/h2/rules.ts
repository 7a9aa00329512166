// What a field section of HTTP/2 must look like (RFC 9113 8.2 and 8.3).

import { TOKEN } from "../fields.ts";
import type { Field } from "./hpack.ts";

const CONNECTION_FIELDS = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);
const REQUEST_PSEUDO = [":method", ":scheme", ":authority", ":path"];
const RESPONSE_PSEUDO = [":status"];

/** Why a field section is malformed; `null` if it is not. */
export function malformedFields(
  fields: readonly Field[],
  kind: "request" | "response" | "trailers",
): string | null {
  const allowed = kind === "request" ? REQUEST_PSEUDO : kind === "response" ? RESPONSE_PSEUDO : [];
  const pseudo = new Map<string, string>();
  let regular = false;
  let length: string | null = null;
  for (const [name, value] of fields) {
    if (name.charCodeAt(0) === 0x3a) {
      if (regular) return `${name} behind a field`;
      if (!allowed.includes(name)) return `${name} in ${kind}`;
      if (pseudo.has(name)) return `${name} twice`;
      if (!isValue(value)) return `bad ${name}`;
      pseudo.set(name, value);
      continue;
    }
    regular = true;
    if (!isName(name)) return "bad field name";
    if (!isValue(value)) return "bad field value";
    if (CONNECTION_FIELDS.has(name)) return `${name} in HTTP/2`;
    if (name === "te" && value !== "trailers") return "te other than trailers";
    if (name === "content-length") {
      if (length !== null && length !== value) return "two content-lengths";
      if (!/^\d{1,15}$/.test(value)) return "bad content-length";
      length = value;
    }
  }
  if (kind === "request") return malformedRequest(pseudo, fields);
  if (kind === "response" && !/^[1-5]\d\d$/.test(pseudo.get(":status") ?? "")) return "bad :status";
  return null;
}

function malformedRequest(
  pseudo: ReadonlyMap<string, string>,
  fields: readonly Field[],
): string | null {
  const method = pseudo.get(":method");
  const path = pseudo.get(":path");
  const scheme = pseudo.get(":scheme");
  const authority = pseudo.get(":authority");
  if (method === undefined || !isToken(method)) return "bad :method";
  if (method === "CONNECT") {
    return path === undefined && scheme === undefined && authority ? null : "bad CONNECT";
  }
  if (scheme === undefined || !/^[A-Za-z][A-Za-z0-9+.-]*$/.test(scheme)) return "bad :scheme";
  if (path === undefined || /[^!-~]/.test(path)) return "bad :path";
  if (!path.startsWith("/") && !(path === "*" && method === "OPTIONS")) return "bad :path";
  const hosts = fields.filter(([name]) => name === "host");
  if (hosts.length > 1) return "two hosts";
  const host = hosts[0]?.[1];
  const named = authority ?? host;
  if (named === undefined || named === "" || named.includes("@")) return "bad :authority";
  if (host !== undefined && host.toLowerCase() !== named.toLowerCase()) {
    return "host is not :authority";
  }
  return null;
}

function isToken(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7e || TOKEN[unit] === 0) return false;
  }
  return text !== "";
}

/** A token without upper-case letters. */
export function isName(name: string): boolean {
  for (let at = 0; at < name.length; at++) {
    const unit = name.charCodeAt(at);
    if (unit === 0 || unit > 0x7e || TOKEN[unit] !== unit) return false;
  }
  return name !== "";
}

/** No control bytes, no space at its ends. */
export function isValue(value: string): boolean {
  const { length } = value;
  for (let at = 0; at < length; at++) {
    const unit = value.charCodeAt(at);
    if (unit > 0xff || unit === 0x7f || (unit < 0x20 && unit !== 0x09)) return false;
  }
  if (length === 0) return true;
  return !isSpace(value.charCodeAt(0)) && !isSpace(value.charCodeAt(length - 1));
}

function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}
