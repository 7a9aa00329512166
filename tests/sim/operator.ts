// The operator of the virtual world: signs, sends over a network that loses, and retries.

import { formatOperatorCommand } from "../../core/command.ts";
import { formatSigned } from "../../core/wire.ts";
import { COMMANDS, fakeSignature, type Ground, instant, OPERATOR } from "./hosts.ts";

/** What the operator wants of one app, as far as it has been acknowledged. */
export interface Wish {
  readonly app: string;
  generation: number;
  replicas: number;
  /** Its replicas may only ever run on one node. */
  readonly volume: boolean;
  down: boolean;
}

export class Operator {
  readonly wishes = new Map<string, Wish>();
  readonly #ground: Ground;
  #waiting: { readonly text: string } | null = null;
  readonly #queue: (() => void)[] = [];
  #commands = 0;
  #ports = 0;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** True when everything that was asked has been answered. */
  get idle(): boolean {
    return this.#waiting === null && this.#queue.length === 0;
  }

  up(app: string, replicas: number, volume: boolean): void {
    this.#enqueue(() => {
      const wish = this.wishes.get(app) ??
        { app, generation: 0, replicas, volume, down: true };
      const generation = wish.generation + 1;
      const manifest = manifestOf(wish, replicas, generation);
      const id = this.#id();
      const command = formatOperatorCommand({ verb: "APPLY", id, app, generation, manifest });
      this.#send(command, (reply) => {
        if (!reply.startsWith("OK|")) return this.#ground.witness.tell(`operator: ${reply}`);
        this.wishes.set(app, Object.assign(wish, { generation, replicas, down: false }));
      });
    });
  }

  down(app: string): void {
    this.#enqueue(() => {
      this.#send(formatOperatorCommand({ verb: "DOWN", id: this.#id(), app }), (reply) => {
        const wish = this.wishes.get(app);
        if (reply.startsWith("OK|") && wish) wish.down = true;
      });
    });
  }

  #id(): string {
    return `command-${++this.#commands}`;
  }

  #enqueue(run: () => void): void {
    if (this.idle) run();
    else this.#queue.push(run);
  }

  #send(command: string, answered: (reply: string) => void): void {
    const { wallMs } = instant(this.#ground.timeline);
    const text = `${command}|${Math.floor(wallMs / 1000)}`;
    const waiting = { text };
    this.#waiting = waiting;
    // A port of its own for each command, as the CLI has: a late reply to another is not heard.
    const from = { ...OPERATOR, port: OPERATOR.port + ++this.#ports };
    this.#ground.network.open(from, (reply) => {
      if (this.#waiting !== waiting) return;
      this.#waiting = null;
      answered(reply);
      this.#queue.shift()?.();
    });
    const attempt = () => {
      if (this.#waiting !== waiting) return;
      const age = instant(this.#ground.timeline).wallMs / 1000 - Number(text.split("|").at(-1));
      if (age > 25) {
        // Too old to be taken: signed again under the same id, it is executed once at the most.
        this.#waiting = null;
        return this.#send(command, answered);
      }
      this.#ground.network.send(formatSigned(text, fakeSignature(text)), from, COMMANDS);
      this.#ground.timeline.after(200, attempt);
    };
    attempt();
  }
}

function manifestOf(wish: Wish, replicas: number, generation: number): string {
  return [
    `app ${wish.app}`,
    "  exec /bin/program",
    "  port 8001",
    `  replicas ${replicas}`,
    `  env { VERSION ${generation} }`,
    "  drain 2s",
    "  grace 1s",
    ...(wish.volume ? ["  volume { path data; env DATA }"] : []),
    "  health { check GET /health 200; interval 1s; timeout 500ms; retries 3 }",
    `  route { path /${wish.app} }`,
    "",
  ].join("\n");
}
