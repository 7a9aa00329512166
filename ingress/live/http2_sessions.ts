import type { Connection } from "./connection.ts";
import { type Http2Session, serveHttp2 } from "./http2.ts";
import type { Proxy } from "./proxy.ts";

/** The sessions of HTTP/2 that came by one port. */
export class Http2Sessions {
  private readonly sessions = new Set<Http2Session>();

  constructor(
    private readonly proxy: Proxy,
    private readonly hasRoom: () => boolean,
    private readonly serve: (stream: Connection, address: string) => void,
  ) {}

  /** Speaks HTTP/2 on a connection. */
  open(connection: Connection, address: string): void {
    const { proxy } = this;
    const { headMs, idleMs, bodyMs } = proxy.timeouts;
    const session = serveHttp2(
      connection,
      { headMs, idleMs, writeMs: bodyMs },
      () => proxy.now(),
      this.hasRoom,
      (stream) => this.serve(stream, address),
      () => this.sessions.delete(session),
    );
    this.sessions.add(session);
    if (proxy.draining) session.drain();
  }

  /** Ends what takes too long. */
  check(nowMs: number): void {
    for (const session of this.sessions) session.check(nowMs);
  }

  /** No new streams; each ends with its last. */
  drain(): void {
    for (const session of this.sessions) session.drain();
  }

  destroy(): void {
    for (const session of this.sessions) session.destroy();
  }
}
