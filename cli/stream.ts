// Streams to replicas, as the CLI opens them: the request signed, its key made, its answer read.

import { textToBase64, toText } from "../core/bytes.ts";
import { Failure } from "../core/errors.ts";
import { createKem, nodeAead } from "../core/live/seal_primitives.ts";
import { type Duplex, StreamLink } from "../core/live/stream_link.ts";
import type { MessageSocket } from "../core/live/sealed_http.ts";
import { StreamCipher } from "../core/seal/stream.ts";
import { integer, maybe, parseShaped, struct, text } from "../core/shape.ts";
import type { StreamDetails } from "../core/stream/details.ts";
import { type ExitFrame, exitOf, type Frame } from "../core/stream/frames.ts";
import { streamKeys } from "../core/stream/keys.ts";
import type { AppView, ReplicaView } from "../core/view.ts";
import type { Arguments } from "./arguments.ts";
import { type Conductor, conductorAt } from "./conductor.ts";
import { keyPathOf, openSigner } from "./keys.ts";
import { sealedStream } from "./sealed.ts";
import { commandId, parseReply, refusal, signCommand } from "./send.ts";
import { type Target, targetOf } from "./target.ts";

/** Signed anew as often, where the node was started in the very second before, each time after this. */
const TRIES = 3;
const AGAIN_MS = 1_100;

const answerShape = struct({
  error: maybe(text(4_000)),
  status: maybe(integer(200, 599)),
  ciphertext: maybe(text(1_452)),
  node: maybe(text(200)),
});

/** Details without the stream's key, which is made when it is opened. */
type Wanted<D = StreamDetails> = D extends StreamDetails ? Omit<D, "key"> : never;

/** An open stream. */
export interface OpenStream {
  readonly link: StreamLink;
  /** Standard input and output, or the archive; standard error. */
  readonly data: Duplex;
  readonly errors: Duplex;
  readonly replica: string;
  readonly node: string;
  /** How it ended; fails where it broke off before that was told. */
  readonly exit: Promise<ExitFrame>;
}

/** Of an app its replica that is ready; `APP/REPLICA`: the one of this number or id. */
export async function findReplica(conductor: Conductor, named: string): Promise<ReplicaView> {
  const [app = "", which] = named.split("/");
  const view = await conductor.get<AppView>(`/api/apps/${encodeURIComponent(app)}`);
  const running = view.replicas.filter(({ pid }) => pid !== undefined);
  const found = which === undefined
    ? running.find(({ state }) => state === "ready") ?? running[0]
    : running.find(({ replica }) => replica === which) ??
      running.find(({ index }) => String(index) === which);
  if (found) return found;
  const known = view.replicas.map(({ index, state }) => `${index} ${state}`).join(", ");
  throw new Failure(
    "not-running",
    which === undefined
      ? `no replica of ${app} runs now; skr8tr why ${app} says why`
      : `no replica ${which} of ${app} runs now (${known === "" ? "it has none" : known})`,
  );
}

/** Whom the arguments of a command mean. */
export interface Streams {
  readonly target: Target;
  readonly conductor: Conductor;
  /**
   * Opens a stream.
   *
   * @throws {Failure} `unauthorized`, `refused`, `unreachable`, `not-found`, `not-running`.
   */
  open(named: string, wanted: Wanted): Promise<OpenStream>;
}

export async function streamsOf(args: Arguments): Promise<Streams> {
  const target = targetOf(args);
  const keyPath = keyPathOf(args);
  const conductor = conductorAt(target.conductor, target.timeoutMs);
  const [signer, kem] = await Promise.all([openSigner(keyPath), createKem()]);
  const once = async (named: string, wanted: Wanted) => {
    const { replica } = await findReplica(conductor, named);
    const [app = ""] = named.split("/");
    const [own] = await kem.perform([{ op: "keygen" }]) ?? [];
    const { publicKey, secret } = own as { publicKey: Uint8Array; secret: unknown };
    const { kind, ...details } = wanted;
    const json = JSON.stringify({ ...details, key: publicKey.toBase64() });
    const signed = await signCommand(signer, {
      verb: "OPEN",
      id: commandId(),
      kind,
      app,
      replica,
      details: textToBase64(json),
    });
    const socket = await sealedStream(target.conductor, "/stream", target.timeoutMs);
    const early: unknown[] = [];
    const answer = await ask(socket, signed, early, target.timeoutMs);
    if (answer.ciphertext === undefined) return answer;
    const ciphertext = Uint8Array.fromBase64(answer.ciphertext);
    const [answered] = await kem.perform([{ op: "decapsulate", secret, ciphertext }]) ?? [];
    if (!answered || !("shared" in answered)) {
      throw new Failure("seal", "the node's answer is damaged");
    }
    const signedText = signed.slice(0, signed.lastIndexOf("|"));
    const keys = streamKeys(nodeAead, "operator", signedText, {
      ciphertext,
      shared: answered.shared,
    });
    const cipher = new StreamCipher(nodeAead, keys);
    const stream = linked(socket, cipher, replica, answer.node ?? "its node");
    stream.link.begin(early);
    return stream;
  };
  return {
    target,
    conductor,
    async open(named, wanted) {
      for (let tries = 1;; tries++) {
        const opened = await once(named, wanted);
        if ("link" in opened) return opened;
        if (opened.status !== 425 || tries === TRIES) throw refused(opened, keyPath);
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    },
  };
}

function linked(
  socket: MessageSocket,
  cipher: StreamCipher,
  replica: string,
  node: string,
): OpenStream {
  const { promise: exit, resolve, reject } = Promise.withResolvers<ExitFrame>();
  exit.catch(() => {});
  const control = (frame: Frame) => {
    const told = frame.kind === "exit" ? exitOf(frame) : null;
    if (told) resolve(told);
  };
  const link = new StreamLink({ socket, cipher, control, watches: true });
  link.over.then((reason) =>
    reject(
      new Failure(
        "broke-off",
        `the stream to ${replica} on ${node} broke off: ` +
          `${reason === "" ? "the conductor is not there any more" : reason}. ` +
          "What was begun there has been ended",
      ),
    )
  );
  return { link, data: link.channel(0), errors: link.channel(1), replica, node, exit };
}

/** Sends the request and reads the answer to it; what comes behind that waits in `early`. */
async function ask(socket: MessageSocket, signed: string, early: unknown[], timeoutMs: number) {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const fail = (why: string) => reject(new Failure("unreachable", why));
  // A node may have to wait for the log, and a conductor for a node.
  const waitMs = timeoutMs + 15_000;
  const timer = setTimeout(() => fail(`no answer for ${waitMs} ms`), waitMs);
  const send = () => socket.send(new TextEncoder().encode(signed));
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    socket.onmessage = ({ data }) => early.push(data);
    resolve(new Uint8Array(data));
  };
  socket.onerror = (event) => event.preventDefault();
  socket.onclose = ({ reason }) =>
    fail(
      reason !== ""
        ? reason
        : "the conductor does not answer a request for a stream: it may not know you, or be older",
    );
  if (socket.readyState === 1) send();
  else socket.onopen = send;
  try {
    const answer = parseShaped(answerShape, toText(await promise) ?? "");
    if (answer) return answer;
    throw new Failure("not-http", "the conductor's answer to a request for a stream is malformed");
  } catch (error) {
    socket.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function refused(answer: { readonly error?: string | undefined }, keyPath: string): Failure {
  const reply = parseReply(answer.error ?? "");
  if (!reply.ok) return refusal(reply, keyPath);
  return new Failure("refused", `refused: ${answer.error}`);
}
