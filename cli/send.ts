// Signed commands on their way to the conductor.

import { isLoopback } from "../core/address.ts";
import { formatOperatorCommand, type OperatorCommand } from "../core/command.ts";
import { Failure } from "../core/errors.ts";
import { COMMAND_ID_S, DATAGRAM_BYTES, SIGNED_WINDOW_S } from "../core/limits.ts";
import { type Conductor, Silent } from "./conductor.ts";
import { type IdCommand, inDoubt } from "./doubt.ts";
import type { Signer } from "./keys.ts";
import { mayBePlain } from "./target.ts";
import { askUdp } from "./udp.ts";

/**
 * A datagram of 6.7 KB is five packets, and one that is lost (in a flood, say) is not missed: without
 * a reply by then it also goes by TCP, ms. A conductor in peace answers within half of that.
 */
const TCP_AFTER_MS = 75;

/** A command that was not answered is sent again after this, ms. */
const SEND_AGAIN_MS = 250;
/** For an answer by datagram one that is sent again need not wait longer than this, ms. */
const DATAGRAM_ANSWER_MS = 1_000;
/** By then a signature has too little of its time left to be sent again, ms. */
const SIGN_ANEW_MS = SIGNED_WINDOW_S * 1_000 / 2;
/** Later the conductor may have forgotten the id, and would execute it a second time, ms. */
const SEND_AT_MOST_MS = COMMAND_ID_S * 1_000 / 2;

/** How the datagram of a conductor begins that does not lead. */
const STANDBY = "ERR|STANDBY|";

/** A fresh id for a command; under the same id it is executed once. */
export function commandId(): string {
  return crypto.randomUUID();
}

/** The signed command as it travels. */
export async function signCommand(signer: Signer, command: OperatorCommand): Promise<string> {
  const text = `${formatOperatorCommand(command)}|${Math.floor(Date.now() / 1000)}`;
  return `${text}|${await signer.sign(text)}`;
}

/**
 * Sends a signed command that carries an id and resolves to the conductor's reply. It goes by UDP,
 * and the same text by TCP as well when no reply has come within 75 ms or it is too large for a
 * datagram; the conductor executes it once.
 *
 * @param timeoutMs how long the answer to a datagram is waited for
 * @throws {Failure} `unreachable`.
 */
export async function sendSigned(
  conductor: Conductor,
  signed: string,
  timeoutMs: number,
  options: {
    /** How long all of it may take, ms; else what the conductor may take. */
    readonly withinMs?: number;
    /** Called when it is on its way to a conductor that has just been heard. */
    onSent?(): void;
  } = {},
): Promise<string> {
  const { withinMs, onSent } = options;
  const endMs = performance.now() + (withinMs ?? Infinity);
  const left = () => withinMs === undefined ? undefined : Math.max(1, endMs - performance.now());
  const byTcp = async () => (await conductor.post("/command", signed, left())).trim();
  // The signed form is ASCII, so its length is its size.
  if (signed.length > DATAGRAM_BYTES) {
    onSent?.();
    return await byTcp();
  }
  const heard = await hears(conductor, left());
  if (heard !== "nobody") onSent?.();
  // A datagram of a command is plain: what may be sealed goes no other way.
  if (heard === "sealed") return await byTcp();
  const stop = new AbortController();
  const byUdp = askUdp(conductor.address, signed, { timeoutMs, signal: stop.signal });
  try {
    const early = await Promise.race([byUdp, delay(TCP_AFTER_MS, stop.signal)]);
    // A standby knows who leads, and only over TCP can one be sent there.
    if (typeof early === "string" && !early.startsWith(STANDBY)) return early;
    if (early !== null) return await byTcp();
    return await Promise.any([byTcp(), byUdp.then((reply) => reply ?? Promise.reject())]);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    stop.abort();
    await byUdp;
  }
}

export interface Insisting {
  readonly conductor: Conductor;
  readonly signer: Signer;
  /** How long an answer to a datagram may take, ms; a second at most. */
  readonly timeoutMs: number;
  /**
   * For how long it is sent again while no answer comes, ms; half an hour at most. By default, how
   * long the conductor may take to answer.
   */
  readonly patienceMs?: number;
  /** The conductor was heard a moment ago: if it is away now, it is waited for. */
  readonly wasHeard?: boolean;
  /** Hears, once, that an answer was lost. */
  onLost?(why: Failure): void;
}

/**
 * Signs a command and sends it until it is answered. It is sent again under the same id, signed anew
 * where the signature has become old: so it is executed once, and a conductor that has executed it
 * says what it said then, also after a restart.
 *
 * @throws {Failure} `unreachable` when `patienceMs` is over: nobody knows whether it was executed
 *   (`inDoubt()`). At once, and without that, where no conductor was there to send it to.
 */
export async function sendUntilAnswered(
  command: IdCommand,
  { conductor, signer, timeoutMs, patienceMs, wasHeard = false, onLost }: Insisting,
): Promise<string> {
  const mostMs = Math.min(patienceMs ?? conductor.patienceMs, SEND_AT_MOST_MS);
  const untilMs = performance.now() + mostMs;
  let signed = "";
  let signedMs = -Infinity;
  let sent = false;
  for (let attempt = 1;; attempt++) {
    if (performance.now() - signedMs >= SIGN_ANEW_MS) {
      signed = await signCommand(signer, command);
      signedMs = performance.now();
    }
    const leftMs = Math.max(1, untilMs - performance.now());
    try {
      return await sendSigned(conductor, signed, Math.min(timeoutMs, DATAGRAM_ANSWER_MS, leftMs), {
        withinMs: Math.min(leftMs, conductor.patienceMs, SIGN_ANEW_MS),
        onSent: () => void (sent = true),
      });
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "unreachable") throw error;
      if (!sent && !wasHeard && !conductor.isOneOfSeveral) throw error;
      if (attempt === 1) onLost?.(error);
      if (performance.now() + SEND_AGAIN_MS >= untilMs) {
        throw sent ? inDoubt(command, error) : error;
      }
    }
    await new Promise((again) => setTimeout(again, SEND_AGAIN_MS));
  }
}

/**
 * Whether somebody is there to take a command, and how. A conductor on this machine at whose port
 * nobody takes connections may still take datagrams; it is not ours, since ours answers over HTTP
 * before it takes any command. One that takes connections and is silent gets no datagram: it would
 * find it when it wakes, and execute what nobody waits for any more.
 */
async function hears(
  conductor: Conductor,
  withinMs: number | undefined,
): Promise<"sealed" | "plain" | "nobody"> {
  try {
    return await conductor.sealed(withinMs) ? "sealed" : "plain";
  } catch (error) {
    const { address } = conductor;
    if (
      isLoopback(address.hostname) && mayBePlain(address) && error instanceof Failure &&
      error.code === "unreachable" && !(error instanceof Silent)
    ) return "nobody";
    throw error;
  }
}

function delay(ms: number, signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve(null);
    });
  });
}

/** A conductor's reply: its fields after `OK|`, or the refusal. */
export type Reply =
  | { readonly ok: true; readonly fields: readonly string[] }
  | { readonly ok: false; readonly code: string; readonly text: string };

/** Reads a reply. */
export function parseReply(reply: string): Reply {
  const [status, ...fields] = reply.split("|");
  if (status === "OK") return { ok: true, fields };
  const [code = ""] = fields;
  return { ok: false, code, text: status === "ERR" ? fields.join("|") : reply };
}

/** The failure that a refusal is, with what to do about it. */
export function refusal(reply: Reply & { ok: false }, keyPath: string): Failure {
  if (reply.code === "UNAUTHORIZED") {
    return new Failure(
      "unauthorized",
      "the conductor does not accept the signature (it does not say why). Check that the " +
        `conductor knows the public key of ${keyPath} (--pubkey, or skr8tr operator add), that its ` +
        "role permits this (skr8tr operator list; skr8tr audit tells why), and that this " +
        `machine's clock is right: it is ${new Date().toISOString()} here, and at most 30 s ` +
        "difference is allowed",
    );
  }
  // The code is for programs.
  const { code, text } = reply;
  const said = text.startsWith(`${code}|`) ? text.slice(code.length + 1) : text;
  return new Failure("refused", `the conductor refused: ${said}`);
}
