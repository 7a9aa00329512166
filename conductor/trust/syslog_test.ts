import { assertEquals } from "@std/assert";
import { framed, syslogHost, syslogMessage } from "./syslog.ts";

const AT = Date.parse("2030-01-02T03:04:05.678Z");

Deno.test("syslogMessage() writes RFC 5424, whatever stands in the audit", () => {
  const view = {
    sequence: 7,
    wallMs: AT,
    kind: "command",
    verb: "APPLY",
    operator: "ann",
    app: "web",
    text: 'operator ann from 10.0.0.7: apply web "x" ] \n\0 ü',
  };
  assertEquals(
    syslogMessage(view, "host-1"),
    "<109>1 2030-01-02T03:04:05.678Z host-1 skr8tr-conductor - command " +
      '[skr8tr@32473 kind="command" sequence="7" verb="APPLY" operator="ann" app="web"] ' +
      '\ufeffoperator ann from 10.0.0.7: apply web "x" ]    ü',
  );
  const odd = syslogMessage({ wallMs: AT, kind: "refused", text: "x", operator: 'a"b\\c]d' }, "-");
  assertEquals(odd.startsWith("<108>1 "), true);
  assertEquals(odd.includes('operator="a\\"b\\\\c\\]d"'), true);
});

Deno.test("syslogHost() and framed() keep to their grammars", () => {
  assertEquals([syslogHost("a b\n"), syslogHost(""), syslogHost("ü")], ["ab", "-", "-"]);
  const bytes = framed(new TextEncoder().encode("ü<1>"));
  assertEquals(new TextDecoder().decode(bytes), "5 ü<1>");
});
