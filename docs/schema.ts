// Makes docs/views.schema.json, the JSON schema of what `--json` prints, from the types in
// core/view.ts and its neighbours, and of what the deck is answered: they are what the CLI and the conductor are written against.
//
//   deno task docs

import ts from "typescript";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname).replace(/\/$/, "");

/** Where each view is described. */
const VIEWS: Readonly<Record<string, readonly string[]>> = {
  "core/view.ts": [
    ...["StatusView", "NodeView", "AppView", "ReplicaView", "PlanView", "EventView", "LogView"],
  ],
  "core/deck_view.ts": [
    ...["DeckSample", "TrafficSample", "NodeSample", "LoadsView", "TrafficView", "RoutesView"],
  ],
  "core/metric_view.ts": ["MetricTotals", "MetricsView", "MetricSeriesView"],
  "core/trace_view.ts": ["TraceView", "TraceSpanView", "SpanTotals", "SpanSeriesView"],
};

export const SCHEMA_PATH = "docs/views.schema.json";

type Schema = { [key: string]: unknown };

/** The schema: a definition for each view, which refer to each other. */
export function viewsSchema(): Schema {
  const files = Object.keys(VIEWS).map((path) => `${ROOT}/${path}`);
  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    allowImportingTsExtensions: true,
    noEmit: true,
    strict: true,
    noLib: false,
    types: [],
  });
  const checker = program.getTypeChecker();
  const named = new Map<ts.Type, string>();
  for (const [path, names] of Object.entries(VIEWS)) {
    const source = program.getSourceFile(`${ROOT}/${path}`);
    if (!source) throw new Error(`cannot read ${path}`);
    for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(source)!)) {
      if (names.includes(symbol.name)) {
        named.set(checker.getDeclaredTypeOfSymbol(symbol), symbol.name);
      }
    }
  }
  const wanted = Object.values(VIEWS).flat();
  const missing = wanted.filter((name) => ![...named.values()].includes(name));
  if (missing.length > 0) throw new Error(`no type is named ${missing.join(", ")}`);
  const writer = new Writer(checker, named);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "What skr8tr prints with --json, and the deck is answered",
    $defs: Object.fromEntries(
      [...named].sort(([, a], [, b]) => wanted.indexOf(a) - wanted.indexOf(b))
        .map(([type, name]) => [name, writer.object(type)]),
    ),
  };
}

class Writer {
  constructor(
    private readonly checker: ts.TypeChecker,
    private readonly named: ReadonlyMap<ts.Type, string>,
  ) {}

  /** An object type with its fields. Fields that are not described here are allowed: views grow. */
  object(type: ts.Type): Schema {
    const properties: Record<string, Schema> = {};
    const required: string[] = [];
    for (const symbol of type.getProperties()) {
      const isOptional = (symbol.flags & ts.SymbolFlags.Optional) !== 0;
      const declared = this.checker.getTypeOfSymbol(symbol);
      const description = ts.displayPartsToString(symbol.getDocumentationComment(this.checker));
      const schema = this.schemaOf(
        isOptional ? this.checker.getNonNullableType(declared) : declared,
      );
      properties[symbol.name] = { ...schema, ...(description === "" ? {} : { description }) };
      if (!isOptional) required.push(symbol.name);
    }
    const values = this.checker.getIndexInfoOfType(type, ts.IndexKind.String);
    return {
      type: "object",
      ...(Object.keys(properties).length > 0 ? { properties } : {}),
      ...(required.length > 0 ? { required } : {}),
      ...(values ? { additionalProperties: this.schemaOf(values.type) } : {}),
    };
  }

  schemaOf(type: ts.Type): Schema {
    const name = this.named.get(type);
    if (name !== undefined) return { $ref: `#/$defs/${name}` };
    if (type.isUnion()) return this.union(type.types);
    if (type.isStringLiteral() || type.isNumberLiteral()) return { const: type.value };
    const { flags } = type;
    if (flags & ts.TypeFlags.BooleanLiteral) return { type: "boolean" };
    if (flags & ts.TypeFlags.String) return { type: "string" };
    if (flags & ts.TypeFlags.Number) return { type: "number" };
    if (flags & ts.TypeFlags.Boolean) return { type: "boolean" };
    if (flags & ts.TypeFlags.Null) return { type: "null" };
    if (this.checker.isArrayType(type)) {
      const [item] = this.checker.getTypeArguments(type as ts.TypeReference);
      return { type: "array", items: this.schemaOf(item!) };
    }
    if (flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) return this.object(type);
    throw new Error(`no schema is known for the type ${this.checker.typeToString(type)}`);
  }

  private union(types: readonly ts.Type[]): Schema {
    if (types.every((each) => each.flags & ts.TypeFlags.BooleanLiteral)) return { type: "boolean" };
    if (types.every((each) => each.isStringLiteral())) {
      return { enum: types.map((each) => (each as ts.StringLiteralType).value) };
    }
    return { anyOf: types.map((each) => this.schemaOf(each)) };
  }
}

/** The file's text. */
export function schemaText(): string {
  return `${JSON.stringify(viewsSchema(), null, 2)}\n`;
}

if (import.meta.main) await Deno.writeTextFile(`${ROOT}/${SCHEMA_PATH}`, schemaText());
