// The metrics of every daemon of a real cluster: good Prometheus style, documented, and enough for
// the alerts and the dashboard in docs/monitoring.
//
// `UPDATE=1 deno test -A tests/e2e/metrics_test.ts` writes docs/METRICS.md anew.

import { assert, assertEquals } from "@std/assert";
import { promtool } from "../../core/live/promtool_testing.ts";
import { processesNaming, startClusterTask } from "./cluster_process.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");
const PAGE = `${ROOT}/docs/METRICS.md`;

interface Metric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: ReadonlySet<string>;
}

Deno.test("every daemon's metrics are in good style, documented and enough for the alerts", async (t) => {
  await using cluster = await startClusterTask(["--only=product-svc"]);
  const line = await cluster.ready();
  assert(line.ready, line.error);
  for (let at = 0; at < 20; at++) {
    await (await fetch(`${line.ingress}/api/products?per_page=1`)).body?.cancel();
  }
  const texts: Record<string, string> = {
    conductor: await scrape(`http://${line.conductor}`),
    tower: await scrape(`http://${line.tower}`),
    node: await scrape(await addressOf(cluster.state, "--name=node-1", "metrics")),
    ingress: await scrape(await addressOf(cluster.state, "ingress/main.ts", "admin")),
  };
  const metrics = Object.entries(texts).flatMap(([daemon, text]) =>
    metricsIn(text).map((metric) => ({ daemon, ...metric }))
  );
  for (const [daemon, text] of Object.entries(texts)) {
    await t.step(`promtool check metrics: ${daemon}`, () => promtool(["check", "metrics"], text));
  }
  await t.step("docs/METRICS.md names each of them", async () => {
    const page = await formatted(pageOf(metrics));
    if (Deno.env.get("UPDATE") === "1") await Deno.writeTextFile(PAGE, page);
    const told = rowsOf(await Deno.readTextFile(PAGE));
    assertEquals(told, rowsOf(page), "UPDATE=1 deno test -A <this file>");
  });
  await t.step("promtool check rules: docs/monitoring/alerts.yml", async () => {
    await promtool(["check", "rules", `${ROOT}/docs/monitoring/alerts.yml`]);
  });
  for (const file of ["alerts.yml", "grafana.json"]) {
    await t.step(`docs/monitoring/${file} asks for nothing that is not there`, async () => {
      const text = await Deno.readTextFile(`${ROOT}/docs/monitoring/${file}`);
      const names = new Set(metrics.map((metric) => metric.name));
      for (const [name] of text.matchAll(/\bskr8tr_[a-z0-9_]+/g)) {
        const base = name.replace(/_(bucket|count|sum)$/, "");
        assert(names.has(name) || names.has(base), `${file} asks for ${name}`);
      }
    });
  }
  await cluster.stop();
});

async function scrape(url: string): Promise<string> {
  const response = await fetch(`${url}/metrics`);
  assertEquals(response.status, 200, url);
  return await response.text();
}

/** Where the daemon whose command line has this word listens by this flag. */
async function addressOf(state: string, word: string, flag: string): Promise<string> {
  const [found] = (await processesNaming(state)).filter(({ words }) =>
    words[1] === "run" && words.some((each) => each.endsWith(word))
  );
  const valueOf = (name: string) =>
    found?.words.find((each) => each.startsWith(`--${name}=`))?.slice(name.length + 3);
  return `http://${valueOf("bind")}:${valueOf(flag)}`;
}

function metricsIn(text: string): Metric[] {
  const metrics: Metric[] = [];
  for (const [, name = "", help = ""] of text.matchAll(/^# HELP (\S+) (.*)$/gm)) {
    const type = text.match(new RegExp(`^# TYPE ${name} (\\w+)$`, "m"))?.[1] ?? "";
    const labels = new Set<string>();
    const samples = new RegExp(`^${name}(?:_bucket|_count|_sum)?\\{([^}]*)\\}`, "gm");
    for (const [, inner = ""] of text.matchAll(samples)) {
      for (const [, label = ""] of inner.matchAll(/(\w+)="/g)) labels.add(label);
    }
    metrics.push({ name, type, help, labels });
  }
  return metrics;
}

function pageOf(metrics: readonly (Metric & { readonly daemon: string })[]): string {
  const lines = [
    "# Metrics",
    "",
    "Every daemon answers `GET /metrics` in Prometheus' text form: the conductor at 7771, the tower",
    "at 7772, a node at 9100 and the ingress at 7776. [monitoring/alerts.yml](monitoring/alerts.yml)",
    "has alert rules for them, [monitoring/grafana.json](monitoring/grafana.json) a dashboard to",
    "import into Grafana. This page is made from what a running cluster answers.",
  ];
  for (const daemon of new Set(metrics.map((metric) => metric.daemon))) {
    lines.push(
      "",
      `## The ${daemon}`,
      "",
      "| metric | type | labels | meaning |",
      "|---|---|---|---|",
    );
    const own = metrics.filter((metric) => metric.daemon === daemon)
      .toSorted((a, b) => a.name < b.name ? -1 : 1);
    for (const { name, type, labels, help } of own) {
      const shown = [...labels].filter((label) => label !== "le").map((each) => `\`${each}\``);
      lines.push(`| \`${name}\` | ${type} | ${shown.join(", ")} | ${help} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** Name, type and meaning: which labels there are to see depends on what happened so far. */
function rowsOf(page: string): string[][] {
  return page.split("\n").filter((line) => line.startsWith("| `")).map((line) => {
    const [, name = "", type = "", , meaning = ""] = line.split("|").map((cell) => cell.trim());
    return [name, type, meaning];
  });
}

async function formatted(text: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", `--config=${ROOT}/deno.json`, "--ext=md", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  return new TextDecoder().decode((await child.output()).stdout);
}
