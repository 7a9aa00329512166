// What the CLI asks a conductor over TCP 7771; the answers are those of core/view.ts.

import { showAddress } from "../core/address.ts";
import { Failure } from "../core/errors.ts";
import { request } from "./http.ts";
import { Leader, Standby, standbyOf } from "./leader.ts";
import { type ConductorAddress } from "./target.ts";

/** A conductor over HTTP. Every method throws a `Failure` `unreachable` when it does not answer. */
export interface Conductor {
  readonly address: ConductorAddress;
  /** Whether there are others that may lead in its place. */
  readonly isOneOfSeveral: boolean;
  /** How long a question to it takes at most, ms: with several, until one of them leads. */
  readonly patienceMs: number;
  /** Says whether what is said to it is sealed, within so many ms. */
  sealed(withinMs?: number): Promise<boolean>;
  /**
   * `GET` of a JSON view.
   *
   * @throws {Failure} `not-found` (404) or `refused`, with the conductor's own words.
   */
  get<T>(path: string): Promise<T>;
  /** `POST` of a text; resolves to the body of the answer, which comes within so many ms. */
  post(path: string, body: string, withinMs?: number): Promise<string>;
  /** Any request; resolves to its answer whatever its status, with the body as text. */
  ask(
    method: "HEAD" | "POST",
    path: string,
    headers?: Readonly<Record<string, string>>,
    body?: Uint8Array,
  ): Promise<Answer>;
  /**
   * `GET` of a stream with a JSON value a line. The timeout bounds only the time to the head of the
   * answer; the stream then goes on until it ends, the signal is aborted or the caller breaks off.
   */
  lines<T>(path: string, signal?: AbortSignal): AsyncGenerator<T>;
}

export interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
}

/** A conductor at an address. Nothing is sent until a method is called. */
export function conductorAt(address: ConductorAddress, timeoutMs: number): Conductor {
  const leader = new Leader(address);
  const deadline = (to: ConductorAddress, ms: number) => {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(silent(to, Math.round(ms))), ms);
    return { controller, clear: () => clearTimeout(timer) };
  };
  function ask(
    method: "GET" | "HEAD" | "POST",
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body?: string | Uint8Array,
    withinMs = leader.patienceOf(timeoutMs),
  ): Promise<Answer> {
    return leader.ask(withinMs, async (to, leftMs) => {
      const { controller, clear } = deadline(to, leftMs);
      try {
        const { signal } = controller;
        const response = await request(to, { method, path, body, headers, signal });
        const text = (await Array.fromAsync(response.body)).join("");
        const standby = standbyOf(response.status, text);
        if (standby) throw standby;
        return { status: response.status, headers: response.headers, text };
      } catch (error) {
        throw atConductor(error, to);
      } finally {
        clear();
      }
    });
  }
  const exchange = async (
    method: "GET" | "POST",
    path: string,
    body?: string,
    withinMs?: number,
  ) => {
    const { status, text } = await ask(method, path, {}, body, withinMs);
    refuseErrors(status, text);
    return text;
  };
  return {
    get address() {
      return leader.address;
    },
    isOneOfSeveral: (address.others ?? []).length > 0,
    get patienceMs() {
      return leader.patienceOf(timeoutMs);
    },
    ask: (method, path, headers, body) => ask(method, path, headers, body),
    sealed(withinMs = leader.patienceOf(timeoutMs)) {
      if (!address.seal) return Promise.resolve(false);
      return leader.ask(withinMs, async (to, leftMs) => {
        const { isSealed } = await import("./sealed.ts");
        const { controller, clear } = deadline(to, leftMs);
        try {
          return await isSealed(to, controller.signal);
        } catch (error) {
          throw atConductor(error, to);
        } finally {
          clear();
        }
      });
    },
    async get<T>(path: string) {
      return parse<T>(await exchange("GET", path), leader.address);
    },
    post: (path, body, withinMs) => exchange("POST", path, body, withinMs),
    async *lines<T>(path: string, signal?: AbortSignal) {
      const stopper = new AbortController();
      const stop = () => stopper.abort(new Failure("stopped", "stopped"));
      let watch: Disposable | undefined;
      signal?.addEventListener("abort", stop);
      try {
        const response = await leader.ask(leader.patienceOf(timeoutMs), async (to, leftMs) => {
          const { controller, clear } = deadline(to, leftMs);
          try {
            const both = AbortSignal.any([controller.signal, stopper.signal]);
            const response = await request(to, { method: "GET", path, signal: both });
            if (response.status === 200) return response;
            const text = (await Array.fromAsync(response.body)).join("");
            throw standbyOf(response.status, text) ?? errorOf(response.status, text);
          } finally {
            clear();
          }
        });
        watch = leader.watch((why) => stopper.abort(why));
        for await (const line of splitLines(response.body)) yield parse<T>(line, leader.address);
      } catch (error) {
        if (signal?.aborted) return;
        throw atConductor(error, leader.address);
      } finally {
        watch?.[Symbol.dispose]();
        signal?.removeEventListener("abort", stop);
      }
    },
  };
}

/** Whoever is there says nothing: it may be frozen, and act on what it was sent when it wakes. */
export class Silent extends Failure {}

function silent(address: ConductorAddress, timeoutMs: number): Failure {
  return new Silent("unreachable", `${showAddress(address)}: no answer within ${timeoutMs} ms`);
}

/** Says which of the daemons it was that did not answer, and what to do. */
function atConductor(error: unknown, address: ConductorAddress): unknown {
  if (!(error instanceof Failure) || error.code !== "unreachable") return error;
  if (error instanceof Standby) return error;
  const Kind = error instanceof Silent ? Silent : Failure;
  return new Kind(
    "unreachable",
    `the conductor does not answer: ${error.message}; is it running there? ` +
      "(--conductor HOST:PORT or SKR8TR_CONDUCTOR names another; deno task cluster starts one)",
    { cause: { ...error, address } },
  );
}

function refuseErrors(status: number, text: string): void {
  if (status >= 400) throw errorOf(status, text);
}

function errorOf(status: number, text: string): Failure {
  let message = text.trim();
  try {
    message = JSON.parse(text).error ?? message;
  } catch {
    // A plain text says it as well.
  }
  return new Failure(
    status === 404 ? "not-found" : "refused",
    message === "" ? `the conductor answered with status ${status}` : message,
  );
}

function parse<T>(text: string, address: ConductorAddress): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new Failure("not-http", `${showAddress(address)} does not answer as a conductor does`);
  }
}

/** The lines of a text that comes in parts. */
export async function* splitLines(parts: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = "";
  for await (const part of parts) {
    const lines = (rest + part).split("\n");
    rest = lines.pop()!;
    yield* lines.filter((line) => line !== "");
  }
  if (rest !== "") yield rest;
}
