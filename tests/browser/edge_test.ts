// A browser through the ingress's TLS: HTTP/2, a WebSocket, events that the server sends.

import { assert, assertEquals } from "@std/assert";
import { certify } from "../../ingress/live/testing_tls.ts";
import { endpoint, route, testIngress } from "../../ingress/live/testing.ts";
import { haveChromium, launch } from "./browser.ts";

const PAGE = `<!doctype html><title>edge</title><script>
const results = {};
globalThis.all = (async () => {
  results.protocol = performance.getEntriesByType("navigation")[0].nextHopProtocol;
  results.many = (await Promise.all(
    Array.from({ length: 60 }, (_, at) => fetch("/echo?" + at).then((each) => each.text())),
  )).filter((text, at) => text === "echo " + at).length;
  results.upload = await fetch("/upload", { method: "POST", body: "x".repeat(150000) })
    .then((each) => each.text());
  results.socket = await new Promise((resolve, reject) => {
    const socket = new WebSocket(location.origin.replace("https", "wss") + "/socket");
    const got = [];
    socket.onopen = () => socket.send("one");
    socket.onmessage = ({ data }) => {
      got.push(data);
      if (got.length < 3) socket.send("more");
      else { socket.close(); resolve(got.join()); }
    };
    socket.onerror = () => reject(new Error("no WebSocket"));
  });
  results.events = await new Promise((resolve) => {
    const source = new EventSource("/events");
    const got = [];
    source.onmessage = ({ data }) => {
      got.push(data);
      if (got.length === 3) { source.close(); resolve(got.join()); }
    };
  });
  return results;
})();
</script>`;

Deno.test("a browser gets pages, sockets and events through TLS and HTTP/2", async () => {
  const files = await certify("browser", "localhost");
  if (files === null) return console.log("not run: openssl is not installed");
  if (!await haveChromium()) return;
  const browser = await launch();
  await using backend = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, serve);
  await using ingress = await testIngress({
    routes: [route("/", "shop")],
    endpoints: [endpoint("shop", backend.addr.port)],
    tls: { port: 0, files: [files], hstsS: 0, redirect: false },
  });
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`https://localhost:${ingress.httpsPort}/`);
  // deno-lint-ignore no-explicit-any
  const results = await page.evaluate(() => (globalThis as any).all);
  assertEquals(results, {
    protocol: "h2",
    many: 60,
    upload: "150000",
    socket: "ONE,MORE,MORE",
    events: "0,1,2",
  });
  assertEquals(errors, []);
  await browser.close();
  assert(ingress.metrics.badResponses === 0);
});

function serve(request: Request): Response | Promise<Response> {
  const url = new URL(request.url);
  switch (url.pathname) {
    case "/echo":
      return new Response(`echo ${url.search.slice(1)}`);
    case "/upload":
      return request.text().then((text) => new Response(String(text.length)));
    case "/socket": {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = ({ data }) => socket.send(String(data).toUpperCase());
      return response;
    }
    case "/events": {
      let count = 0;
      let timer: ReturnType<typeof setInterval>;
      const stream = new ReadableStream({
        start(controller) {
          timer = setInterval(() => {
            controller.enqueue(new TextEncoder().encode(`data: ${count++}\n\n`));
          }, 20);
        },
        cancel: () => clearInterval(timer),
      });
      return new Response(stream, { headers: { "content-type": "text/event-stream" } });
    }
    default:
      return new Response(PAGE, { headers: { "content-type": "text/html" } });
  }
}
