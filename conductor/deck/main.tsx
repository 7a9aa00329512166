// The deck's entry.

import { render } from "preact";
import { Header } from "./parts/header.tsx";
import { AppPage } from "./pages/app.tsx";
import { AuditPage } from "./pages/audit.tsx";
import { EventsPage } from "./pages/events.tsx";
import { LogsPage } from "./pages/logs.tsx";
import { MetricsPage } from "./pages/metrics.tsx";
import { NodePage } from "./pages/node.tsx";
import { Overview } from "./pages/overview.tsx";
import { RoutePage } from "./pages/route.tsx";
import { SignInPage } from "./pages/sign_in.tsx";
import { TracePage } from "./pages/trace.tsx";
import { TracesPage } from "./pages/traces.tsx";
import { link, place, start, status } from "./state.ts";

function Page() {
  const [kind, name, route] = place.value;
  if (link.value === "refused" || kind === "sign-in") return <SignInPage refusal={name} />;
  if (!status.value) return <p class="hush">Asking the conductor…</p>;
  if (kind === "app" && name) return <AppPage key={name} name={name} />;
  if (kind === "node" && name) return <NodePage key={name} name={name} />;
  if (kind === "route" && name && route) {
    return <RoutePage key={`${name} ${route}`} app={name} route={route} />;
  }
  if (kind === "events") return <EventsPage />;
  if (kind === "logs") return <LogsPage key={name} grep={name} />;
  if (kind === "metrics") {
    return <MetricsPage key={`${name} ${route}`} app={name} replica={route} />;
  }
  if (kind === "traces") return <TracesPage key={name} app={name} />;
  if (kind === "trace" && name) return <TracePage key={name} id={name} />;
  if (kind === "audit") return <AuditPage />;
  return <Overview />;
}

function Deck() {
  return (
    <>
      <a class="skip" href="#main">Skip to content</a>
      <Header />
      <main id="main" tabindex={-1}>
        <Page />
      </main>
    </>
  );
}

const root = document.getElementById("deck");
if (!root) throw new Error("index.html has no #deck");
render(<Deck />, root);
void start();
