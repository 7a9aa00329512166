// What the live tests share: an operator with real keys, and a conductor in a folder of its own.

import { answerTo, commandIdOf } from "../../core/command.ts";
import { randomHex } from "../../core/live/clock.ts";
import { keyPairFromSeed, sign } from "../../core/sign.ts";
import { fingerprint } from "../../core/signed.ts";
import { formatSigned } from "../../core/wire.ts";
import { startConductor } from "./conductor.ts";
import type { ConductorSettings, RunningConductor } from "./settings.ts";

export const keys = keyPairFromSeed(new Uint8Array(32).fill(7));
export const operators = new Map([[fingerprint(keys.publicKey), keys.publicKey]]);

/** A command signed now. */
export function signed(command: string, unixS = Math.floor(Date.now() / 1000)): string {
  const text = `${command}|${unixS}`;
  return formatSigned(text, sign(keys.secretKey, text));
}

let applied = 0;

/** A signed APPLY of a generation of an app of this name. */
export function apply(app: string, generation = 1): string {
  const manifest = btoa(`app ${app} {\n  exec /bin/service\n}\n`);
  const id = `live-${String(++applied).padStart(6, "0")}`;
  return signed(`APPLY|${id}|${app}|${generation}|-|${manifest}`);
}

export async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "conductor-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Starts a conductor on ports of its own; 127.0.0.9:1 is nobody's tower. */
export async function start(
  state: string,
  settings: Partial<ConductorSettings> = {},
): Promise<RunningConductor> {
  return await startConductor({
    bind: "127.0.0.9",
    port: 0,
    meshPort: 0,
    state,
    operators,
    tower: { hostname: "127.0.0.9", port: 1 },
    plain: [],
    ...settings,
  });
}

export async function withConductor(
  work: (conductor: RunningConductor, url: string, folder: string) => Promise<void>,
  settings: Partial<ConductorSettings> = {},
): Promise<void> {
  await withFolder(async (folder) => {
    const conductor = await start(folder, settings);
    const { hostname, port } = conductor.commands;
    try {
      await work(conductor, `http://${hostname}:${port}`, folder);
    } finally {
      await conductor.stop("the test is over");
    }
  });
}

/** Posts a command over TCP. */
export async function post(url: string, text: string): Promise<string> {
  const response = await fetch(`${url}/command`, {
    method: "POST",
    body: text,
    signal: AbortSignal.timeout(5_000),
  });
  return (await response.text()).trimEnd();
}

/** A UDP client that asks and waits for the answer, as the CLI knows it, at most `deadlineMs`. */
export class UdpClient implements Disposable {
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.9", port: 0 });

  async send(bytes: Uint8Array, to: { hostname: string; port: number }): Promise<void> {
    await this.#socket.send(bytes, { transport: "udp", ...to });
  }

  async ask(
    text: string,
    to: { hostname: string; port: number },
    deadlineMs = 5_000,
  ): Promise<string> {
    await this.send(new TextEncoder().encode(text), to);
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error("no answer in time")), deadlineMs);
    try {
      const [bytes] = await Promise.race([
        this.#socket.receive(new Uint8Array(65_536)),
        late.promise,
      ]);
      const answer = new TextDecoder().decode(bytes);
      const id = commandIdOf(text);
      if (id === null) return answer;
      return answerTo(id, answer) ?? `not the answer to ${id}: ${answer}`;
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

export const id = () => randomHex(12);
