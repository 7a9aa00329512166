import { Failure } from "../../core/errors.ts";
import { type Context, DONE } from "../command.ts";
import { type Copied, lookThrough, pack, type Source, unpack } from "../copying.ts";
import { copyProgress } from "../render/copy.ts";
import { streamsOf } from "../stream.ts";

/** `APP[/REPLICA]:PATH`; a path of this machine that looks like one is written `./app:x`. */
const REMOTE = /^([a-z][a-z0-9-]{0,62}(?:\/[A-Za-z0-9][A-Za-z0-9._-]*)?):(.*)$/s;

interface Remote {
  readonly named: string;
  readonly path: string;
}

/** What was copied from where to where. */
interface Result extends Copied {
  readonly from: string;
  readonly to: string;
  readonly replica: string;
  readonly node: string;
}

/** Copies a file or folder to a replica, or from one. */
export async function run(context: Context): Promise<number> {
  const { arguments: args, output } = context;
  const [from = "", to = ""] = args.positional;
  const [source, target] = [remoteOf(from), remoteOf(to)];
  if ((source === null) === (target === null)) {
    throw new Failure(
      "usage",
      "skr8tr cp needs a path of this machine and one of a replica, APP:PATH (./a:b is a local path)",
    );
  }
  const result = target ? await copyIn(context, from, target) : await copyOut(context, source!, to);
  for (const each of result.left) output.note(`left out: ${each}`);
  if (args.has("json")) output.print(JSON.stringify(result));
  else {
    const files = `${result.files} ${result.files === 1 ? "file" : "files"}`;
    output.note(`${files}, ${megabytes(result.bytes)}: ${result.from} -> ${result.to}`);
  }
  return DONE;
}

async function copyIn(
  { arguments: args, output }: Context,
  path: string,
  { named, path: there }: Remote,
): Promise<Result> {
  const local: Source = await lookThrough(path);
  const streams = await streamsOf(args);
  const name = lastPart(await Deno.realPath(path));
  const { data, errors, link, exit, replica, node } = await streams.open(named, {
    kind: "copy",
    way: "in",
    path: there === "" ? "." : there,
    name,
    ...(local.isFolder ? { isFolder: true } : {}),
  });
  errors.readable.cancel().catch(() => {});
  const progress = copyProgress(output, name, local.bytes);
  const sent = pack(local, progress.more).pipeTo(data.writable);
  sent.catch(() => {});
  try {
    // The other side says best why it takes no more; what failed here ends it there, too.
    const ended = await Promise.race([exit, sent.then(() => exit)]);
    if (ended.error !== undefined) throw new Failure("copy", ended.error);
    await sent;
  } finally {
    progress.end();
    link.close();
  }
  const files = local.found.filter(({ stat }) => stat.isFile).length;
  const copied: Copied = { files, bytes: local.bytes, left: local.left };
  return { ...copied, from: path, to: `${replica}:${there}`, replica, node };
}

async function copyOut(
  { arguments: args, output }: Context,
  { named, path: there }: Remote,
  path: string,
): Promise<Result> {
  if (there === "") throw new Failure("usage", `skr8tr cp needs a path behind ${named}:`);
  const name = lastPart(there);
  const final = await placeFor(path, name);
  const streams = await streamsOf(args);
  const { data, errors, link, exit, replica, node } = await streams.open(named, {
    kind: "copy",
    way: "out",
    path: there,
  });
  data.writable.close().catch(() => {});
  using _interrupted = onInterrupt(() => link.close("interrupted"));
  const progress = copyProgress(output, name, 0);
  sizeIn(errors.readable, progress.all).catch(() => {});
  const whole = exit.then(({ error }) => {
    if (error !== undefined) throw new Failure("copy", error);
  });
  whole.catch(() => {});
  try {
    const copied = await unpack(data.readable, final, progress.more, whole);
    return { ...copied, from: `${replica}:${there}`, to: final, replica, node };
  } catch (error) {
    // Where it ended badly over there, that is the reason; what is wrong here is told at once.
    if (!(error instanceof Failure)) await whole;
    throw error;
  } finally {
    progress.end();
    link.close();
  }
}

/** What has been begun on this machine is taken away before we end. */
function onInterrupt(act: () => void): Disposable {
  Deno.addSignalListener("SIGINT", act);
  Deno.addSignalListener("SIGTERM", act);
  return {
    [Symbol.dispose]() {
      Deno.removeSignalListener("SIGINT", act);
      Deno.removeSignalListener("SIGTERM", act);
    },
  };
}

function remoteOf(word: string): Remote | null {
  const [, named, path] = REMOTE.exec(word) ?? [];
  return named === undefined || path === undefined ? null : { named, path };
}

function lastPart(path: string): string {
  const name = path.replace(/\/+$/, "").split("/").at(-1) ?? "";
  return name === "" || name === "." || name === ".." ? "copy" : name;
}

/** Where a copy goes on this machine. @throws {Failure} `exists` */
async function placeFor(path: string, name: string): Promise<string> {
  const kind = async (at: string) => {
    try {
      const { isDirectory } = await Deno.stat(at);
      return isDirectory ? "folder" : "file";
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
  };
  const isFolder = await kind(path) === "folder";
  if (!isFolder && path.endsWith("/")) throw new Failure("no-file", `${path} is no folder`);
  const final = isFolder ? `${path.replace(/(.)\/+$/, "$1")}/${name}` : path;
  if (await kind(final) !== "folder") return final;
  throw new Failure("exists", `${final} is there already; remove it, or choose another name`);
}

/** Reads how much will come, in KiB, which the node says first. */
async function sizeIn(
  told: ReadableStream<Uint8Array>,
  all: (bytes: number) => void,
): Promise<void> {
  let text = "";
  for await (const part of told.pipeThrough(new TextDecoderStream() as never)) {
    text = (text + part).slice(0, 1_000);
    const [, size] = /^size ([0-9]{1,15})\n/.exec(text) ?? [];
    if (size !== undefined) all(Number(size) * 1024);
  }
}

function megabytes(bytes: number): string {
  return bytes < 100_000 ? `${bytes} B` : `${(bytes / 1e6).toFixed(1)} MB`;
}
