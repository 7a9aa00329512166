// The market without a cluster, for development: the nine programs on their fixed ports, each with
// the permissions of its manifest, and the shop on one address. State is kept in `.skr8tr/market`.
//
//   deno task market

import { fixedName } from "./kit/directory.ts";
import { launch, manifestOf, ROOT, type Running, type ServiceName, SERVICES } from "./launch.ts";
import { buildFront } from "./web/build.ts";
import { createShop } from "./web/dev_proxy.ts";

const HOST = "127.0.0.1";
const SHOP_PORT = 4300;
const DATA = `${ROOT}.skr8tr/market`;

const portOf = (service: ServiceName) => manifestOf(service).port?.number ?? 0;
const urlOf = (service: ServiceName) => `http://${HOST}:${portOf(service)}`;

function start(service: ServiceName): Running {
  const given = Object.fromEntries(
    ["DATABASE_URL", "SESSION_SECRET", "SERVICE_TOKEN"].flatMap((name) => {
      const value = Deno.env.get(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  return launch(service, {
    host: HOST,
    port: portOf(service),
    replica: "dev",
    env: {
      ...Object.fromEntries(SERVICES.map((name) => [fixedName(name), urlOf(name)])),
      DATA_DIR: `${DATA}/${service}`,
      ...given,
    },
    line: (line) => console.log(line),
  });
}

if (import.meta.main) {
  const began = performance.now();
  await buildFront();
  const running = SERVICES.map(start);
  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    for (const each of running) {
      try {
        each.kill("SIGTERM");
      } catch {
        // It has ended already.
      }
    }
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, stop);
  for (const each of running) {
    each.status.then(({ code }) => {
      if (stopping) return;
      console.error(`${each.service} ended with ${code}; the market stops`);
      Deno.exitCode = 1;
      stop();
    });
  }
  await Promise.all(running.map((each) => each.url())).catch(stop);
  if (!stopping) {
    const shop = Deno.serve(
      { hostname: HOST, port: SHOP_PORT, onListen: () => {} },
      createShop(urlOf),
    );
    const ms = Math.round(performance.now() - began);
    console.log(`the shop is on http://${HOST}:${SHOP_PORT} (after ${ms} ms); Ctrl-C stops it`);
    Promise.all(running.map((each) => each.status)).then(() => shop.shutdown());
  }
  await Promise.all(running.map((each) => each.status));
  Deno.exit();
}
