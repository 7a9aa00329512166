// A service whose versions behave as rollouts must cope with:
//
//   good   answers          crash  ends at once with code 3     mute  is never ready
//   bad    answers 500      slow   answers after 150 ms
//
// Second argument: a folder in which each start leaves a file, named by the mode.

import { serve } from "../../mod.ts";

const [mode = "good", folder] = Deno.args;
if (folder !== undefined) await Deno.writeTextFile(`${folder}/${mode}-${Deno.pid}`, "");
if (mode === "crash") {
  console.log("no database");
  Deno.exit(3);
}
if (mode === "once") Deno.exit(0);

/** A download of so many parts, one every 100 ms; the last one says so. */
function stream(parts: number): Response {
  const encoder = new TextEncoder();
  let part = 0;
  return new Response(
    new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        controller.enqueue(encoder.encode(`${Deno.pid} part ${++part}\n`));
        if (part < parts) return;
        controller.enqueue(encoder.encode("the end\n"));
        controller.close();
      },
    }),
  );
}

serve(async (request) => {
  const isProbe = new URL(request.url).pathname === "/ready";
  if (isProbe) return new Response("", { status: mode === "mute" ? 503 : 200 });
  const { pathname } = new URL(request.url);
  if (pathname.endsWith("/long")) return stream(20);
  if (pathname.endsWith("/endless")) return stream(Infinity);
  if (pathname.endsWith("/talk")) {
    const { socket, response } = Deno.upgradeWebSocket(request);
    // Not at once: whoever asks again after each answer would do nothing else.
    socket.onmessage = () =>
      setTimeout(() => socket.readyState === 1 && socket.send(`${Deno.pid}`), 20);
    return response;
  }
  if (mode === "slow") await new Promise((resolve) => setTimeout(resolve, 150));
  return new Response(`${mode}\n`, { status: mode === "bad" ? 500 : 200 });
});
