import type { Context } from "hono";
import { unavailable } from "../../kit/problem.ts";
import type { Module } from "../../kit/modules.ts";
import { createFrontFiles, type FrontFile } from "./files.ts";

export const WEB_ROOT = "market/web/dist";

/** Everything comes from the shop itself, nothing inline, nobody may frame it. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

/**
 * The static build of the front. Paths without a file name are the app's own and get its page; below
 * `/api` there are none: what comes here is for a service that is not there.
 */
export function createFrontend(root = WEB_ROOT): Module<null> {
  const files = createFrontFiles(root);
  const routes: Module<null>["routes"] = ({ app }) => {
    app.get("/*", async (c) => {
      const path = c.req.path.slice(1);
      if (/^api(\/|$)/.test(path)) return c.notFound();
      const isFileName = /\.[a-zA-Z0-9]+$/.test(path);
      const file = await files.find(isFileName ? path : "index.html");
      if (file) return send(c, file);
      if (!isFileName) throw unavailable("front", "the front has not been built: see market/web");
      return c.json({ error: "there is no such file", field: "path" }, 404);
    });
  };
  return { api: null, routes };
}

function send(c: Context, file: FrontFile): Response {
  c.header("etag", file.etag);
  c.header("vary", "accept-encoding");
  c.header("cache-control", file.hashed ? "public, max-age=31536000, immutable" : "no-cache");
  c.header("content-security-policy", CONTENT_SECURITY_POLICY);
  c.header("referrer-policy", "same-origin");
  c.header("cross-origin-opener-policy", "same-origin");
  if (matches(c.req.header("if-none-match"), file.etag)) return c.body(null, 304);
  c.header("content-type", file.type);
  if (file.gzip && acceptsGzip(c.req.header("accept-encoding") ?? "")) {
    c.header("content-encoding", "gzip");
    return c.body(file.gzip);
  }
  return c.body(file.bytes);
}

/** RFC 9110, 13.1.2: weak comparison with any of the tags sent. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === "*" ||
    header.split(",").some((each) => each.trim().replace(/^W\//, "") === etag);
}

function acceptsGzip(header: string): boolean {
  return header.split(",").some((each) => {
    const [coding, weight] = each.trim().split(/\s*;\s*/);
    return coding?.toLowerCase() === "gzip" && !/^q=0(?:\.0*)?$/.test(weight ?? "");
  });
}
