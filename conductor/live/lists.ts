// Long answers, in pages where that is asked for, and sent piece by piece either way.

import { VERSION } from "../../core/version.ts";
import type { DeckGrants } from "../trust/deck_grants.ts";
import { appPieces, nodePieces, type Page, statusPieces } from "../views/pieces.ts";
import type { HttpParts } from "./http.ts";

/** So much is made at a time, in characters; other work comes in between. */
const PART = 65_536;

/** `/api/apps`, `/api/nodes` and `/api/status`; `null` for another kind of list. */
export function answerList(
  { machine, now, events }: Pick<HttpParts, "machine" | "now" | "events">,
  kind: string,
  url: URL,
  grants: DeckGrants,
): Response | null {
  const refusedLately = () => events.refusedLately(now().wallMs).map(({ text }) => text);
  const page = { ...pageOf(url.searchParams), grants };
  switch (kind) {
    case "apps":
      return answer(appPieces(machine, page, now));
    case "nodes":
      return answer(nodePieces(machine, page, now));
    case "status":
      return answer(statusPieces(machine, VERSION, page, now, refusedLately()));
    default:
      return null;
  }
}

function pageOf(params: URLSearchParams): Omit<Page, "grants"> {
  const limit = Number(params.get("limit") ?? NaN);
  const after = params.get("after");
  const node = params.get("node");
  return {
    limit: Number.isSafeInteger(limit) && limit > 0 ? limit : Infinity,
    ...(after === null ? {} : { after }),
    ...(node === null ? {} : { node }),
    replicas: params.get("replicas") !== "0",
  };
}

function answer(pieces: Iterator<string>): Response {
  const encoder = new TextEncoder();
  let parts = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      // A reader that is always ready would else be served without a pause.
      if (parts++ > 0) await new Promise((resume) => setTimeout(resume, 0));
      let part = "";
      while (part.length < PART) {
        const { value, done } = pieces.next();
        if (done) {
          if (part !== "") controller.enqueue(encoder.encode(part));
          return controller.close();
        }
        part += value;
      }
      controller.enqueue(encoder.encode(part));
    },
  }, { highWaterMark: 0 });
  return new Response(body, { headers: { "content-type": "application/json" } });
}
