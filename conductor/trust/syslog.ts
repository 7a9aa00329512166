/** The audit as syslog (RFC 5424), a message a line of it. */

import type { AuditView } from "../../core/view.ts";

/** Facility 13, "log audit"; severity notice, and warning for what was refused. */
const FACILITY = 13;
const NOTICE = 5;
const WARNING = 4;
/** An enterprise number for examples (RFC 5612): skr8tr has none of its own. */
const ELEMENT = "skr8tr@32473";

/** @param host the machine's name; `-` where it is not known */
export function syslogMessage(view: AuditView, host: string): string {
  const priority = FACILITY * 8 + (view.kind === "refused" ? WARNING : NOTICE);
  const at = new Date(view.wallMs).toISOString();
  const fields = { kind: view.kind, ...picked(view) };
  const data = Object.entries(fields).map(([name, value]) => ` ${name}="${escaped(value)}"`);
  const kind = view.kind.replace(/[^\x21-\x7e]/g, "").slice(0, 32);
  // The byte order mark says that the text is UTF-8.
  const text = `\ufeff${view.text.replace(/\p{Cc}/gu, " ")}`;
  return `<${priority}>1 ${at} ${host} skr8tr-conductor - ${kind} [${ELEMENT}${
    data.join("")
  }] ${text}`;
}

function picked({ sequence, verb, operator, key, app }: AuditView): Record<string, string> {
  return {
    ...(sequence === undefined ? {} : { sequence: String(sequence) }),
    ...(verb === undefined ? {} : { verb }),
    ...(operator === undefined ? {} : { operator }),
    ...(key === undefined ? {} : { key }),
    ...(app === undefined ? {} : { app }),
  };
}

/** RFC 5424, section 6.3.3: these three are escaped in a value. */
function escaped(value: string): string {
  return value.replace(/["\\\]]/g, "\\$&").replace(/\p{Cc}/gu, " ");
}

/** A name as the header may have it. */
export function syslogHost(name: string): string {
  const plain = name.replace(/[^\x21-\x7e]/g, "").slice(0, 255);
  return plain === "" ? "-" : plain;
}

/** RFC 6587, octet counting: how a message stands in a stream. */
export function framed(message: Uint8Array): Uint8Array {
  const head = [...`${message.length} `].map((each) => each.charCodeAt(0));
  const bytes = new Uint8Array(head.length + message.length);
  bytes.set(head);
  bytes.set(message, head.length);
  return bytes;
}
