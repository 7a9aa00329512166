// What is new of the replicas here: it gets a version, is saved, and is put into the outbox.

import type { ConductorLink } from "./conductor_link.ts";
import { describeExit, type Stage } from "./life.ts";
import { isListed, type Replica, savedOf, statusOf } from "./replica.ts";
import type { SavedReplica } from "./saved.ts";

/** What was last said of a replica, to tell what is news. */
interface Said {
  readonly status: string;
  readonly saved: string;
}

export class News {
  readonly #touched = new Set<Replica>();
  readonly #said = new Map<string, Said>();

  constructor(
    private readonly stage: Stage,
    private readonly conductor: ConductorLink,
  ) {}

  /** The replica may have changed. */
  touch(replica: Replica): void {
    this.#touched.add(replica);
  }

  /** Nothing more is ever said of it. */
  forget(replica: Replica): void {
    this.#touched.delete(replica);
    this.#said.delete(replica.id);
    this.conductor.told(replica.id);
  }

  /** Notes what changed since the last time; comes back with all that may have. */
  settle(): Replica[] {
    for (const replica of this.#touched) {
      // Between a port's trial and its answer lies no time that anybody could notice.
      if (replica.state.at === "port") continue;
      const said = this.#said.get(replica.id);
      const status = JSON.stringify({ ...statusOf(replica), version: 0, sinceWallMs: 0 });
      if (status !== said?.status) this.#noteStatus(replica, status, said);
      const saved = savedOf(replica);
      const text = JSON.stringify(saved);
      if (text !== this.#said.get(replica.id)?.saved) {
        this.noteSaved(saved);
        this.stage.emit({ do: "save", saved });
      }
    }
    const touched = [...this.#touched];
    this.#touched.clear();
    return touched;
  }

  #noteStatus(replica: Replica, status: string, said: Said | undefined): void {
    const stateBefore = said && said.status !== "" ? JSON.parse(said.status).state : undefined;
    replica.version++;
    if (stateBefore !== statusOf(replica).state) {
      replica.sinceWallMs = this.stage.now.wallMs;
      this.#logState(replica);
    }
    this.#said.set(replica.id, { status, saved: said?.saved ?? "" });
    if (isListed(replica)) this.conductor.tell(replica.id, this.stage.now.monoMs);
  }

  #logState(replica: Replica): void {
    const { state, port, reason, exit } = statusOf(replica);
    const where = state === "ready" && port !== undefined ? ` at port ${port}` : "";
    const why = reason ?? (state === "finished" && exit ? describeExit(exit) : undefined);
    const text = `${replica.id} is ${state}${where}${why === undefined ? "" : `: ${why}`}`;
    const bad = reason !== undefined && replica.exit !== undefined;
    this.stage.emit({ do: "log", level: bad ? "warning" : "info", text });
  }

  /** What is on disk of it now. */
  noteSaved(saved: SavedReplica): void {
    const said = this.#said.get(saved.replica);
    this.#said.set(saved.replica, { status: said?.status ?? "", saved: JSON.stringify(saved) });
  }
}
