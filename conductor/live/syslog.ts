// Sending the audit to a syslog server over UDP, TCP or TLS.

import { isAddress } from "../../core/address.ts";
import { Failure } from "../../core/errors.ts";
import { SYSLOG_QUEUE, SYSLOG_RETRY_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import type { AuditView } from "../../core/view.ts";
import { framed, syslogHost, syslogMessage } from "../trust/syslog.ts";

export interface SyslogTarget {
  readonly by: "udp" | "tcp" | "tls";
  readonly hostname: string;
  readonly port: number;
  /** Certificates (PEM) that the server's is checked by, in place of the system's. */
  readonly caCerts?: readonly string[];
}

/** Reads `udp://HOST[:514]`, `tcp://HOST[:601]` or `tls://HOST[:6514]`. @throws {Failure} `usage`. */
export function parseSyslogTarget(text: string): SyslogTarget {
  const match = /^(udp|tcp|tls):\/\/(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?$/.exec(
    text,
  );
  const by = match?.[1] as SyslogTarget["by"] | undefined;
  const port = Number(match?.[3] ?? (by === "udp" ? 514 : by === "tcp" ? 601 : 6_514));
  if (!match || !by || port < 1 || port > 65_535) {
    throw new Failure("usage", `--syslog needs udp://, tcp:// or tls://HOST[:PORT], not ${text}`);
  }
  return { by, hostname: match[2]!.replace(/^\[|\]$/g, ""), port };
}

const encoder = new TextEncoder();
const log = () => logger("syslog");

/** A way to a syslog server. What it does not take waits, up to a bound; then the oldest goes. */
export class SyslogSender implements AsyncDisposable {
  readonly #target: SyslogTarget;
  readonly #host: string;
  readonly #queue: Uint8Array[] = [];
  #connection: Deno.TcpConn | Deno.TlsConn | null = null;
  #socket: Deno.DatagramConn | null = null;
  #sending: Promise<void> | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #failing = false;
  #closed = false;
  /** Lines that were given up. */
  dropped = 0;

  constructor(target: SyslogTarget, host: string) {
    this.#target = target;
    this.#host = syslogHost(host);
  }

  send(view: AuditView): void {
    if (this.#closed) return;
    this.#queue.push(encoder.encode(syslogMessage(view, this.#host)));
    if (this.#queue.length > SYSLOG_QUEUE) {
      this.#queue.shift();
      this.dropped++;
    }
    this.#start();
  }

  #start(): void {
    if (this.#retry !== undefined) return;
    this.#sending ??= this.#drain().finally(() => this.#sending = null);
  }

  async #drain(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        await this.#write(this.#queue[0]!);
        this.#queue.shift();
      }
      this.#failing = false;
    } catch (error) {
      this.#hangUp();
      if (this.#closed) return;
      if (!this.#failing) {
        log().warn("the syslog server is not reached: {error}", { error: String(error) });
      }
      this.#failing = true;
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        this.#start();
      }, SYSLOG_RETRY_MS);
      Deno.unrefTimer(this.#retry);
    }
  }

  async #write(message: Uint8Array): Promise<void> {
    const { by, hostname, port, caCerts } = this.#target;
    if (by === "udp") {
      const any = isAddress(hostname) && hostname.includes(":")
        ? "::"
        : hostname.startsWith("127.")
        ? hostname
        : "0.0.0.0";
      this.#socket ??= Deno.listenDatagram({ transport: "udp", hostname: any, port: 0 });
      await this.#socket.send(message, { transport: "udp", hostname, port });
      return;
    }
    this.#connection ??= by === "tcp"
      ? await Deno.connect({ hostname, port })
      : await Deno.connectTls({ hostname, port, ...(caCerts ? { caCerts: [...caCerts] } : {}) });
    const bytes = framed(message);
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  #hangUp(): void {
    for (const each of [this.#connection, this.#socket]) {
      try {
        each?.close();
      } catch {
        // The other end was first.
      }
    }
    this.#connection = null;
    this.#socket = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#retry);
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, 500);
    await Promise.race([this.#sending, late.promise]);
    clearTimeout(timer);
    this.#closed = true;
    this.#hangUp();
    await this.#sending?.catch(() => {});
  }
}
