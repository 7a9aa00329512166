/**
 * The desk where commands arrive: who may say what, what was said before, and whose turn it is.
 *
 * A command passes the cheap checks first (shape, time, budget), then its signature, then the replay
 * guard, and then waits for its turn to be judged against the state and committed. What a stranger
 * gets wrong is answered in one way only; the history says exactly why.
 */

import { inNetworks, isLoopback } from "../core/address.ts";
import type { Instant } from "../core/instant.ts";
import { DATAGRAM_BYTES } from "../core/limits.ts";
import type { EntryBody } from "../core/log.ts";
import { parseOperatorCommand, SIGNED_VERBS } from "../core/command.ts";
import { inTime, replayKey } from "../core/signed.ts";
import { parseSigned, type SignedCommand, splitVerb, UNAUTHORIZED } from "../core/wire.ts";
import { VerifyBudget } from "./trust/budget.ts";
import { Refusals } from "./trust/refusals.ts";
import { choose } from "./placement/choose.ts";
import { judge, judgeManifest, type Outcome } from "./commands.ts";
import { type ConductorEffect, NOT_LEADING, type Source } from "./effects.ts";
import type { ConductorMachine, ConductorOptions } from "./machine.ts";
import { whyNoReader, whyUnauthorised } from "./trust/auth.ts";
import { forgetMarks, idKey } from "./answered.ts";
import { formatList, formatNodes } from "./views/v1.ts";

interface Pending {
  readonly signed: SignedCommand;
  readonly key: string;
  readonly mark: string;
  /** By what else a repeat of it is known: `idKey`, where it carries an id. */
  readonly id: string | undefined;
  /** The same id, signed anew while this one waited. */
  readonly again: { readonly mark: string; readonly unixS: number }[];
  /** Everybody who sent this very command while it waited. */
  readonly sources: Source[];
  /** Text of the manifest that a v1 command named by path. */
  readonly manifest?: string;
  /** What its sender is told, where that manifest cannot be had. */
  readonly hopeless?: string;
  /** Why its time does not let it be executed. */
  readonly untimely?: string;
}

/** A command whose signature is being verified. */
interface Verifying {
  readonly signed: SignedCommand;
  readonly source: Source;
  readonly untimely: string | null;
}

const READS = ["PING", "NODES", "LIST", "LOGS"];
const NO_KEY = "no authorised key made its signature";

export class CommandDesk {
  readonly #machine: ConductorMachine;
  readonly #options: ConductorOptions;
  readonly #budget = new VerifyBudget();
  readonly #verifying = new Map<number, Verifying>();
  readonly #reading = new Map<number, Pending>();
  /** Commands whose signature is good, by replay mark and by `idKey`. */
  readonly #waiting = new Map<string, Pending>();
  readonly #ready: Pending[] = [];
  #current: { readonly pending: Pending; readonly outcome: Outcome } | null = null;
  /**
   * Replies to good commands that changed nothing, by replay mark: a copy that comes late must not
   * do what its sender was told had failed.
   */
  readonly #failed = new Map<string, { readonly unixS: number; readonly reply: string }>();
  /** No command signed at or before this second is taken: such marks of `#failed` are forgotten. */
  #forgottenUnixS = 0;
  readonly #refusals = new Refusals();
  #nextId = 1;

  constructor(machine: ConductorMachine, options: ConductorOptions) {
    this.#machine = machine;
    this.#options = options;
  }

  receive(text: string, source: Source, now: Instant): ConductorEffect[] {
    const signed = parseSigned(text);
    if (!signed) return this.#unsigned(text, source, now);
    const untimely = whyUntimely(signed, now);
    if (signed.unixS <= Math.max(this.#forgottenUnixS, this.#machine.state.forgottenUnixS)) {
      const why = untimely ?? "its time lies before what the replay guard remembers";
      return this.#refuse(source, now, why);
    }
    // One that is refused only for its time is verified all the same: its time may come, or a clock
    // may be set, and then no copy of it must do what its sender was told had failed.
    if (source.via === "udp" && !this.#budget.take(source.address, now.monoMs)) {
      return [{ do: "ignore", to: source.reply, why: "over the budget of signatures" }];
    }
    const id = this.#nextId++;
    this.#verifying.set(id, { signed, source, untimely });
    return [{ do: "verify", id, text: signed.text, signatureHex: signed.signatureHex }];
  }

  verified(id: number, key: string | null, now: Instant): ConductorEffect[] {
    const asked = this.#verifying.get(id);
    if (!asked) return [];
    this.#verifying.delete(id);
    const { signed, source, untimely } = asked;
    if (key === null) {
      return this.#refuse(source, now, untimely ?? NO_KEY);
    }
    const [verb] = splitVerb(signed.command);
    if (READS.includes(verb)) {
      if (untimely !== null) return this.#refuse(source, now, untimely);
      const why = whyNoReader(this.#machine.state, key, now.wallMs);
      return why === null
        ? this.#read(signed.command, source, now)
        : this.#refuse(source, now, why);
    }

    const mark = replayKey(signed, key);
    const parsed = parseOperatorCommand(signed.command);
    const commandId = "id" in parsed ? idKey(key, parsed.id) : undefined;
    const { answered, answeredIds } = this.#machine.state;
    const before = this.#failed.get(mark) ?? answered.get(mark) ??
      (commandId === undefined ? undefined : answeredIds.get(commandId));
    if (before) {
      // Whatever the clock says by now, who repeats a command hears what became of it.
      return commandId === undefined
        ? this.#refuse(source, now, untimely ?? "it was executed before (a replay)")
        : [{ do: "reply", to: source.reply, text: before.reply }];
    }
    if (this.#machine.state.roster.retiredKeys().some((each) => each.key === key)) {
      return this.#refuse(source, now, untimely ?? NO_KEY);
    }
    const waiting = this.#waiting.get(commandId ?? mark);
    if (waiting) {
      if (commandId === undefined) return this.#refuse(source, now, "it is a replay");
      waiting.sources.push(source);
      if (mark !== waiting.mark) waiting.again.push({ mark, unixS: signed.unixS });
      return [];
    }
    const pending: Pending = {
      signed,
      key,
      mark,
      id: commandId,
      again: [],
      sources: [source],
      ...(untimely === null ? {} : { untimely }),
    };
    this.#waiting.set(commandId ?? mark, pending);
    this.#ready.push(pending);
    return [];
  }

  manifestRead(id: number, text: string): ConductorEffect[] {
    const pending = this.#reading.get(id);
    if (!pending) return [];
    this.#reading.delete(id);
    this.#ready.push({ ...pending, manifest: text });
    return [];
  }

  manifestUnreadable(id: number, error: string): ConductorEffect[] {
    const pending = this.#reading.get(id);
    if (!pending) return [];
    this.#reading.delete(id);
    this.#ready.push({ ...pending, hopeless: `ERR|MANIFEST|${error}` });
    return [];
  }

  /** The next command that goes into the log; what is refused on the way is answered. */
  nextBody(now: Instant, out: ConductorEffect[]): EntryBody | null {
    for (let pending = this.#ready.shift(); pending; pending = this.#ready.shift()) {
      const outcome = this.#judge(pending, now);
      switch (outcome.kind) {
        case "refuse":
          this.#current = { pending, outcome };
          return this.#refusal(pending, outcome);
        case "read": {
          const id = this.#nextId++;
          this.#reading.set(id, pending);
          out.push({ do: "read-manifest", id, path: outcome.path });
          break;
        }
        case "commit":
        case "exec":
          this.#current = { pending, outcome };
          return this.#body(pending, outcome);
        default:
          outcome satisfies never;
      }
    }
    return null;
  }

  /** The command's entry is durable: those who wait for it are answered. */
  committed(
    body: Extract<EntryBody, { kind: "command" | "refused" }>,
    now: Instant,
  ): ConductorEffect[] {
    const current = this.#current;
    this.#current = null;
    if (!current) return [];
    const { pending, outcome } = current;
    if (body.kind === "refused") {
      const refused = parseOperatorCommand(pending.signed.command);
      this.#machine.record(now, {
        kind: "command-refused",
        ...("app" in refused ? { app: refused.app } : {}),
        text: body.audit,
      });
      return this.#finish(pending, body.reply);
    }
    const app = parseOperatorCommand(pending.signed.command);
    this.#machine.record(now, {
      kind: "command",
      ...("app" in app ? { app: app.app } : {}),
      text: body.audit,
    });
    if (outcome.kind !== "exec") return this.#finish(pending, body.reply);
    return this.#exec(pending, outcome.app);
  }

  /**
   * The command's entry could not be made durable: nothing has happened. Those that wait behind it
   * hear so at once, too, instead of failing one after another.
   */
  failed(error: string): ConductorEffect[] {
    const current = this.#current;
    this.#current = null;
    const pending = [...current ? [current.pending] : [], ...this.#ready.splice(0)];
    return pending.flatMap((each) => this.#fail(each, `ERR|STORE|${error}`));
  }

  /** This conductor does not lead any more: nobody who waits is answered. */
  abandon(): ConductorEffect[] {
    const pending = new Set([
      ...this.#current ? [this.#current.pending] : [],
      ...this.#ready.splice(0),
      ...this.#reading.values(),
      ...this.#waiting.values(),
    ]);
    const sources = [
      ...[...pending].flatMap((each) => each.sources),
      ...[...this.#verifying.values()].map((each) => each.source),
    ];
    this.#current = null;
    this.#reading.clear();
    this.#waiting.clear();
    this.#verifying.clear();
    return sources.map(({ reply }) => ({ do: "ignore", to: reply, why: NOT_LEADING }));
  }

  /** Once in a while: tells of floods, and forgets what time has made harmless. */
  forget(now: Instant): void {
    const forgotten = forgetMarks(this.#failed, now.wallMs);
    this.#forgottenUnixS = Math.max(this.#forgottenUnixS, forgotten);
    for (const text of this.#refusals.sum(now.monoMs)) {
      this.#machine.record(now, { kind: "refused", text });
    }
  }

  #judge(pending: Pending, now: Instant): Outcome {
    const { command } = pending.signed;
    const { state } = this.#machine;
    if (pending.untimely !== undefined) {
      return { kind: "refuse", reply: UNAUTHORIZED, why: pending.untimely };
    }
    if (pending.hopeless !== undefined) return { kind: "refuse", reply: pending.hopeless };
    const why = whyUnauthorised(state, { ...pending, command }, now.wallMs);
    if (why !== null) return { kind: "refuse", reply: UNAUTHORIZED, why };
    if (pending.manifest !== undefined) {
      return judgeManifest(state, command, pending.manifest, (spec) => {
        const { choices } = choose(spec, 1, this.#machine.ledger);
        const node = choices[0]?.node;
        if (node !== undefined) this.#machine.ledger.give(node, spec);
        return node ?? "pending (no live nodes)";
      });
    }
    const outcome = judge(state, command);
    if (outcome.kind === "read" && !this.#options.manifests) {
      const why =
        "commands by path are off; start the conductor with --manifests DIR, or use APPLY";
      return { kind: "refuse", reply: `ERR|${why}` };
    }
    return outcome;
  }

  #body(pending: Pending, outcome: Extract<Outcome, { kind: "commit" | "exec" }>): EntryBody {
    const { text, signatureHex } = pending.signed;
    return {
      kind: "command",
      signed: { text, signatureHex, key: pending.key },
      ...(outcome.kind === "commit" && outcome.manifest !== undefined
        ? { manifest: outcome.manifest }
        : {}),
      reply: outcome.kind === "commit" ? outcome.reply : `OK|EXEC|${outcome.app}|`,
      audit: `${this.#who(pending)}: ${outcome.summary}`,
    };
  }

  /** What the log keeps of a command that changes nothing. */
  #refusal(pending: Pending, outcome: Extract<Outcome, { kind: "refuse" }>): EntryBody {
    const { command, unixS } = pending.signed;
    const marks = [{ mark: pending.mark, unixS }, ...pending.again];
    const why = outcome.why ?? outcome.reply;
    return {
      kind: "refused",
      marks: marks.map((each) => [each.mark, each.unixS]),
      key: pending.key,
      reply: outcome.reply,
      audit: `${this.#who(pending)}: ${namedOf(command)}: ${why}`,
    };
  }

  #who(pending: Pending): string {
    const name = this.#machine.state.roster.nameOf(pending.key) ?? pending.key.slice(0, 12);
    return `operator ${name} from ${pending.sources[0]?.address}`;
  }

  #exec(pending: Pending, name: string): ConductorEffect[] {
    const app = this.#machine.state.apps.get(name);
    for (const placement of app?.placements.values() ?? []) {
      const node = this.#machine.fleet.get(placement.node);
      const state = node?.statuses.get(placement.replica)?.state;
      if (!node?.address || (state !== "ready" && state !== "starting")) continue;
      this.#waiting.delete(pending.id ?? pending.mark);
      const { text, signatureHex } = pending.signed;
      return pending.sources.map((source) => ({
        do: "exec",
        to: source.reply,
        app: name,
        replica: placement.replica,
        node: node.address!,
        signed: `${text}|${signatureHex}`,
      }));
    }
    return this.#finish(pending, `ERR|not running: ${name}`);
  }

  /** Answers that nothing was done, and sees to it that nothing will be. */
  #fail(pending: Pending, reply: string): ConductorEffect[] {
    const { unixS } = pending.signed;
    for (const each of [{ mark: pending.mark, unixS }, ...pending.again]) {
      this.#failed.set(each.mark, { unixS: each.unixS, reply });
    }
    return this.#finish(pending, reply);
  }

  #finish(pending: Pending, text: string): ConductorEffect[] {
    this.#waiting.delete(pending.id ?? pending.mark);
    return pending.sources.map((source) => ({ do: "reply", to: source.reply, text }));
  }

  #mayRead(source: Source): boolean {
    return isLoopback(source.address) || inNetworks(source.address, this.#options.plain);
  }

  #unsigned(text: string, source: Source, now: Instant): ConductorEffect[] {
    const [verb] = splitVerb(text);
    if (SIGNED_VERBS.includes(verb)) {
      return this.#refuse(source, now, `${verb} came without a signature`, text);
    }
    if (!this.#mayRead(source)) {
      return [{ do: "ignore", to: source.reply, why: "a plain read from outside --plain" }];
    }
    return this.#read(text, source, now);
  }

  #read(command: string, source: Source, now: Instant): ConductorEffect[] {
    const [verb, rest] = splitVerb(command);
    const reply = (text: string): ConductorEffect[] => [{ do: "reply", to: source.reply, text }];
    switch (verb) {
      case "PING":
        return reply("OK|PONG|conductor");
      case "NODES":
        return reply(formatNodes(this.#machine));
      case "LIST":
        return reply(
          formatList(this.#machine, now, source.via === "udp" ? DATAGRAM_BYTES : Infinity),
        );
      case "LOGS":
        return this.#machine.state.apps.has(rest)
          ? [{ do: "logs", to: source.reply, app: rest }]
          : reply(`ERR|not found: ${rest}`);
      default:
        return reply("ERR|unknown command");
    }
  }

  /** The one answer to everything that is not authorised; `request` only where it was unsigned. */
  #refuse(source: Source, now: Instant, why: string, request?: string): ConductorEffect[] {
    if (this.#refusals.tell(source.address, now.monoMs)) {
      const text = `a command from ${source.address} was refused: ${why}`;
      this.#machine.record(now, { kind: "refused", text });
    }
    // To an address that may be forged no answer is larger than the question.
    const small = request !== undefined && request.length < UNAUTHORIZED.length;
    if (small && source.via === "udp" && !this.#mayRead(source)) {
      return [{ do: "ignore", to: source.reply, why }];
    }
    return [{ do: "reply", to: source.reply, text: UNAUTHORIZED }];
  }
}

/** Why a command's time does not let it be executed; `null` where it does. */
function whyUntimely(signed: SignedCommand, now: Instant): string | null {
  if (inTime(signed, now.wallMs)) return null;
  const offS = Math.round(signed.unixS - now.wallMs / 1000);
  return `its time is ${Math.abs(offS)} s ${offS > 0 ? "ahead of" : "behind"} this clock`;
}

/** What a command is about, without what it carries: its first fields, the id left out. */
function namedOf(command: string): string {
  const [verb = "", ...fields] = command.split("|");
  const parsed = parseOperatorCommand(command);
  const [first = "", second = ""] = fields;
  return `${verb} ${"id" in parsed ? second : first}`.slice(0, 200).trim();
}
