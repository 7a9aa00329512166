// A sealed connection between two daemons, or a CLI and its conductor: records over a WebSocket whose
// frames are sealed, set up by the handshake of the mesh. docs/SEAL.md says what goes over it.

import { Failure } from "../errors.ts";
import { type Encapsulated, Initiator, Responder } from "../seal/pqik.ts";
import type { KemAnswer, Peer } from "../seal/primitives.ts";
import { readRecord, recordOf, StreamCipher } from "../seal/stream.ts";
import { SEAL_HANDSHAKE_MS, SEAL_PAYLOAD_BYTES } from "../limits.ts";
import type { SealKeys } from "./seal_keys.ts";
import { nodeAead, openBulk, sealBulk } from "./seal_primitives.ts";

/** From so many bytes on a record is sealed and opened by what is faster, and answers later. */
const BULK_BYTES = 8_192;

/** `WebSocket.OPEN`, without loading it. */
const OPEN = 1;

/** Both sides of one connection, once it is sealed. */
export interface Channel {
  send(kind: number, content: Uint8Array): void;
  /** Hears every record from now on, in order. */
  onRecord: (kind: number, content: Uint8Array) => void;
  /** Hears once of the end, by whichever side. */
  onEnd: (code: number, reason: string) => void;
  readonly bufferedAmount: number;
  close(code?: number, reason?: string): void;
}

function channelOver(socket: WebSocket, cipher: StreamCipher): Channel {
  let waiting: { readonly kind: number; readonly content: Uint8Array }[] = [];
  let hear: Channel["onRecord"] | null = null;
  const [out, incoming] = [new InOrder(), new InOrder()];
  let sealing = 0;
  const send = (sealed: Uint8Array) => {
    if (socket.readyState === OPEN) socket.send(sealed as Uint8Array<ArrayBuffer>);
  };
  const take = (record: ReturnType<typeof readRecord>) => {
    // Somebody in between has touched it: nothing on this connection is to be believed any more.
    if (record === null) return socket.close(3400, "not sealed");
    if (hear) hear(record.kind, record.content);
    else waiting.push(record);
  };
  const channel: Channel = {
    send(kind, content) {
      if (socket.readyState !== OPEN) return;
      if (content.length < BULK_BYTES) {
        const sealed = cipher.seal(kind, content);
        return out.then(() => send(sealed));
      }
      const { key, counter } = cipher.sealTurn();
      sealing += content.length;
      out.then(
        sealBulk(key, counter, recordOf(kind, content)).then((sealed) => () => {
          sealing -= content.length;
          send(sealed);
        }),
      );
    },
    get onRecord() {
      return hear ?? (() => {});
    },
    set onRecord(listener) {
      hear = listener;
      for (const { kind, content } of waiting.splice(0)) listener(kind, content);
    },
    onEnd: () => {},
    get bufferedAmount() {
      return socket.bufferedAmount + sealing;
    },
    close(code = 1000, reason = "") {
      // Codes of the protocol itself may not be sent by an application (RFC 6455, 7.4.1).
      out.then(() => socket.close(code === 1000 || code >= 3000 ? code : 3000 + code, reason));
    },
  };
  socket.onmessage = ({ data }) => {
    if (!(data instanceof ArrayBuffer)) return take(null);
    const sealed = new Uint8Array(data);
    if (sealed.length < BULK_BYTES) {
      const record = cipher.open(sealed);
      return incoming.then(() => take(record));
    }
    const { key, counter } = cipher.openTurn();
    incoming.then(
      openBulk(key, counter, sealed).then((opened) => () => take(readRecord(opened))),
    );
  };
  socket.onclose = ({ code, reason }) =>
    incoming.then(() => {
      waiting = [];
      channel.onEnd(code, reason);
    });
  return channel;
}

/** Does things in the order in which they were handed in, though some are known only later. */
class InOrder {
  #last: Promise<void> | null = null;

  then(act: (() => void) | Promise<() => void>): void {
    if (this.#last === null && typeof act === "function") return act();
    const mine: Promise<void> = Promise.all([act, this.#last]).then(([act]) => {
      if (this.#last === mine) this.#last = null;
      act();
    });
    this.#last = mine;
  }
}

/** The next message of a socket that is still in its handshake. */
function firstMessage(socket: WebSocket): Promise<Uint8Array> {
  let open = socket.readyState === OPEN;
  socket.addEventListener("open", () => open = true);
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer);
      socket.close();
      reject(new Failure("seal", why));
    };
    const timer = setTimeout(() => fail("no sealed session: no answer"), SEAL_HANDSHAKE_MS);
    socket.onerror = (event) => event.preventDefault();
    socket.onclose = () => fail(open ? "no sealed session: refused" : "no answer");
    socket.onmessage = ({ data }) => {
      clearTimeout(timer);
      if (data instanceof ArrayBuffer) resolve(new Uint8Array(data));
      else fail("no sealed session: not a handshake");
    };
  });
}

/** What of a daemon's keys a connection needs. */
export type ChannelKeys = Pick<SealKeys, "kem" | "staticKey" | "secret">;

/**
 * Dials a sealed connection.
 *
 * @param options.responder static key of whom is dialled: nobody else can answer
 * @param options.payload what the other side needs to know who we are, if our key is not enough
 * @throws {Failure} `seal` (rejection) where it does not come about.
 */
export async function dialSealed(
  url: string,
  options: {
    readonly keys: ChannelKeys;
    readonly responder: Uint8Array;
    readonly payload?: Uint8Array;
    /** In place of `new WebSocket`. */
    readonly open?: (url: string) => WebSocket;
    /**
     * Makes no key before the connection is there. That costs a millisecond where it comes about, and
     * saves several where it does not: for whoever dials many that may be away.
     */
    readonly connectFirst?: boolean;
  },
): Promise<Channel> {
  const { keys, responder, payload = new Uint8Array() } = options;
  const socket = options.open?.(url) ?? new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const answer = firstMessage(socket);
  answer.catch(() => {});
  const opened = new Promise<void>((resolve) => socket.onopen = () => resolve());
  if (options.connectFirst) await Promise.race([opened, answer]);
  const answers = await keys.kem.perform([
    { op: "keygen" },
    { op: "encapsulate", publicKey: responder },
  ]);
  if (answers === null) throw new Failure("seal", "the static key of the other side is malformed");
  const [own, encapsulated] = answers as [{ publicKey: Uint8Array; secret: unknown }, KemAnswer];
  const { handshake, message } = Initiator.write({
    aead: nodeAead,
    staticKey: keys.staticKey,
    responder,
    encapsulated: encapsulated as Encapsulated,
    ephemeral: own.publicKey,
    payload,
  });
  await Promise.race([opened, answer]);
  if (socket.readyState === OPEN) socket.send(message as Uint8Array<ArrayBuffer>);
  const second = await answer;
  const forged = () => {
    socket.close();
    return new Failure("seal", "no sealed session: the other side does not hold the key it should");
  };
  const ciphertext = Initiator.ephemeralOf(second);
  if (ciphertext === null) throw forged();
  const toEphemeral = await decapsulate(keys, own.secret, ciphertext);
  const read = toEphemeral && handshake.read(second, toEphemeral);
  const toStatic = read && await decapsulate(keys, keys.secret, read.ciphertext);
  const finished = toStatic && read.finish(toStatic);
  if (!finished) throw forged();
  return channelOver(socket, new StreamCipher(nodeAead, finished.keys));
}

async function decapsulate(
  { kem }: Pick<SealKeys, "kem">,
  secret: unknown,
  ciphertext: Uint8Array,
): Promise<Uint8Array | null> {
  const answers = await kem.perform([{ op: "decapsulate", secret, ciphertext }]);
  const [answer] = answers ?? [];
  return answer && "shared" in answer ? answer.shared : null;
}

/** Who is at the other end of a connection that was accepted. */
export interface Accepted {
  readonly channel: Channel;
  /** `null`: one who is not admitted, but has set up a session. */
  readonly peer: Peer | null;
  /** The other side's static key. */
  readonly staticKey: Uint8Array;
}

/** Answers the handshake of one who has dialled; `null` where none comes about. */
export async function answerSealed(
  socket: WebSocket,
  keys: ChannelKeys,
  admit: (staticKey: Uint8Array, payload: Uint8Array) => Peer | null | Promise<Peer | null>,
): Promise<Accepted | null> {
  socket.binaryType = "arraybuffer";
  let message: Uint8Array;
  try {
    message = await firstMessage(socket);
  } catch {
    return null;
  }
  const ciphertext = message.length > SEAL_PAYLOAD_BYTES ? null : Responder.ciphertextOf(message);
  const shared = ciphertext && await decapsulate(keys, keys.secret, ciphertext);
  const { staticKey } = keys;
  const responder = shared && Responder.read({ aead: nodeAead, staticKey, message, shared });
  const peer = responder && await admit(responder.staticKey, responder.payload);
  const answers = responder && await keys.kem.perform([
    { op: "encapsulate", publicKey: responder.ephemeral },
    { op: "encapsulate", publicKey: responder.staticKey },
  ]);
  if (!responder || !answers) {
    socket.close(3403, "not sealed");
    return null;
  }
  const [toEphemeral, toStatic] = answers as [Encapsulated, Encapsulated];
  const written = responder.write({ toEphemeral, toStatic, payload: new Uint8Array() });
  const channel = channelOver(socket, new StreamCipher(nodeAead, written.keys));
  if (socket.readyState !== OPEN) return null;
  socket.send(written.message as Uint8Array<ArrayBuffer>);
  return { channel, peer, staticKey: responder.staticKey };
}
