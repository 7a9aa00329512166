// A command beside a replica whose input, output and errors go through a stream.

import type { ExecDetails } from "../../core/stream/details.ts";
import { exitContent, type ExitFrame, type Frame, sizeOf } from "../../core/stream/frames.ts";
import { STREAM_GRACE_MS } from "../../core/limits.ts";
import { toText } from "../../core/bytes.ts";
import { StreamLink } from "../../core/live/stream_link.ts";
import { endGroup, spawnBeside } from "./beside.ts";
import type { Begun, StreamParts } from "./streams.ts";

/** What may be sent to the command. */
const SIGNALS: readonly string[] = [
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
];

/** How long nothing may come of a command that has ended, and how often that is looked at, in ms. */
const DRAIN_MS = 1_000;
const LOOK_MS = 100;

/** Runs the command to its end, or to the end of the stream, whichever comes first. */
export async function serveExec(
  parts: StreamParts,
  { opened, socket, cipher, details }: Begun & { readonly details: ExecDetails },
  begin: () => void,
): Promise<void> {
  const { processes } = parts;
  const { replica, plan } = opened;
  const { tty, line } = details;
  let terminal: Terminal | null = null;
  let group = 0;
  const control = (frame: Frame) => {
    if (frame.kind === "size") terminal?.resize(sizeOf(frame));
    if (frame.kind !== "signal") return;
    const signal = toText(frame.content) ?? "";
    if (group > 0 && SIGNALS.includes(signal)) endGroup(group, signal as Deno.Signal);
  };
  const link = new StreamLink({ socket, cipher, control });
  const [io, errors] = [link.channel(0), link.channel(1)];
  link.begin();
  begin();
  const finish = (exit: ExitFrame) => link.exit(exitContent(exit));
  if (tty && (await parts.helper.find(parts.path, "script"))?.state !== "ok") {
    const error =
      `${parts.name} has no script(1), which makes pseudo-terminals (Debian: bsdutils);` +
      " leave -t out";
    return finish({ code: 126, error });
  }
  let child: Deno.ChildProcess;
  try {
    const words = ["/bin/sh", "-c", line];
    child = await spawnBeside(processes, replica, plan, {
      words,
      stdin: "piped",
      ...(tty ? { tty } : {}),
    });
  } catch (error) {
    return finish({ code: 126, error: (error as Error).message });
  }
  group = child.pid;
  const end = async () => {
    const leader = terminal?.leader ?? 0;
    for (const each of [group, leader]) if (each > 0) endGroup(each, "SIGHUP");
    await Promise.race([child.status, wait(STREAM_GRACE_MS)]);
    for (const each of [group, leader]) if (each > 0) endGroup(each, "SIGKILL");
  };
  const gone = link.over.then(() => end());
  // Input ends by itself, or when nobody reads it any more.
  io.readable.pipeTo(child.stdin).catch(() => {});
  const outputs = [new Pump(child.stdout, io.writable)];
  if (tty) {
    terminal = new Terminal(child.stderr);
    errors.writable.close().catch(() => {});
  } else {
    outputs.push(new Pump(child.stderr, errors.writable));
  }
  const status = await child.status;
  // Others of its group may hold the outputs open; what has left the group may not keep us waiting.
  endGroup(group, "SIGKILL");
  await Promise.race([Promise.all(outputs.map((each) => each.drained())), gone]);
  group = 0;
  await finish({ code: status.code });
  await gone;
}

/** An output of the command on its way. */
class Pump {
  readonly #ended: Promise<void>;
  #waitsForOutput = true;

  constructor(from: ReadableStream<Uint8Array>, to: WritableStream<Uint8Array>) {
    this.#ended = this.#run(from, to).catch(() => {});
  }

  async #run(from: ReadableStream<Uint8Array>, to: WritableStream<Uint8Array>): Promise<void> {
    const writer = to.getWriter();
    for await (const chunk of from) {
      this.#waitsForOutput = false;
      await writer.write(chunk);
      this.#waitsForOutput = true;
    }
    await writer.close();
  }

  /**
   * Resolves when all is sent that was written before the command's end, however slowly it is read.
   * Whoever has left the command's group may hold the output open, and is not waited for.
   */
  async drained(): Promise<void> {
    for (let quietMs = 0; quietMs < DRAIN_MS;) {
      const isOver = await Promise.race([this.#ended.then(() => true), wait(LOOK_MS)]);
      if (isOver) return;
      quietMs = this.#waitsForOutput ? quietMs + LOOK_MS : 0;
    }
  }
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, ms)));
}

/** The pseudo-terminal that script(1) has made. */
class Terminal {
  /** Who leads its session; 0 until that is known. */
  leader = 0;
  #path = "";

  constructor(told: ReadableStream<Uint8Array>) {
    this.#read(told).catch(() => {});
  }

  async #read(told: ReadableStream<Uint8Array>): Promise<void> {
    let text = "";
    for await (const part of told.pipeThrough(new TextDecoderStream())) {
      if (this.#path !== "") continue;
      text = (text + part).slice(0, 1_000);
      const [, leader, path] = /^([0-9]+) (\/dev\/\S+)\n/.exec(text) ?? [];
      if (path === undefined) continue;
      this.leader = Number(leader);
      this.#path = path;
    }
  }

  /** Tells the programs on it of a new size, too. */
  resize(size: { readonly columns: number; readonly rows: number } | null): void {
    if (this.#path === "" || size === null) return;
    const { rows, columns } = size;
    new Deno.Command("stty", {
      args: ["-F", this.#path, "rows", String(rows), "cols", String(columns)],
      env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn().unref();
  }
}
