import { assertEquals } from "@std/assert";
import Ajv from "ajv/dist/2020.js";
import { SCHEMA_PATH, schemaText, viewsSchema } from "./schema.ts";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname).replace(/\/$/, "");

Deno.test("the schema of the views is up to date (deno task docs)", async () => {
  assertEquals(await Deno.readTextFile(`${ROOT}/${SCHEMA_PATH}`), schemaText(), "deno task docs");
});

Deno.test("viewsSchema() describes the views so that a wrong one is noticed", () => {
  const check = new Ajv.default().addSchema(viewsSchema(), "views")
    .compile({ $ref: "views#/$defs/EventView" });
  const event = { sequence: 1, wallMs: 2, kind: "node-joined", text: "node-1 joined" };
  assertEquals(check(event), true);
  assertEquals(check({ ...event, app: "api" }), true);
  assertEquals(check({ ...event, wallMs: "2" }), false);
  assertEquals(check({ ...event, kind: undefined }), false);
});

Deno.test("viewsSchema() knows where a value may be null", () => {
  const check = new Ajv.default().addSchema(viewsSchema(), "views")
    .compile({ $ref: "views#/$defs/MetricSeriesView" });
  const series = { name: "memory", unit: "By", replica: "api.1", values: [null, 1.5] };
  assertEquals(check(series), true);
  assertEquals(check({ ...series, values: [null, "1.5"] }), false);
  assertEquals(check({ ...series, values: null }), false);
});
