import { toBytes } from "../../core/bytes.ts";
import { Failure } from "../../core/errors.ts";
import { shellWord } from "../../core/shell.ts";
import { sizeContent } from "../../core/stream/frames.ts";
import type { Context } from "../command.ts";
import { type OpenStream, streamsOf } from "../stream.ts";

/** What a program that was interrupted exits with. */
const INTERRUPTED = 130;

/**
 * Runs a command beside a replica: its output as it comes, our input for it, and its exit code. What
 * is signed is the command line; everything else goes through a stream that only the node can read.
 */
export async function run({ arguments: args }: Context): Promise<number> {
  const [named = "", ...words] = args.positional;
  const wantsTty = args.has("tty");
  if (wantsTty && !Deno.stdin.isTerminal()) {
    throw new Failure("usage", "-t needs a terminal on standard input; leave it out in scripts");
  }
  const line = words.length === 1 ? words[0]! : words.map(shellWord).join(" ");
  const streams = await streamsOf(args);
  const stream = await streams.open(named, {
    kind: "exec",
    line,
    ...(wantsTty ? { tty: { ...size(), term: Deno.env.get("TERM") ?? "" } } : {}),
  });
  using _terminal = wantsTty ? rawTerminal(stream) : interrupts(stream);
  const readsInput = wantsTty || args.has("stdin") || !Deno.stdin.isTerminal();
  if (readsInput) {
    // Whoever does not read his input to the end has heard enough of it.
    Deno.stdin.readable.pipeTo(stream.data.writable, { preventCancel: true }).catch(() => {});
  } else {
    stream.data.writable.close().catch(() => {});
  }
  const outputs = [
    show(stream.data.readable, Deno.stdout),
    show(stream.errors.readable, Deno.stderr),
  ];
  const written = Promise.all(outputs);
  // Whoever reads our output may go before the command ends: then we do, too.
  const exit = await Promise.race([stream.exit, written.then(() => stream.exit)])
    .catch(async (error) => {
      if (error instanceof Failure) await Promise.allSettled(outputs);
      throw error;
    });
  await written;
  stream.link.close();
  if (exit.error !== undefined) throw new Failure("exec", exit.error);
  return exit.code;
}

/** Writes what comes, as it is. */
async function show(
  from: ReadableStream<Uint8Array>,
  to: { write(bytes: Uint8Array): Promise<number> },
): Promise<void> {
  try {
    for await (const chunk of from) {
      for (let at = 0; at < chunk.length;) at += await to.write(chunk.subarray(at));
    }
  } catch (error) {
    // A stream that broke off is told by its exit; a reader of ours that is gone ends us.
    if (error instanceof Deno.errors.BrokenPipe) throw error;
  }
}

function size(): { readonly columns: number; readonly rows: number } {
  try {
    const { columns, rows } = Deno.consoleSize();
    return { columns: columns || 80, rows: rows || 24 };
  } catch {
    return { columns: 80, rows: 24 };
  }
}

/** Every key goes there; the size of the window, too. */
function rawTerminal({ link }: OpenStream): Disposable {
  const resized = () => link.send("size", 0, sizeContent(size()));
  Deno.stdin.setRaw(true);
  Deno.addSignalListener("SIGWINCH", resized);
  return {
    [Symbol.dispose]() {
      Deno.removeSignalListener("SIGWINCH", resized);
      Deno.stdin.setRaw(false);
    },
  };
}

/** The first Ctrl-C goes to the command, the second ends us, and so the command, too. */
function interrupts({ link }: OpenStream): Disposable {
  let asked = false;
  const passOn = (signal: Deno.Signal) => () => {
    if (asked) Deno.exit(INTERRUPTED);
    asked = true;
    link.send("signal", 0, toBytes(signal));
  };
  const listeners = (["SIGINT", "SIGTERM"] as const).map((signal) => {
    const listener = passOn(signal);
    Deno.addSignalListener(signal, listener);
    return () => Deno.removeSignalListener(signal, listener);
  });
  return { [Symbol.dispose]: () => listeners.forEach((remove) => remove()) };
}
