// Deploys as traces, exported by Deno's own OpenTelemetry (OTEL_DENO=true). Loaded only with --trace.

import { context, type Span, SpanStatusCode, trace } from "@opentelemetry/api";
import { parseOperatorCommand } from "../../core/command.ts";
import type { Instant } from "../../core/instant.ts";
import { commandOf, type Entry } from "../../core/log.ts";
import type { AppView } from "../../core/view.ts";
import type { ConductorMachine } from "../machine.ts";
import { appView } from "../views/views.ts";

interface Deploy {
  readonly generation: number;
  readonly span: Span;
  /** Replica -> its span, and the state it was last seen in. */
  /** Why its rollout failed. */
  failure?: string;
  readonly replicas: Map<string, { readonly span: Span; state: string; done: boolean }>;
}

/**
 * One trace a deploy: a span from the signed APPLY to the app's readiness or failure, and below it a
 * span for each replica, from the decision to place it until it is ready, with an event at each of
 * its states. The deploy's own events are the turns of its rollout and the old replicas that leave.
 */
export class DeployTraces implements Disposable {
  readonly #tracer = trace.getTracer("skr8tr.conductor");
  readonly #deploys = new Map<string, Deploy>();

  constructor(private readonly machine: ConductorMachine) {}

  /** An entry of the log is durable, and about to be applied: what it changes is told after it. */
  appended({ body, sequence }: Entry): void {
    if (body.kind === "command") {
      const command = parseOperatorCommand(commandOf(body.signed));
      if (!("verb" in command) || command.verb !== "APPLY") return;
      this.#end(command.app, SpanStatusCode.UNSET, "another deploy took over");
      const attributes = {
        "skr8tr.app": command.app,
        "skr8tr.generation": command.generation,
        "skr8tr.sequence": sequence,
        "skr8tr.operator": body.signed.key,
      };
      const span = this.#tracer.startSpan(`deploy ${command.app}`, { attributes });
      const { generation } = command;
      this.#deploys.set(command.app, { generation, span, replicas: new Map() });
    } else if (body.kind === "decision") {
      for (const place of body.place) {
        const deploy = this.#deploys.get(place.app);
        if (deploy?.generation !== place.generation) continue;
        const attributes = {
          "skr8tr.replica": place.replica,
          "skr8tr.node": this.machine.fleet.get(place.node)?.name ?? place.node,
        };
        const parent = trace.setSpan(context.active(), deploy.span);
        const span = this.#tracer.startSpan(`replica ${place.replica}`, { attributes }, parent);
        deploy.replicas.set(place.replica, { span, state: "placed", done: false });
      }
      for (const replica of body.leave) {
        const attributes = { "skr8tr.replica": replica };
        this.#deploys.get(appOf(replica))?.span.addEvent("leave", attributes);
      }
    } else if (body.kind === "rollout") {
      const deploy = this.#deploys.get(body.app);
      if (deploy?.generation !== body.generation) return;
      deploy.span.addEvent(body.turn, { "skr8tr.reason": body.reason });
      if (body.turn === "failed") deploy.failure = body.reason;
    }
  }

  /** Apps look different now. */
  changed(apps: readonly string[], now: Instant): void {
    for (const name of apps) {
      const deploy = this.#deploys.get(name);
      const app = this.machine.state.apps.get(name);
      if (!deploy || !app) continue;
      const view = appView(this.machine, app, now);
      for (const { replica, state, reason } of view.replicas) {
        const seen = deploy.replicas.get(replica);
        if (!seen || seen.done || seen.state === state) continue;
        seen.state = state;
        seen.span.addEvent(state, reason === undefined ? {} : { "skr8tr.reason": reason });
        if (state === "ready") endReplica(seen, SpanStatusCode.OK);
        if (state === "finished") endReplica(seen, SpanStatusCode.ERROR, reason);
      }
      if (view.generation !== deploy.generation) {
        const why = deploy.failure ?? "it went back to another generation";
        this.#end(name, SpanStatusCode.ERROR, why);
      } else if (isUnderWay(view)) continue; // its next turn says how it ended
      else if (view.state === "ready") this.#end(name, SpanStatusCode.OK);
      else if (view.state === "failing") {
        this.#end(name, SpanStatusCode.ERROR, view.reasons.join("; "));
      } else if (view.state === "down") this.#end(name, SpanStatusCode.UNSET, "it was taken down");
    }
  }

  #end(app: string, code: SpanStatusCode, message?: string): void {
    const deploy = this.#deploys.get(app);
    if (!deploy) return;
    this.#deploys.delete(app);
    for (const replica of deploy.replicas.values()) {
      if (!replica.done) endReplica(replica, SpanStatusCode.UNSET);
    }
    deploy.span.setStatus({ code, ...(message === undefined ? {} : { message }) });
    deploy.span.end();
  }

  [Symbol.dispose](): void {
    const message = "the conductor stopped";
    for (const app of [...this.#deploys.keys()]) this.#end(app, SpanStatusCode.UNSET, message);
  }
}

function isUnderWay({ rollout, generation }: AppView): boolean {
  if (rollout?.generation !== generation) return false;
  return rollout.phase === "before" || rollout.phase === "canary" || rollout.phase === "rolling";
}

/** The app of a replica's id: `shop` of `shop.3`. */
function appOf(replica: string): string {
  return replica.slice(0, replica.lastIndexOf("."));
}

function endReplica(
  replica: { readonly span: Span; done: boolean },
  code: SpanStatusCode,
  message?: string,
): void {
  replica.done = true;
  replica.span.setStatus({ code, ...(message === undefined ? {} : { message }) });
  replica.span.end();
}
