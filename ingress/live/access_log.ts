import { latin1 } from "../field_block.ts";
import { HOST, REFERER, USER_AGENT } from "../fields.ts";
import type { RequestHead } from "../http1.ts";
import { fieldValues } from "./admission.ts";

/** What the access log is told of one request. */
export interface AccessRecord {
  readonly client: string;
  readonly method: string;
  readonly target: string;
  /** `HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0`. */
  readonly protocol: string;
  readonly status: number;
  readonly bytesOut: number;
  readonly elapsedMs: number;
  readonly referer: string;
  readonly userAgent: string;
  readonly host: string;
  readonly requestId: string;
  readonly app: string;
  readonly replica: string;
  readonly attempts: number;
}

export type AccessFormat = "combined" | "json";

/** The access log: lines gathered and written together, so that no request waits for it. */
export class AccessLog {
  private lines: string[] = [];
  private writing = false;
  /** Lines thrown away because standard output did not keep up. */
  dropped = 0;

  constructor(
    private readonly format: AccessFormat,
    private readonly write: (bytes: Uint8Array) => Promise<unknown>,
  ) {}

  add(record: AccessRecord, wallMs: number): void {
    if (this.lines.length >= 10_000) {
      this.dropped++;
      return;
    }
    this.lines.push(this.format === "json" ? jsonLine(record, wallMs) : combined(record, wallMs));
  }

  /** Writes what has gathered. */
  async flush(): Promise<void> {
    if (this.writing || this.lines.length === 0) return;
    this.writing = true;
    const text = this.lines.join("");
    this.lines = [];
    try {
      const bytes = new TextEncoder().encode(text);
      await this.write(bytes);
    } finally {
      this.writing = false;
    }
  }
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** Text that may stand between quotes in a log line: nothing in it can forge one. */
function quoted(text: string): string {
  return text.replace(
    /[^ -~]|["\\]/g,
    (each) => `\\x${each.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`,
  );
}

function combined(record: AccessRecord, wallMs: number): string {
  const time = new Date(wallMs);
  const two = (number: number) => String(number).padStart(2, "0");
  const day = `${two(time.getUTCDate())}/${MONTHS[time.getUTCMonth()]}/${time.getUTCFullYear()}`;
  const hour = `${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${
    two(time.getUTCSeconds())
  }`;
  return `${record.client} - - [${day}:${hour} +0000] ` +
    `"${quoted(record.method)} ${quoted(record.target)} ${record.protocol}" ` +
    `${record.status} ${record.bytesOut} "${quoted(record.referer) || "-"}" ` +
    `"${quoted(record.userAgent) || "-"}"\n`;
}

function jsonLine(record: AccessRecord, wallMs: number): string {
  return `${JSON.stringify({ time: new Date(wallMs).toISOString(), ...record })}\n`;
}

/** What the log wants of a request's head. */
export type Remembered = Pick<
  AccessRecord,
  "method" | "target" | "referer" | "userAgent" | "host"
>;

/**
 * Keeps what the log wants of a head: the buffer is read over before the response ends.
 *
 * @param parsed a bad head has no request line to show
 */
export function remember(bytes: Uint8Array, head: RequestHead, parsed: boolean): Remembered {
  const field = (id: number) => parsed ? fieldValues(bytes, head, id)[0] ?? "" : "";
  return {
    method: parsed ? latin1(bytes, head.start, head.methodEnd) : "",
    target: parsed ? latin1(bytes, head.targetStart, head.targetEnd) : "",
    referer: field(REFERER),
    userAgent: field(USER_AGENT),
    host: field(HOST),
  };
}
