// How to come in, for those who may not look without it.

import { useEffect, useState } from "preact/hooks";
import type { DeckSignIn, SsoRefusal } from "../../../core/deck_view.ts";

const REFUSALS: { readonly [R in SsoRefusal]: string } = {
  denied: "You have signed in, but none of your groups may look at this deck.",
  failed: "Signing in failed; the conductor's audit says why.",
  late: "This sign-in was not begun in this browser, or took too long. Try again.",
  down: "The issuer does not answer. An operator's key works without it.",
};

/** @param refusal why single sign-on let nobody in just now */
export function SignInPage({ refusal }: { readonly refusal: string | undefined }) {
  const [ways, know] = useState<DeckSignIn>({ sso: false });
  useEffect(() => {
    fetch("/deck/session").then((response) => response.json()).then(know).catch(() => {});
  }, []);
  const why = REFUSALS[refusal as SsoRefusal];
  return (
    <section class="card">
      <h1>Sign in</h1>
      {why !== undefined && <p class="card problems" role="alert">{why}</p>}
      {ways.sso && (
        <p>
          <a class="button" href="/deck/sso">Sign in with SSO</a>
        </p>
      )}
      <p>From here the deck is shown to operators only. On the machine with your signing key:</p>
      <pre><code>skr8tr deck</code></pre>
      <p>It signs a challenge with that key and prints a link that opens this page for you.</p>
    </section>
  );
}
