// Responses of the ingress's own: small, plain, and naming what is wrong.

import { ascii } from "./field_block.ts";

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  204: "No Content",
  308: "Permanent Redirect",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  421: "Misdirected Request",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

/** What an answer of our own consists of. */
export interface Reply {
  readonly status: number;
  /** One line for people; without it there is no content. */
  readonly text?: string;
  /** `text` is sent as it is, without a line's end. */
  readonly exact?: boolean;
  readonly retryAfterS?: number;
  readonly location?: string;
  readonly allow?: string;
  /** Whoever asked understands only gRPC. */
  readonly grpc?: boolean;
}

// Codes of gRPC that say what a status of ours says.
const GRPC_CODES: Readonly<Record<number, number>> = {
  404: 12, // UNIMPLEMENTED
  408: 4, // DEADLINE_EXCEEDED
  413: 8, // RESOURCE_EXHAUSTED
  429: 8,
  502: 14, // UNAVAILABLE
  503: 14,
  504: 14,
};
const GRPC_INTERNAL = 13;

/** The fields of a reply but for Date, X-Request-Id and Connection, and its content. */
export function replyFields(reply: Reply): { fields: [string, string][]; content: string } {
  const content = reply.text === undefined ? "" : reply.exact ? reply.text : `${reply.text}\n`;
  const fields: [string, string][] = [];
  if (reply.grpc) {
    const code = GRPC_CODES[reply.status] ?? GRPC_INTERNAL;
    fields.push(["Content-Type", "application/grpc"], ["Content-Length", "0"]);
    fields.push(["grpc-status", String(code)]);
    fields.push(["grpc-message", encodeURIComponent(reply.text ?? "").replaceAll("%20", " ")]);
    return { fields, content: "" };
  }
  if (reply.status !== 204) {
    fields.push(["Content-Type", "text/plain; charset=utf-8"]);
    fields.push(["Content-Length", String(content.length)]);
  }
  fields.push(["Cache-Control", "no-store"]);
  if (reply.retryAfterS) fields.push(["Retry-After", String(reply.retryAfterS)]);
  if (reply.location !== undefined) fields.push(["Location", reply.location]);
  if (reply.allow !== undefined) fields.push(["Allow", reply.allow]);
  return { fields, content };
}

/** A whole HTTP/1.1 reply. `lines`: further fields, each with its CRLF. */
export function replyBytes(
  reply: Reply,
  options: {
    readonly toHead: boolean;
    readonly keepAlive: boolean;
    readonly clientMinor: number;
    readonly lines: string;
  },
): Uint8Array<ArrayBuffer> {
  const { fields, content } = replyFields(reply);
  // gRPC's own status stands in its field: HTTP's is always 200.
  const status = reply.grpc ? 200 : reply.status;
  let head = `HTTP/1.1 ${status} ${REASONS[status] ?? "Error"}\r\n`;
  for (const [name, value] of fields) head += `${name}: ${value}\r\n`;
  head += options.lines;
  if (!options.keepAlive) head += "Connection: close\r\n";
  else if (options.clientMinor === 0) head += "Connection: keep-alive\r\n";
  return ascii(`${head}\r\n${options.toHead ? "" : content}`);
}
