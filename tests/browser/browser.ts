// Debian's Chromium for the browser tests.

import { type Browser, chromium } from "playwright-core";

const EXECUTABLE = "/usr/bin/chromium";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Whether a browser can be started here; says so in one line where it cannot. */
export async function haveChromium(): Promise<boolean> {
  try {
    await Deno.stat(EXECUTABLE);
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log("not run: chromium is not installed");
    return false;
  }
}

/** Starts the browser. Needs every permission (`-A`); the caller closes it. */
export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });
}
